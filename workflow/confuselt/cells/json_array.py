"""The entries of a long JSON array, one by one: a file of 500 MB in little memory."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from confuselt.unusable import Unusable

CHUNK = 4 << 20  # characters
MOST = 1 << 30  # characters of one value
_SPACE = " \t\r\n"


def open_text(path: Path) -> IO[str]:
    """A file of text, unpacked where it ends in ``.gz``."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


class JsonArray:
    """An array of a JSON file: the file's own, or that of the first of some keys of its outermost object.

    Parameters
    ----------
    path : Path
        ``.gz`` is unpacked.
    keys : tuple of str
        Whose value may be the array.

    Attributes
    ----------
    key : str or None
        Which it is; None where the file itself is an array.
    head : dict
        What stands before it in the outermost object.

    Raises
    ------
    Unusable
        The file is no JSON, ends early, or has no such array.
    """

    def __init__(self, path: Path, keys: tuple[str, ...]) -> None:
        self.path, self.key, self.head = path, None, {}
        self._decode, self._text, self._at, self._ended = json.JSONDecoder().raw_decode, "", 0, False
        self._file = open_text(path)
        first = self._next()
        if first == "{":
            self._to_array(keys)
        elif first != "[":
            raise Unusable(f"{path.name}: begins with {first!r}, which is no JSON array or object")
        self._at += 1

    def __enter__(self) -> "JsonArray":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        while (here := self._next()) != "]":
            if here == ",":
                self._at += 1
                continue
            yield self._value()

    def _to_array(self, keys: tuple[str, ...]) -> None:
        """Read keys up to the array; `head` is what came before."""
        self._at += 1
        while (here := self._next()) != "}":
            if here == ",":
                self._at += 1
                continue
            name = self._value()
            if self._next() != ":":
                raise Unusable(f"{self.path.name}: no JSON: key {name!r} has no value")
            self._at += 1
            if name in keys and self._next() == "[":
                self.key = name
                return
            self.head[name] = self._value()
        raise Unusable(f"{self.path.name}: none of the keys {', '.join(keys)} holds an array; has {[*self.head][:12]}")

    def _next(self) -> str:
        """The next character that is no space; the place is on it."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            self._more()

    def _value(self) -> Any:
        """The value that begins here, or behind spaces; the place is behind it."""
        self._next()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as fault:
                if self._ended or len(self._text) - self._at > MOST:
                    raise Unusable(f"{self.path.name}: no JSON, or not whole ({fault.msg})") from None
                self._more()
                continue
            if end == len(self._text) and not self._ended:  # a number may go on
                self._more()
                continue
            self._at = end
            return value

    def _more(self) -> None:
        """Read on, at least as much as is waited for already; Unusable at the end of the file."""
        rest = self._text[self._at :]
        try:
            came = self._file.read(max(CHUNK, len(rest)))
        except (EOFError, gzip.BadGzipFile, OSError) as fault:
            raise Unusable(f"{self.path.name}: cannot be read ({fault})") from None
        if not came:
            if self._ended or not rest:
                raise Unusable(f"{self.path.name}: ends in the middle; was it copied or written whole?")
            self._ended = True
        self._text, self._at = rest + came, 0
