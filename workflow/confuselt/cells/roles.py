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
# Words of the names that tools use (PanNuke, CoNSeP, MoNuSAC, Lizard, PUMA, QuPath, CellViT), in lower case. A cell is
# what it is wherever it lies, so that those of immune cells and stroma are sought anywhere and first (lymphocyte of a
# tumour, tumour stroma), the others where a name begins (non-tumour).
_ANYWHERE = {
    "immune": (
        "immune",
        "inflam",
        "lympho",
        "plasma",
        "plasmo",
        "macrophage",
        "histiocyte",
        "neutrophil",
        "eosinophil",
    ),
    "stroma": ("strom", "connec", "fibroblast", "endothel", "muscle"),
}
_BEGINNINGS = {
    "immune": ("til", "stil"),
    "stroma": ("spindle",),
    "tumour": ("tumor", "tumour", "neopla", "cancer", "malignant"),
    "epithelium": ("epithel", "non-neoplastic", "nonneoplastic", "normal", "benign", "healthy"),
    "dead": ("dead", "necro", "apopto"),
}


def told(types: dict[str, str]) -> tuple[str, ...]:
    """Roles that some type has, in the order of `ROLES`, by the role of each type."""
    return tuple(role for role in ROLES if role in types.values())


def suggested(types: Iterable[str]) -> dict[str, str]:
    """A role for each type by the words of its name, for the user to look at: ``other`` where these tell nothing."""

    def role(name: str) -> str:
        plain = name.lower().removeprefix("nuclei_").strip()
        by_word = (r for r, words in _ANYWHERE.items() if any(word in plain for word in words))
        by_beginning = (r for r, words in _BEGINNINGS.items() if plain.startswith(words))
        return [*by_word, *by_beginning, "other"][0]

    return {name: role(name) for name in types}
