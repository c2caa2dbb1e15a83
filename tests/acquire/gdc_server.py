"""A server on loopback with GDC's API, as its user guide describes it, and faults by script."""

import hashlib
import json
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

FAULTS = ("503", "reset", "short", "length", "bytes", "whole", "429")


@dataclass
class Entry:
    """A file of the server: its record in the index, and its bytes."""

    record: dict
    content: bytes

    @property
    def md5(self):
        return hashlib.md5(self.content).hexdigest()


@dataclass
class Server:
    """``url`` serves the API and the files, ``/mirror/<id>/<name>`` the open mirror.

    `fault` is asked for every request of a file: (path, number of the request) to a word of `FAULTS`, "trickle",
    "byte", "404", "redirect <url>", or None. `log` keeps (method, path, headers, bytes sent) of every request.
    """

    entries: dict = field(default_factory=dict)
    fault: object = lambda path, number: None
    release: str = "Data Release 0.0 (loopback)"
    per_connection: float | None = None  # bytes a second
    ranges: bool = True
    page_limit: int | None = None
    down: bool = False  # /status says so too
    active: int = 0
    most: int = 0  # bodies of files under way at once
    log: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                outer.get(self)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.note(self, 0)
                answer = outer.files(body) if urlsplit(self.path).path == "/files" else None
                outer.json(self, answer)

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # a client that was killed

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def add(self, content, **record):
        number = len(self.entries)
        file_id = record.pop("file_id", f"{number:08x}-0000-4000-8000-{random.Random(number).getrandbits(48):012x}")
        entry = Entry({"file_id": file_id, "file_name": f"{file_id}.bin", "access": "open", **record}, content)
        entry.record.setdefault("md5sum", entry.md5)
        entry.record.setdefault("file_size", len(content))
        self.entries[file_id] = entry
        return entry

    def note(self, handler, sent):
        with self.lock:
            self.log.append((handler.command, handler.path, dict(handler.headers), sent))

    def sent(self, file_id):
        """Bytes of bodies that were sent of a file."""
        return sum(n for _, path, _, n in self.log if file_id in path)

    # --- the index

    def files(self, body):
        found = [
            e.record for e in self.entries.values() if "cases" in e.record and matches(e.record, body.get("filters"))
        ]
        field_name, _, direction = body.get("sort", "file_id:asc").partition(":")
        found.sort(key=lambda r: values(r, field_name), reverse=direction == "desc")
        size, start = int(body.get("size", 10)), int(body.get("from", 0))
        size = min(size, self.page_limit or size)
        hits = [pick(r, body.get("fields", "file_id").split(",")) for r in found[start : start + size]]
        pages = {
            "count": len(hits),
            "total": len(found),
            "size": size,
            "from": start,
            "sort": "",
            "page": start // size + 1,
            "pages": -(-len(found) // size),
        }
        return {"data": {"hits": hits, "pagination": pages}, "warnings": {}}

    def json(self, handler, answer, status=200):
        text = json.dumps(answer if answer is not None else {"message": "not found"}).encode()
        handler.send_response(status if answer is not None else 404)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    # --- the files

    def get(self, handler):
        path = unquote(urlsplit(handler.path).path)
        if path == "/status":
            self.note(handler, 0)
            if self.down:
                return self.json(handler, {"status": "DOWN"}, 503)
            return self.json(
                handler, {"commit": "0", "data_release": self.release, "status": "OK", "tag": "0", "version": 1}
            )
        if path == "/projects":
            self.note(handler, 0)
            names = sorted({v for e in self.entries.values() for v in values(e.record, "cases.project.project_id")})
            wanted = int(parse_qs(urlsplit(handler.path).query).get("size", ["10"])[0])
            hits = [{"id": n, "project_id": n} for n in names][:wanted]
            return self.json(
                handler,
                {"data": {"hits": hits, "pagination": {"total": len(names), "count": len(hits)}}, "warnings": {}},
            )
        parts = path.strip("/").split("/")
        entry = self.entries.get(parts[1]) if len(parts) > 1 and parts[0] in ("data", "mirror") else None
        with self.lock:
            number = sum(p == handler.path for _, p, _, _ in self.log)
            self.log.append((handler.command, handler.path, dict(handler.headers), 0))
            slot = len(self.log) - 1
        fault = self.fault(path, number) or ""
        if entry is None or fault == "404":
            return self.json(handler, None)
        if fault.startswith("redirect "):
            handler.send_response(302)
            handler.send_header("Location", fault.split()[1])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return None
        if fault in ("503", "429"):
            handler.send_response(int(fault))
            handler.send_header("Retry-After", "0")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return None
        with self.lock:
            self.active += 1
            self.most = max(self.most, self.active)
        try:
            return self.body(handler, entry.content, fault, slot)
        finally:
            with self.lock:
                self.active -= 1

    def body(self, handler, content, fault, slot):
        asked = handler.headers.get("Range")
        start, end = 0, len(content)
        if asked and self.ranges and fault != "whole":
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(content)) + 1, len(content))
            handler.send_response(206)
            total = len(content) + 7 if fault == "length" else len(content)
            handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        else:
            handler.send_response(200)
        body = content[start:end]
        if fault == "bytes" and body:
            body = bytes([body[0] ^ 255]) + body[1:]
        stated = len(body) + (7 if fault == "length" and not (asked and self.ranges) else 0)
        handler.send_header("Content-Length", str(stated))
        handler.send_header("Content-Disposition", 'attachment; filename="../../x"')
        handler.end_headers()
        if fault in ("short", "reset"):
            body = body[: len(body) // 2]
        if fault == "byte":
            body = body[:1]
        step = 1 if fault == "trickle" else max(1024, int(self.per_connection / 50)) if self.per_connection else 1 << 16
        for at in range(0, len(body), step):
            part = body[at : at + step]
            # First the pause: a body that is sent is no longer under way.
            if self.per_connection:
                time.sleep(len(part) / self.per_connection)
            handler.wfile.write(part)
            with self.lock:
                method, path, headers, n = self.log[slot]
                self.log[slot] = (method, path, headers, n + len(part))
            if fault == "trickle":
                time.sleep(0.05)
        if fault == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if fault in ("short", "reset", "length", "byte"):
            handler.close_connection = True


def values(record, path):
    """Values of a dotted field, lists passed through."""
    found = [record]
    for part in path.split("."):
        found = [v for item in found for v in (item if isinstance(item, list) else [item])]
        found = [item[part] for item in found if isinstance(item, dict) and part in item]
    return [v for item in found for v in (item if isinstance(item, list) else [item])]


def matches(record, filters):
    """GDC's filters: and, or, in, =, != on dotted fields; text is compared without case."""
    if not filters:
        return True
    content = filters["content"]
    if filters["op"] in ("and", "or"):
        return (all if filters["op"] == "and" else any)(matches(record, part) for part in content)
    wanted = content["value"] if isinstance(content["value"], list) else [content["value"]]
    hit = bool(
        {str(v).lower() for v in values(record, content["field"].removeprefix("files."))}
        & {str(w).lower() for w in wanted}
    )
    return not hit if filters["op"] in ("!=", "exclude") else hit


def pick(record, fields):
    """The asked fields of a record, nested as they are; the id always comes."""
    out = {"id": record["file_id"]}
    for dotted in fields:
        _copy(record, out, dotted.split("."))
    return out


def _copy(source, target, parts):
    name = parts[0]
    if name not in source:
        return
    if len(parts) == 1:
        target[name] = source[name]
        return
    inner = source[name]
    if isinstance(inner, list):
        target.setdefault(name, [{} for _ in inner])
        for a, b in zip(inner, target[name], strict=True):
            _copy(a, b, parts[1:])
    else:
        _copy(inner, target.setdefault(name, {}), parts[1:])


def case(patient, project="TCGA-BRCA", sample_type="Primary Tumor", aliquot=None):
    """The ``cases`` of a file of one patient."""
    sample = {"sample_type": sample_type}
    if aliquot:
        sample["submitter_id"] = "-".join(aliquot.split("-")[:4])
        sample["portions"] = [{"analytes": [{"aliquots": [{"submitter_id": aliquot}]}]}]
    return [{"submitter_id": patient, "project": {"project_id": project}, "samples": [sample]}]
