"""What the block `cells` asks for: does it fit together?"""

from confuselt.cells.card import Card, card_of, names, read_card
from confuselt.config.stages import Cells


def finder_card(cells: Cells) -> Card | None:
    """Card of what finds nuclei on slides; None where they come from files, or features with the cohort."""
    if cells.card is not None:
        return read_card(cells.card)
    return card_of(cells.method) if cells.method in names() else None


def check_cells(cells: Cells) -> None:
    """Raise ValueError, in the words of the config, for keys that do not go together."""
    own, known = cells.card, cells.method in names()
    if cells.method in ("ready", "table"):
        for key in ("card", "weights", "sha256", "max_tiles"):
            if getattr(cells, key) is not None:
                raise ValueError(f"cells.{key} is for nuclei that are found here, cells.method is {cells.method}")
    elif not known and own is None:
        raise ValueError(
            f"cells.method '{cells.method}' is no finder of the project (ready, table, {', '.join(names())}); "
            "set cells.card to a card of your own"
        )
    if known and own is not None:
        raise ValueError(f"cells.card: '{cells.method}' is a finder of the project; name your own differently")
    if cells.method == "table" and not (cells.nuclei and cells.roles):
        raise ValueError(
            "cells.method table needs cells.nuclei, the path of each slide's file, such as nuclei/{slide_id}.geojson, "
            "and cells.roles, what each type in them is: {Tumor: tumour, Lymphocyte: immune}"
        )
    if cells.method != "table" and (cells.nuclei or cells.roles or cells.origin):
        raise ValueError(f"cells.nuclei, cells.roles and cells.origin are for cells.method table, not {cells.method}")
    card = finder_card(cells)
    if card is None:
        return
    if card.bundled and (cells.weights or cells.sha256):
        raise ValueError(f"cells.weights: {cells.method} needs none; remove the key")
    if not card.bundled and cells.weights is None:
        raise ValueError(
            f"cells.method {cells.method}: set cells.weights to the file of {card.title or 'its weights'} "
            f"({card.source or 'your own'}; {card.licence})"
        )
    if cells.weights is not None and not cells.weights.is_file():
        raise ValueError(
            f"cells.weights {cells.weights}: no such file (wanted the weights of {card.title}, {card.source})"
        )
