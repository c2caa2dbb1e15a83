"""What nuclei are taken for, whatever a finder calls them: features are named by these, so that finders compare."""

from collections.abc import Iterable
from typing import Literal, get_args

Role = Literal["tumour", "immune", "stroma", "epithelium", "dead", "other"]
ROLES: tuple[str, ...] = get_args(Role)
COLOURS = {  # RGB, in every picture
    "tumour": (204, 51, 17),
    "immune": (0, 119, 187),
    "stroma": (0, 153, 136),
    "epithelium": (238, 119, 51),
    "dead": (51, 51, 51),
    "other": (187, 187, 187),
}
# How the names begin that tools use (PanNuke, CoNSeP, MoNuSAC, Lizard, PUMA, QuPath), in lower case.
_BEGINNINGS = {
    "tumour": ("tumor", "tumour", "neoplastic", "cancer", "malignant"),
    "immune": ("immune", "inflam", "lympho", "til", "plasma", "macrophage", "histiocyte", "neutrophil", "eosinophil"),
    "stroma": ("strom", "connective", "fibroblast", "endothel", "spindle", "muscle"),
    "epithelium": ("epithel", "non-neoplastic", "nonneoplastic", "normal", "benign", "healthy"),
    "dead": ("dead", "necro", "apopto"),
}


def told(types: dict[str, str]) -> tuple[str, ...]:
    """Roles that some type has, in the order of `ROLES`, by the role of each type."""
    return tuple(role for role in ROLES if role in types.values())


def suggested(types: Iterable[str]) -> dict[str, str]:
    """A role for each type by how its name begins, for the user to look at: ``other`` where that tells nothing."""

    def role(name: str) -> str:
        plain = name.lower().removeprefix("nuclei_").strip()
        return next((r for r, some in _BEGINNINGS.items() if plain.startswith(some)), "other")

    return {name: role(name) for name in types}
