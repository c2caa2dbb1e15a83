"""Every fault of a server ends in the right bytes, or in a reason; a kill costs no more than what was under way."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from acquire.gdc_server import FAULTS, Server

from confuselt.acquire.download import Manner, Outage, Remote, Source, Stopped, fetch
from confuselt.acquire.fetch import fetch_rows, sources_of
from confuselt.acquire.http import Client, Exhausted, Patience, Refused, read_token
from confuselt.acquire.partial import Partial
from confuselt.unusable import Unusable

KB = 1 << 10
QUICK = Manner(connections=3, segment=64 * KB, attempts=6)


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Pauses between tries take no time here; `test_pauses` looks at them."""
    monkeypatch.setattr(Patience, "_pause", lambda self, seconds: None)


def content_of(size, seed=0):
    return random.Random(seed).randbytes(size)


def remote(entry):
    return Remote(entry.record["file_id"], entry.record["file_name"], entry.record["md5sum"], entry.record["file_size"])


def gdc(server, timeout=5.0, **client):
    return Source("GDC", server.url + "/data/{file_id}", Client(timeout, **client))


def mirror(server, timeout=5.0):
    return Source("mirror", server.url + "/mirror/{file_id}/{file_name}", Client(timeout))


def leftovers(folder):
    return sorted(p.name for p in folder.rglob("*") if p.name.startswith(".partial."))


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("size", [1, 64 * KB - 1, 64 * KB, 64 * KB + 1, 1000 * KB])
def test_a_file_of_any_size(server, tmp_path, size):
    entry, told = server.add(content_of(size)), []
    fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK, told.append)
    assert (
        md5(tmp_path / "f") == entry.md5
        and sum(told) == size == server.sent(entry.record["file_id"])
        and leftovers(tmp_path) == []
    )


def test_what_is_there_is_not_asked_for(server, tmp_path):
    entry = server.add(content_of(10 * KB))
    fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK)
    asked = len(server.log)
    fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK)
    assert len(server.log) == asked


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [10 * KB, 500 * KB])
def test_each_fault_now_and_then(server, tmp_path, fault, size):
    entry = server.add(content_of(size))
    counts = {}

    def script(path, number):
        counts[path] = counts.get(path, 0) + 1
        return fault if counts[path] % 5 == 1 else None

    server.fault = script
    fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK)
    assert md5(tmp_path / "f") == entry.md5 and leftovers(tmp_path) == []


def test_200_files_through_faulty_responses(server, tmp_path):
    """A fifth of all responses is faulty, and every file ends right.

    One that is wrong for good is named, the rest is complete.
    """
    rng, lock = random.Random(7), threading.Lock()
    entries = [server.add(content_of(rng.choice([3, 40, 90, 300]) * KB, i)) for i in range(200)]
    bad = server.add(content_of(90 * KB, 999), md5sum="0" * 32)

    def script(path, number):
        with lock:
            return rng.choice(FAULTS) if rng.random() < 0.2 else None

    server.fault = script
    # As many tries as a run has: six faults in a row do come in some thousand answers.
    lost, patient = {}, replace(QUICK, attempts=Manner().attempts)

    def one(entry):
        try:
            fetch(remote(entry), tmp_path / entry.record["file_id"], [gdc(server)], patient)
        except Unusable as reason:
            lost[entry.record["file_id"]] = str(reason)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, [*entries, bad]))
    assert (
        list(lost) == [bad.record["file_id"]]
        and f"md5 is {bad.md5}, the manifest says {'0' * 32}" in lost[bad.record["file_id"]]
    )
    assert all(md5(tmp_path / e.record["file_id"]) == e.md5 for e in entries)
    assert len(list(tmp_path.iterdir())) == 200


def test_a_server_without_ranges(server, tmp_path):
    server.ranges = False
    entry = server.add(content_of(600 * KB))
    cut = iter(["", "", "", "short", "reset", "bytes"])
    server.fault = lambda path, number: next(cut, None)
    fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK)
    assert md5(tmp_path / "f") == entry.md5 and leftovers(tmp_path) == []


def test_a_trickle_is_given_up_and_the_mirror_takes_over(server, tmp_path):
    entry = server.add(content_of(200 * KB))
    server.fault = lambda path, number: "trickle" if path.startswith("/data") else None
    start = time.monotonic()
    fetch(remote(entry), tmp_path / "f", [gdc(server, timeout=0.5), mirror(server)], Manner(3, 64 * KB, 2))
    assert md5(tmp_path / "f") == entry.md5 and time.monotonic() - start < 20


def test_the_mirror_takes_over_where_it_is(server, tmp_path):
    """Bytes that the first source gave are kept; wrong ones are not."""
    entry = server.add(content_of(640 * KB))
    limit = {"left": 4}

    def script(path, number):
        if path.startswith("/mirror"):
            return None
        limit["left"] -= 1
        return None if limit["left"] >= 0 else "404"

    server.fault = script
    fetch(remote(entry), tmp_path / "f", [gdc(server), mirror(server)], QUICK)
    from_mirror = sum(n for _, path, _, n in server.log if path.startswith("/mirror"))
    assert md5(tmp_path / "f") == entry.md5 and 0 < from_mirror <= 640 * KB - 4 * 64 * KB + 3 * 64 * KB

    other = server.add(content_of(200 * KB, 1))
    server.fault = lambda path, number: "bytes" if path.startswith("/data") else None
    fetch(remote(other), tmp_path / "g", [gdc(server), mirror(server)], QUICK)
    assert md5(tmp_path / "g") == other.md5


def test_no_source_left_says_what_each_said(server, tmp_path):
    entry = server.add(content_of(10 * KB))
    server.fault = lambda path, number: "404" if path.startswith("/data") else "503"
    with pytest.raises(Unusable, match=r"GDC: HTTP 404.*; mirror: HTTP 503.*6 tries in a row"):
        fetch(remote(entry), tmp_path / "f", sources_of(server.url, f"{server.url}/mirror", None, 5), QUICK)
    assert list(tmp_path.iterdir()) == []


def answer(status, **headers):
    raw = {"headers": headers, "status": status, "get_redirect_location": lambda self: False}
    return type("Answer", (), {"raw": type("Raw", (), raw)()})


def test_pauses(monkeypatch):
    """Never none, more from try to try, with jitter; Retry-After instead where a server states one that can be read."""
    slept = []
    monkeypatch.setattr(Patience, "_pause", lambda self, seconds: slept.append(seconds))
    for _ in range(50):
        patience = Patience(6)
        for _ in range(5):
            patience.failed("reset")
    pauses = np.array(slept).reshape(50, 5)
    assert (pauses > 0).all() and (np.diff(np.median(pauses, axis=0)) > 0).all() and (pauses.std(axis=0) > 0.05).all()
    slept.clear()
    for headers in ({"Retry-After": "7"}, {"Retry-After": "soon"}, {}):
        Patience(3).failed("HTTP 503", answer(503, **headers))
    assert slept[0] == 7 and 0 < slept[1] < 1 and 0 < slept[2] < 1
    patience = Patience(2)
    patience.failed("reset")
    with pytest.raises(Exhausted, match=r"reset \(2 tries in a row\)"):
        patience.failed("reset")


def test_an_outage_is_no_fault_of_the_file(server, tmp_path):
    """Nobody answers: the job fails, and the same command goes on. GDC is well, and this file is not served: a row."""
    entries = [server.add(content_of(10 * KB, i)) for i in range(3)]
    rows = [{**vars(remote(e)), "file": e.record["file_id"]} for e in entries]
    sources = sources_of(server.url, f"{server.url}/mirror", None, 5)
    first, server.down = entries[0].record["file_id"], True
    server.fault = lambda path, number: "503" if first in path else None
    with pytest.raises(Outage, match="1 of 3 files did not come, since no source answers"):
        fetch_rows(rows, tmp_path, sources, QUICK)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(e.record["file_id"] for e in entries[1:]), (
        "the others came"
    )
    server.down = False
    assert list(fetch_rows(rows, tmp_path, sources, QUICK)) == [first]
    server.fault = lambda path, number: None
    assert fetch_rows(rows, tmp_path, sources, QUICK) == {}


def test_one_byte_at_a_time_is_given_up(server, tmp_path):
    """A server that closes after a byte makes progress of a kind, but never ends."""
    entry = server.add(content_of(100 * KB))
    server.fault = lambda path, number: "byte"
    with pytest.raises((Unusable, Outage), match="tries in a row"):
        fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK)
    assert len(server.log) <= 4 * QUICK.attempts


def test_a_file_of_the_same_size_is_not_taken_for_another(server, tmp_path):
    entry = server.add(b"new!")
    (tmp_path / "f").write_bytes(b"old!")
    fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK)
    assert (tmp_path / "f").read_bytes() == b"new!"


def test_two_jobs_do_not_write_one_file(tmp_path):
    part = Partial(tmp_path / "f", "a" * 32, 100, 40)
    with pytest.raises(OSError, match="being written by another process"):
        Partial(tmp_path / "f", "a" * 32, 100, 40)
    part.close()
    Partial(tmp_path / "f", "a" * 32, 100, 40).close()


def test_a_stop_ends_a_download_soon(server, tmp_path):
    entry, stop = server.add(content_of(8000 * KB)), threading.Event()
    server.per_connection = 200 * KB
    threading.Timer(0.5, stop.set).start()
    start = time.monotonic()
    with pytest.raises(Stopped):
        fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK, stop=stop)
    assert time.monotonic() - start < 5 and leftovers(tmp_path) == [".partial.f", ".partial.f.done"]


def test_a_full_disk_is_no_fault_of_the_server(server, tmp_path, monkeypatch):
    entry = server.add(content_of(10 * KB))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(remote(entry), tmp_path / "f", [gdc(server)], QUICK)


SCRIPT = """
import sys
from pathlib import Path
from confuselt.acquire.download import Manner, Remote, Source, fetch
from confuselt.acquire.http import Client
url, file_id, md5, size, final = sys.argv[1:]
source = Source("GDC", url + "/data/{file_id}", Client(5))
fetch(Remote(file_id, "f", md5, int(size)), Path(final), [source], Manner(4, 1 << 20, 6))
"""


def test_killed_twenty_times(server, tmp_path):
    """kill -9 at random moments leaves nothing partial under the final name.

    No more than one segment is fetched twice per kill.
    """
    rng, size, segment = random.Random(3), 24 << 20, 1 << 20
    entry = server.add(content_of(size))
    server.per_connection = 3e6
    final, kills = tmp_path / "f", 0
    command = [sys.executable, "-c", SCRIPT, server.url, entry.record["file_id"], entry.md5, str(size), str(final)]
    for _ in range(20):
        before = server.sent(entry.record["file_id"])
        job = subprocess.Popen(command)
        while server.sent(entry.record["file_id"]) == before and job.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.08))
        if job.poll() is None:
            job.send_signal(signal.SIGKILL)
            kills += 1
        job.wait()
        assert not final.exists() or md5(final) == entry.md5
        time.sleep(0.05)
    server.per_connection = None
    subprocess.run(command, check=True)
    assert md5(final) == entry.md5 and leftovers(tmp_path) == [] and kills >= 15
    assert server.sent(entry.record["file_id"]) - size <= kills * segment


def test_a_partial_file_of_another_md5_is_forgotten(tmp_path):
    part = Partial(tmp_path / "f", "a" * 32, 100, 40)
    part.write(0, b"x" * 40)
    part.write(2, b"x" * 5)
    part.close()
    again = Partial(tmp_path / "f", "a" * 32, 100, 40)
    assert again.good == [40, 0, 5] and again.prefix() == 40 and again.missing() == [1, 2]
    again.close()
    for md5_, size in (("b" * 32, 100), ("a" * 32, 120)):
        other = Partial(tmp_path / "f", md5_, size, 40)
        assert not any(other.good)
        other.close()


# --- who sees the token


def tokens(server):
    return [headers.get("X-Auth-Token") for _, _, headers, _ in server.log]


def test_the_token_goes_to_its_host_only(server, tmp_path):
    with Server() as elsewhere:
        entry = server.add(content_of(10 * KB))
        elsewhere.entries = server.entries
        file_id = entry.record["file_id"]
        server.fault = lambda path, number: f"redirect {elsewhere.url}/data/{file_id}"
        fetch(remote(entry), tmp_path / "f", [gdc(server, token="secret", host=server.url), mirror(elsewhere)], QUICK)
        assert tokens(server) == ["secret"] and elsewhere.log and set(tokens(elsewhere)) == {None}


def test_redirects_end(server):
    server.add(b"x", file_id="loop")
    server.fault = lambda path, number: f"redirect {server.url}/data/loop"
    with pytest.raises(Refused, match="more than 5 redirects"):
        Client(5).open("GET", f"{server.url}/data/loop")
    for target, said in (("ftp://127.0.0.1/x", "not followed"), ("http://[bad/x", "a redirect to none")):
        server.fault = lambda path, number, target=target: f"redirect {target}"
        with pytest.raises(Refused, match=said):
            Client(5).open("GET", f"{server.url}/data/loop")


def test_the_token_needs_a_closed_line_and_a_closed_file(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no https"):
        Client(5, "secret", "http://example.org")
    file = tmp_path / "token"
    file.write_text("secret\n")
    file.chmod(0o644)
    with pytest.raises(ValueError, match="can be read by others"):
        read_token(str(file))
    file.chmod(0o600)
    assert read_token(str(file)) == "secret"
    monkeypatch.setenv("GDC_TOKEN", "other\n")
    assert read_token(None) == "other"
    monkeypatch.setenv("GDC_TOKEN", "two words")
    with pytest.raises(ValueError, match="no token has"):
        read_token(None)
    with pytest.raises(ValueError, match="absent"):
        read_token(str(tmp_path / "none"))


def test_names_of_the_server_are_no_paths(server, tmp_path):
    entry = server.add(content_of(5 * KB), file_name="../../x")
    fetch(remote(entry), tmp_path / "deep/er/f", [mirror(server)], QUICK)
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")} == {"deep", "deep/er", "deep/er/f"}
    assert Path(server.log[-1][1]).parts[-1] == "..%2F..%2Fx"
