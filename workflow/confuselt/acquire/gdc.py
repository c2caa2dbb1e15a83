"""Ask GDC which files a project has. Follows the API's user guide (docs.gdc.cancer.gov/API): filters, fields, pages."""

import logging
from typing import Any

import requests

from confuselt.acquire.http import Client, Exhausted, Patience, Refused, check_status
from confuselt.acquire.manifest import record_id
from confuselt.sheets.read import closest

log = logging.getLogger(__name__)
PAGE = 500
FIELDS = (
    "file_id",
    "file_name",
    "md5sum",
    "file_size",
    "cases.submitter_id",
    "cases.samples.sample_type",
    "cases.samples.submitter_id",
    "cases.samples.portions.analytes.aliquots.submitter_id",
)
SLIDES = {"data_type": "Slide Image", "experimental_strategy": "Diagnostic Slide"}
COUNTS = {"data_type": "Gene Expression Quantification", "analysis.workflow_type": "STAR - Counts"}


class Gdc:
    """The API at one address.

    Parameters
    ----------
    url : str
        ``https://api.gdc.cancer.gov``, or a server with the same API.
    client : Client
    attempts : int
        Tries in a row.
    """

    def __init__(self, url: str, client: Client, attempts: int) -> None:
        self._url, self._client, self._attempts = url.rstrip("/"), client, attempts

    def release(self) -> str:
        """Data release that the server states, ``""`` where it states none."""
        return str(self._json("GET", "status", None).get("data_release", ""))

    def files(self, project: str, kind: dict[str, str]) -> list:
        """Every open file of a project of one kind (`SLIDES`, `COUNTS`), sorted by id, as the server lists it.

        What a record holds is judged by `manifest`.

        Raises
        ------
        ValueError
            The answer is no such answer, or changed between its pages.
        """
        query = self.query(project, kind)
        found = self._pages(query)
        # A file on two pages: the server lists it twice, or the list moved between them. The first it does again.
        if len(set(map(record_id, found))) < len(found) and repr(found) != repr(self._pages(query)):
            raise ValueError(
                f"{self._url}/files: a file is on two pages, and on others when asked again; "
                "the list changed meanwhile: ask again"
            )
        log.info("%s: %d files with %s", project, len(found), kind)
        return sorted(found, key=record_id)

    def _pages(self, query: dict) -> list:
        found: list = []
        total = None
        while total is None or len(found) < total:
            data = self._json("POST", "files", {**query, "from": len(found)})["data"]
            hits, stated = data["hits"], data["pagination"].get("total")
            if not str(stated).isdecimal():
                raise ValueError(f"{self._url}/files: pagination.total is {stated!r}, no number")
            total = int(stated) if total is None else total
            found += hits
            if int(stated) != total or len(found) > total or (not hits and len(found) < total):
                raise ValueError(
                    f"{self._url}/files: {len(found)} files on pages that state {total}; "
                    "the list changed meanwhile: ask again"
                )
        return found

    @staticmethod
    def query(project: str, kind: dict[str, str]) -> dict[str, Any]:
        """Body of the request, pages apart."""
        wanted = {"cases.project.project_id": project, **kind, "access": "open"}
        content = [{"op": "in", "content": {"field": field, "value": [value]}} for field, value in wanted.items()]
        return {
            "filters": {"op": "and", "content": content},
            "fields": ",".join(FIELDS),
            "format": "JSON",
            "size": PAGE,
            "sort": "file_id:asc",
        }

    def projects_like(self, project: str) -> str:
        """``"; closest: ..."`` among the ids of all projects."""
        data = self._json("GET", "projects?fields=project_id&size=2000&format=JSON", None)["data"]
        return closest(project, [hit.get("project_id") or hit.get("id", "") for hit in data["hits"]])

    def _json(self, method: str, path: str, body: dict | None) -> dict:
        url, patience = f"{self._url}/{path}", Patience(self._attempts)
        try:
            while True:
                try:
                    with self._client.open(method, url, {"Accept": "application/json"}, body) as response:
                        if not check_status(response, patience):
                            continue
                        answer = response.json(parse_int=_whole)
                except requests.JSONDecodeError:
                    raise ValueError(f"{url}: the answer is no JSON; is acquire.gdc.url the API's address?") from None
                except requests.RequestException as fault:
                    patience.failed(type(fault).__name__)
                    continue
                return _checked(answer, path, url)
        except Refused as fault:
            raise ValueError(f"{url}: {fault}") from None
        except Exhausted as fault:
            raise ValueError(
                f"{url}: {fault}; can this machine reach it (a login node, a proxy in HTTPS_PROXY)? "
                "Otherwise try again later"
            ) from None


def _whole(digits: str) -> int | float:
    """Python takes no number of more than 4,300 digits: that of one record would be the fault of all."""
    return int(digits) if len(digits) < 100 else float(digits)


def _checked(answer: Any, path: str, url: str) -> dict:
    data = answer.get("data") if isinstance(answer, dict) else None
    listed = isinstance(data, dict) and isinstance(data.get("hits"), list) and isinstance(data.get("pagination"), dict)
    if not isinstance(answer, dict) or (path != "status" and not listed):
        raise ValueError(
            f"{url}: the answer has no data.hits and data.pagination; is acquire.gdc.url the API's address?"
        )
    if answer.get("warnings"):
        log.warning("%s: %s", url, answer["warnings"])
    return answer
