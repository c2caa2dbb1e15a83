"""The next slide comes while one is worked on, each once, and what is on its way stops with the job."""

import threading
import time

import pytest
from acquire.gdc_server import Server

from confuselt.acquire.download import Manner, Outage
from confuselt.acquire.fetch import sources_of
from confuselt.stream.fetcher import Fetcher
from confuselt.unusable import Unusable

QUICK = Manner(connections=2, segment=1 << 16, attempts=2)


@pytest.fixture
def server():
    with Server() as running:
        yield running


def row_of(server, number):
    record = server.add(bytes([number]) * 200_000).record
    known = {"file_id": record["file_id"], "file_name": record["file_name"], "md5": record["md5sum"]}
    return {**known, "bytes": record["file_size"], "slide_id": f"s{number}", "file": f"slides/s{number}.svs"}


def until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def test_the_next_slide_comes_while_one_is_worked_on_and_each_once(server, tmp_path):
    rows = [row_of(server, n) for n in range(2)]
    with Fetcher(tmp_path, sources_of(server.url, None, None, 5.0), QUICK) as fetcher:
        fetcher.bring(rows[0])
        fetcher.begin(rows[1])
        assert until((tmp_path / rows[1]["file"]).is_file)
        asked = len(server.log)
        for row in (*rows, *rows):
            fetcher.bring(row)
    assert len(server.log) == asked and fetcher.lost == {}


def test_the_fault_of_a_slide_is_its_own(server, tmp_path):
    rows = [row_of(server, n) for n in range(2)]
    server.fault = lambda path, number: "404" if rows[1]["file_id"] in path else None
    with Fetcher(tmp_path, sources_of(server.url, None, None, 5.0), QUICK) as fetcher:
        fetcher.begin(rows[1])
        fetcher.bring(rows[0])
        for _ in range(2):
            with pytest.raises(Unusable, match="excluded at acquire"):
                fetcher.bring(rows[1])
    assert list(fetcher.lost) == ["s1"] and (tmp_path / rows[0]["file"]).is_file()


def test_an_outage_is_raised_where_the_slide_is_needed(server, tmp_path, monkeypatch):
    monkeypatch.setattr("confuselt.acquire.http.Patience._pause", lambda self, seconds: None)
    row = row_of(server, 0)
    server.fault, server.down = lambda path, number: "503", True
    with Fetcher(tmp_path, sources_of(server.url, None, None, 5.0), QUICK) as fetcher:
        fetcher.begin(row)
        with pytest.raises(Outage):
            fetcher.bring(row)


def test_what_is_on_its_way_stops_and_stays(server, tmp_path):
    row, partial = row_of(server, 0), tmp_path / "slides" / ".partial.s0.svs"
    server.per_connection = 20_000  # five seconds
    start = time.monotonic()
    with Fetcher(tmp_path, sources_of(server.url, None, None, 5.0), QUICK) as fetcher:
        fetcher.begin(row)
        assert until(lambda: partial.exists() and partial.stat().st_size > 0)
    assert time.monotonic() - start < 4 and partial.exists() and not (tmp_path / row["file"]).exists()
    assert not [t for t in threading.enumerate() if t.name.startswith("fetches")]
