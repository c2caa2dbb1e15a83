"""Ids that match nothing: what would make them match, told before anything is guessed by spelling."""

import re
from collections import Counter
from collections.abc import Callable

# Two digits after the patient's part of a barcode of TCGA (GDC's code tables) that are no primary tumour.
SAMPLE_TYPES = {"02": "recurrent tumour", "05": "another primary tumour", "06": "metastasis", "07": "metastasis"}
SAMPLE_TYPES |= {"10": "blood", "11": "normal tissue", "12": "normal tissue", "14": "normal tissue"}
SAMPLE = re.compile(r"-(\d{2})[A-Z]?\b.*")
# How two spellings of an id are made one, and how that is said.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "in other upper and lower case": str.casefold,
    "with other marks (dots, dashes, underscores, blanks)": lambda i: re.sub(r"[\W_]", "", i.casefold()),
    "with other zeros in front of its number": lambda i: re.sub(r"0*(\d+)", r"\1", re.sub(r"[\W_]", "", i.casefold())),
    "as a decimal number": lambda i: re.sub(r"\.0+$", "", i),
    "with another text around its number": lambda i: "".join(re.findall(r"\d+", i)).lstrip("0"),
}
LEAST = 0.5  # share of the ids that one rule must explain
SHOWN = 4  # endings that are named


def explained(ids: list[str], known: list[str]) -> str | None:
    """What would make most of the ids match; None where no single rule does, or there is but one id.

    Parameters
    ----------
    ids : list of str
        None of them known.
    known : list of str

    Returns
    -------
    str or None
        ``"30 of 30 such ids are a known id + '-01A'"``.
    """
    if len(ids) < 2 or not known:
        return None
    enough, there = LEAST * len(ids), set(known)
    endings = [ending for i in ids if (ending := next((e for head, e in _cuts(i) if head in there), None))]
    if len(endings) >= enough:
        return f"{len(endings)} of {len(ids)} such ids are a known id + {_named(endings)}"
    heads = {head: ending for k in known for head, ending in _cuts(k)}
    endings = [heads[i] for i in ids if i in heads]
    if len(endings) >= enough:
        return f"{len(endings)} of {len(ids)} such ids are a known id without its ending {_named(endings)}"
    for said, plain in SPELLINGS.items():
        places = Counter(map(plain, known))
        hits = sum(bool(plain(i)) and places[plain(i)] == 1 for i in ids)
        if hits >= enough:
            return f"{hits} of {len(ids)} such ids are a known id {said}"
    return None


def _cuts(name: str) -> list[tuple[str, str]]:
    """Every way to cut an id before a mark in it: beginning and ending, longest beginning first."""
    at = [m.start() for m in re.finditer(r"[^0-9A-Za-z]", name)]
    return [(name[:i], name[i:]) for i in reversed(at) if i]


def _named(endings: list[str]) -> str:
    """The most frequent endings, with what a barcode's sample type says."""
    counted = Counter(endings).most_common()
    if len(counted) == 1:
        return _ending(counted[0][0])
    more = f" and {len(counted) - SHOWN} other endings" if len(counted) > SHOWN else ""
    return ", ".join(f"{_ending(ending)} ({count} times)" for ending, count in counted[:SHOWN]) + more


def _ending(ending: str) -> str:
    found = SAMPLE.fullmatch(ending)
    kind = SAMPLE_TYPES.get(found.group(1)) if found else None
    return repr(ending) + (f", which is {kind}" if kind else "")
