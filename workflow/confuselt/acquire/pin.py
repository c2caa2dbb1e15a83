"""Pin a table of the project (outcomes, subtypes).

GDC's index does not list these, so they are fetched once to know their md5 and size.
"""

import hashlib
import logging

import pandas as pd
import requests

from confuselt.acquire.excluded import EXCLUDED
from confuselt.acquire.http import Client, Exhausted, Patience, Refused, check_status
from confuselt.acquire.manifest import table_row

log = logging.getLogger(__name__)


def pin_table(what: str, file_id: str | None, md5: str | None, url: str, client: Client, attempts: int) -> dict | None:
    """Row of the manifest for a table; None where none is wanted, an excluded row where it is not served as it must be.

    Parameters
    ----------
    what : {"outcomes", "subtypes"}
    file_id : str or None
    md5 : str or None
        The md5 that it must have (None: the one that it has).
    url : str
        Of the API.
    client : Client
    attempts : int
    """
    if file_id is None:
        return None
    try:
        content, name = _fetch(f"{url.rstrip('/')}/data/{file_id}", client, attempts)
    except (Refused, Exhausted) as fault:
        return _left_out(what, file_id, f"acquire.gdc.{what} {file_id}: {fault}")
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 and found != md5:
        return _left_out(
            what, file_id, f"acquire.gdc.{what} {file_id}: md5 is {found}, wanted {md5} (acquire.gdc.{what}_md5)"
        )
    return table_row(what, file_id, name, found, len(content))


def _left_out(what: str, file_id: str, reason: str) -> dict:
    log.warning("%s", reason)
    return {**table_row(what, file_id, "", "", 0), "status": EXCLUDED, "reason": reason}


def _fetch(url: str, client: Client, attempts: int) -> tuple[bytes, str]:
    """Body of a small file, and the name that its form calls for."""
    patience = Patience(attempts)
    while True:
        try:
            with client.open("GET", url) as response:
                if not check_status(response, patience):
                    continue
                content = response.content
                stated = response.headers.get("Content-Length")
                if stated is not None and int(stated) != len(content):
                    raise requests.ConnectionError("the body ended early")
                # A workbook is a zip archive, whatever the server calls it; of its name nothing is used.
                return content, "table.xlsx" if content.startswith(b"PK") else "table.tsv"
        except requests.RequestException as fault:
            patience.failed(type(fault).__name__)


def summary(table: pd.DataFrame, release: str, free: int) -> str:
    """What was pinned, in words for the terminal."""
    used = table[table["status"] == "ok"]
    slides, size = used[used["what"] == "slide"], used.loc[used["what"] == "slide", "bytes"].sum()
    room = "" if size < free else "; set acquire.keep_slides: false, or `results` on a larger disk"
    return (
        f"{release}: {len(slides)} slides of {slides['patient_id'].nunique()} patients "
        f"({size / 1e9:.1f} GB; {free / 1e9:.1f} GB are free here{room}), "
        f"{int((used['what'] == 'rna').sum())} RNA samples; "
        f"{len(table) - len(used)} files left out, each with its reason in the manifest"
    )
