"""A number that follows from a name alone, in every process and on every machine."""

import hashlib


def number_of(name: str) -> int:
    """64 bits of a name's sha256."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
