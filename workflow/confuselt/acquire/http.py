"""Requests to a server of files.

What is tried again and for how long, where redirects may lead, and who sees the token.
"""

import os
import random
import stat
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import InvalidHeader, MaxRetryError, ProtocolError
from urllib3.util.retry import Retry

TOKEN_VARIABLE = "GDC_TOKEN"
TRANSIENT = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5


class Refused(Exception):
    """The server says for good that it does not serve this: another try would be in vain."""


class Exhausted(Exception):
    """Every try failed, and none got any further."""


class Patience:
    """Tries in a row that got nothing.

    Between them: Retry-After, else backoff with jitter (urllib3's Retry counts and computes).

    Parameters
    ----------
    attempts : int
        Tries without progress before `Exhausted` is raised.
    stop : Event, optional
        Ends a pause early.
    """

    def __init__(self, attempts: int, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self._all = self._left = Retry(
            total=attempts - 1,
            redirect=0,
            backoff_factor=0.25,
            backoff_jitter=0.5,
            backoff_max=60,
            retry_after_max=900,
            allowed_methods=None,
        )

    def progressed(self) -> None:
        """Start counting anew: bytes came."""
        self._left = self._all

    def failed(self, why: str, response: requests.Response | None = None) -> None:
        """Pause until the next try; Exhausted, with the last reason, where there is none."""
        raw = None if response is None else response.raw
        try:
            self._left = self._left.increment(
                "GET", "", response=raw, error=ProtocolError(why) if raw is None else None
            )
        except (MaxRetryError, ProtocolError):
            raise Exhausted(f"{why} ({self._all.total + 1} tries in a row)") from None
        try:
            asked = None if raw is None else self._left.get_retry_after(raw)
        except InvalidHeader:  # a Retry-After that is neither seconds nor a date
            asked = None
        # urllib3 lets the first try after a fault follow at once; a server in trouble would get all of ours at the same
        # moment.
        self._pause(asked if asked is not None else max(self._left.get_backoff_time(), random.uniform(0.05, 0.5)))

    def _pause(self, seconds: float) -> None:
        self._stop.wait(seconds)


class Client:
    """Requests without retries of their own, by threads that share nothing.

    Parameters
    ----------
    timeout : float
        Seconds to connect, and between two bytes.
    token : str, optional
        Sent as ``X-Auth-Token``, and only to `host`.
    host : str
        Address whose scheme, host and port the token belongs to.
    """

    def __init__(self, timeout: float, token: str | None = None, host: str = "") -> None:
        self.timeout, self._token, self._origin, self._own = timeout, token, _origin(host), threading.local()
        if (
            token
            and urlsplit(host).scheme != "https"
            and urlsplit(host).hostname not in {"127.0.0.1", "::1", "localhost"}
        ):
            raise ValueError(f"the token is not sent over an open line: acquire.gdc.url '{host}' is no https address")

    def open(self, method: str, url: str, headers: dict[str, str] | None = None, json: Any = None) -> requests.Response:
        """A streamed response after redirects, whatever its status.

        Raises
        ------
        Refused
            A redirect leads nowhere, round in circles, or from https to http.
        requests.RequestException
            No response.
        """
        for _ in range(MAX_REDIRECTS + 1):
            # As it lies on the server: a body compressed on the way has neither its length nor its md5.
            sent = {"Accept-Encoding": "identity", **(headers or {})}
            if self._token and _origin(url) == self._origin:
                sent["X-Auth-Token"] = self._token
            try:
                response = self._session().request(
                    method, url, headers=sent, json=json, stream=True, allow_redirects=False, timeout=self.timeout
                )
            except (
                ValueError
            ) as fault:  # an address, a header or a redirect that is none: requests' InvalidURL is one too
                raise Refused(f"no address, or a redirect to none: {url} ({type(fault).__name__})") from None
            if response.status_code not in REDIRECTS:
                return response
            response.close()
            url = _target(url, response.headers.get("Location", ""))
        raise Refused(f"more than {MAX_REDIRECTS} redirects")

    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        return self._own.session


def _target(url: str, location: str) -> str:
    """Where a redirect leads; Refused where that is no address, or where https would be left."""
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError:
        raise Refused(f"redirected to '{location}', which is no address") from None
    if scheme not in {"http", "https"} or (urlsplit(url).scheme == "https" and scheme != "https"):
        raise Refused(f"redirected to '{target}', which is not followed")
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def check_status(response: requests.Response, patience: Patience) -> bool:
    """True for 2xx; False after the pause that a passing fault asks for; Refused for any other status."""
    if 200 <= response.status_code < 300:
        return True
    response.close()
    why = f"HTTP {response.status_code} {response.reason}".strip()
    if response.status_code not in TRANSIENT:
        raise Refused(why)
    patience.failed(why, response)
    return False


def read_token(file: str | None) -> str | None:
    """The token from a file that only its owner can read, else from the environment variable GDC_TOKEN, else None.

    Raises
    ------
    ValueError
        The file is absent, empty, or others may read it.
    """
    if file is None:
        return _token(os.environ.get(TOKEN_VARIABLE, ""), f"environment variable {TOKEN_VARIABLE}")
    path = Path(file).expanduser()
    if not path.is_file():
        raise ValueError(f"acquire.gdc.token_file: {path} is absent")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"acquire.gdc.token_file: {path} can be read by others; run chmod 600 {path}")
    token = _token(path.read_text(encoding="utf-8", errors="replace"), f"acquire.gdc.token_file: {path}")
    if token is None:
        raise ValueError(f"acquire.gdc.token_file: {path} is empty")
    return token


def _token(text: str, where: str) -> str | None:
    token = text.strip()
    if any(not "!" <= character <= "~" for character in token):
        raise ValueError(
            f"{where} holds characters that no token has (blanks, or others than plain letters, digits and signs)"
        )
    return token or None
