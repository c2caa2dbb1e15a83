"""One file over a line that is throttled per connection: four segments against one stream of requests.

It also tells memory by file size. Prints ours, peer and ratio; ``--json FILE`` writes the rows.
"""

import argparse
import hashlib
import json
import multiprocessing
import resource
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from confuselt.acquire.download import Manner, Remote, Source, fetch
from confuselt.acquire.http import Client

MB = 1 << 20
RATE = 8 * MB  # bytes a second of one connection
SIZE, SMALL, LARGE = 96 * MB, 32 * MB, 1024 * MB
BLOCK = bytes(range(256)) * 1024
TARGET, MEMORY_MB = 3.5, 200.0


class Handler(BaseHTTPRequestHandler):
    """``/<bytes>/<rate>/<ranges 0|1>``: so many bytes, at that rate (0: as fast as it goes)."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Nothing."""

    def do_GET(self):
        """The asked range, or all."""
        size, rate, ranges = (int(part) for part in self.path.strip("/").split("/"))
        start, end = 0, size
        if "Range" in self.headers and ranges:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        began, at = time.monotonic(), start
        while at < end:
            offset = at % len(BLOCK)
            part = BLOCK[offset : offset + min(64 << 10, end - at)]
            try:
                self.wfile.write(part)
            except OSError:
                self.close_connection = True
                return
            at += len(part)
            if rate and (ahead := (at - start) / rate - (time.monotonic() - began)) > 0:
                time.sleep(ahead)


def serve(port):
    """Server in a process of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_address[1])
    server.serve_forever()


def md5_of(size):
    """md5 of what the server sends."""
    digest = hashlib.md5()
    for at in range(0, size, len(BLOCK)):
        digest.update(BLOCK[: size - at])
    return digest.hexdigest()


def ours(url, size, rate, ranges, folder):
    """Seconds of a fetch over four connections."""
    source = Source("server", f"{url}/{size}/{rate}/{ranges}", Client(30))
    start = time.perf_counter()
    fetch(
        Remote("file", "file", md5_of(size), size),
        Path(folder) / f"{size}",
        [source],
        Manner(connections=4, segment=8 * MB),
    )
    return time.perf_counter() - start


def stream(url, size, rate, folder):
    """Seconds of requests' plain stream to a file, with its md5."""
    start, digest = time.perf_counter(), hashlib.md5()
    with (
        requests.get(f"{url}/{size}/{rate}/1", stream=True, timeout=30) as response,
        (Path(folder) / "plain").open("wb") as out,
    ):
        for part in response.iter_content(1 << 18):
            out.write(part)
            digest.update(part)
    assert digest.hexdigest() == md5_of(size)
    return time.perf_counter() - start


def peak(url, size, ranges, pipe):
    """Peak memory (MB) of a process that fetches a file."""
    with tempfile.TemporaryDirectory() as folder:
        ours(url, size, 0, ranges, folder)
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def in_process(work, *arguments):
    """What a fresh process sends."""
    here, there = spawn.Pipe()
    process = spawn.Process(target=work, args=(*arguments, there), daemon=True)
    process.start()
    return process, here.recv()


def row(name, value, peer, peer_name, unit, ratio, target, ok):
    """A row of the table."""
    return {
        "name": name,
        "ours": value,
        "peer": peer,
        "peer_name": peer_name,
        "unit": unit,
        "ratio": ratio,
        "target": target,
        "ok": ok,
    }


def measure():
    """All rows."""
    server, port = in_process(serve)
    url, rows = f"http://127.0.0.1:{port}", []
    with tempfile.TemporaryDirectory() as folder:
        mine, theirs = SIZE / MB / ours(url, SIZE, RATE, 1, folder), SIZE / MB / stream(url, SIZE, RATE, folder)
    rows.append(
        row(
            "4 segments, throttled per connection",
            mine,
            theirs,
            "requests, one stream",
            "MB/s",
            mine / theirs,
            TARGET,
            mine / theirs >= TARGET,
        )
    )
    for size, ranges, name in ((SMALL, 1, "32 MB"), (LARGE, 1, "1 GB"), (SMALL, 0, "32 MB, HTTP 200 to every range")):
        used = in_process(peak, url, size, ranges)[1]
        rows.append(
            row(f"peak memory, {name}", used, MEMORY_MB, "bound", "MB", used / MEMORY_MB, MEMORY_MB, used < MEMORY_MB)
        )
    server.terminate()
    return rows


spawn = multiprocessing.get_context("spawn")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure()
    for r in found:
        print(
            f"{r['name']}: ours {r['ours']:.1f} {r['unit']}, {r['peer_name']} {r['peer']:.1f}, "
            f"ratio {r['ratio']:.2f} (target {r['target']}): {'ok' if r['ok'] else 'MISSED'}"
        )
    if given.json:
        given.json.write_text(json.dumps(found))
