"""The finder, or the files, that a config names."""

from pathlib import Path

from confuselt.backend import load_backend
from confuselt.cells.card import Card
from confuselt.cells.finder import Finder, Machine
from confuselt.cells.group import Source
from confuselt.cells.pixels import FromSlides

CPU = Machine()


def load_source(cfg: dict, weights: str | None, machine: Machine) -> Source:
    """Where the nuclei of a cohort come from.

    Parameters
    ----------
    cfg : dict
        ``data`` and the keys of ``cells``.
    weights, machine
        See `load_finder`.
    """
    data, method = Path(cfg["data"]), cfg["cells.method"]
    *of_files, most = (cfg[f"cells.{key}"] for key in ("nuclei", "roles", "origin", "max_tiles"))
    if method == "table":
        return load_backend("cells.finders", "table").FromFiles(data, *of_files)
    return FromSlides(data, load_finder(method, cfg["cells.card"], weights, machine), most)


def load_finder(name: str, card: dict, weights: str | None, machine: Machine = CPU) -> Finder:
    """Finder of a card.

    Parameters
    ----------
    name : str
    card : dict
        See `Card.in_job`.
    weights : str, optional
        File of its weights; None where it needs none.
    machine : Machine
        By default this process and a CPU.

    Raises
    ------
    ValueError
        The file is not of this finder.
    """
    known = Card.model_validate(card)
    return load_backend("cells.finders", known.finder).load(name, known, weights and Path(weights), machine)
