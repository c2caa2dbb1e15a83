"""Cohort tables of TCGA-BRCA's size: 1,133 slides and 1,231 count files, from GDC's pages to patients.

Prints seconds of asking and pinning (a server on loopback), and of the tables that a run makes of the manifest;
``--json FILE`` writes the rows.
"""

import argparse
import json
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd

from confuselt.acquire.clinical import read_outcomes
from confuselt.acquire.cohort import patient_table, read_rna_ids, read_streams
from confuselt.acquire.gdc import COUNTS, SLIDES, Gdc
from confuselt.acquire.http import Client
from confuselt.acquire.manifest import rna_rows, slide_rows
from confuselt.acquire.pinned import local_name
from confuselt.acquire.schema import MANIFEST
from confuselt.acquire.tcga import clinical_table
from confuselt.config.root import Config
from confuselt.tables import read_table, write_table

SLIDES_OF, PATIENTS, SAMPLES, TARGET = 1133, 1062, 1231, 10.0


def hit(number, patient, suffix):
    """A record as GDC gives it."""
    name = f"TCGA-{'ABCDE'[patient % 5]}{patient % 9}-{patient:04d}"
    aliquot = {"submitter_id": f"{name}-01A-11R-A{number % 900:03d}-07"}
    sample = {
        "sample_type": "Primary Tumor",
        "submitter_id": f"{name}-01A",
        "portions": [{"analytes": [{"aliquots": [aliquot]}]}],
    }
    file = {
        "file_id": f"{suffix}-{number:06d}",
        "file_name": f"{name}-01Z-00-DX{number // PATIENTS + 1}.{number}.{suffix}",
        "md5sum": f"{number:032x}",
    }
    return {**file, "file_size": 10**9, "cases": [{"submitter_id": name, "samples": [sample]}]}


HITS = {
    "Slide Image": [hit(i, i % PATIENTS, "svs") for i in range(SLIDES_OF)],
    "Gene Expression Quantification": [hit(i, i % 1095, "tsv") for i in range(SAMPLES)],
}


class Handler(BaseHTTPRequestHandler):
    """Pages of the records of one data type."""

    def log_message(self, *args):
        """Nothing."""

    def do_POST(self):
        """One page."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wanted = {part["content"]["field"]: part["content"]["value"][0] for part in asked["filters"]["content"]}
        found = HITS[wanted["data_type"]]
        page = found[asked["from"] : asked["from"] + asked["size"]]
        text = json.dumps(
            {"data": {"hits": page, "pagination": {"total": len(found), "count": len(page)}}, "warnings": {}}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def pin(url, folder):
    """Ask, choose, write the manifest."""
    gdc = Gdc(url, Client(30), 3)
    frames = [
        slide_rows(gdc.files("TCGA-BRCA", SLIDES), ["Primary Tumor"]),
        rna_rows(gdc.files("TCGA-BRCA", COUNTS), ["Primary Tumor"]),
    ]
    write_table(pd.concat(frames, ignore_index=True), folder / "manifest.parquet", MANIFEST)


def tables(folder):
    """Slides, RNA samples, clinical table and patients of the manifest."""
    rows = read_table(folder / "manifest.parquet", MANIFEST).query("status == 'ok'")
    rows = rows.assign(file=[local_name(r) for r in rows.to_dict("records")])
    slides, rna = rows[rows["what"] == "slide"], rows[rows["what"] == "rna"]
    slides[["slide_id", "patient_id", "file"]].to_csv(folder / "slides.csv", index=False)
    rna[["sample_id", "patient_id", "file"]].to_csv(folder / "rna.csv", index=False)
    clinical_table(sorted({*slides["patient_id"], *rna["patient_id"]}), None, None).to_csv(
        folder / "clinical.csv", index=False
    )
    dump = Config().model_dump(mode="json")
    cfg = {f"{block}.{key}": value for block in ("acquire", "tasks") for key, value in dump[block].items()}
    found = (
        read_streams({"slides": folder / "slides.csv"}, cfg),
        read_rna_ids(folder / "rna.csv", cfg),
        read_outcomes(folder / "clinical.csv", cfg).rows,
    )
    return len(found[0]), len(patient_table(*found, cfg))


def measure():
    """Seconds of both."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, work in (
            ("pin", lambda: pin(f"http://127.0.0.1:{server.server_address[1]}", folder)),
            ("tables", lambda: tables(folder)),
        ):
            start = time.perf_counter()
            work()
            spent = time.perf_counter() - start
            row = {
                "name": f"cohort {what}",
                "ours": spent,
                "peer": TARGET,
                "peer_name": "bound",
                "unit": "s",
                "ratio": spent / TARGET,
                "target": TARGET,
            }
            rows.append({**row, "ok": spent < TARGET})
    server.shutdown()
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result = measure()
    for r in result:
        print(f"{r['name']}: {r['ours']:.2f} {r['unit']} (at most {r['target']:.0f}): {'ok' if r['ok'] else 'MISSED'}")
    if given.json:
        given.json.write_text(json.dumps(result))
