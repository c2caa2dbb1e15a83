"""The tables of ``snakemake models``: encoders and finders of nuclei that have a card."""

from confuselt.cells import card as finders
from confuselt.embed import card as encoders

ENCODERS = ("encoder", "features", "tile", "precision", "weights", "licence", "saw", "source")
FINDERS = ("finder", "roles", "µm/px", "precision", "weights", "licence", "saw", "source")


def models() -> list[str]:
    """Lines of the tables, and what to do with them."""
    return [
        *_table(ENCODERS, [(name, *_encoder(encoders.card_of(name))) for name in encoders.names()]),
        "",
        *_table(FINDERS, [(name, *_finder(finders.card_of(name))) for name in finders.names()]),
        "",
        "embed: {encoder: NAME, weights: FILE, sha256: HASH}   FILE as the source gives it; nothing is downloaded",
        "cells: {method: NAME, weights: FILE, sha256: HASH}    the same; `table` reads nuclei that other tools found",
        "Licences are the authors' own; read them first. Any other: docs/EMBED.md, docs/CELLS.md",
    ]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]


def _encoder(card: encoders.Card) -> tuple[str, ...]:
    weights = "in a package" if card.bundled else "on request" if card.gated else "open"
    tile = f"{card.size} px, {card.mpp:g} µm/px"
    return str(card.dim), tile, card.precision, weights, card.licence, ", ".join(card.trained_on), card.source


def _finder(card: finders.Card) -> tuple[str, ...]:
    weights = "none needed" if card.bundled else "open"
    saw = ", ".join(card.trained_on)
    return ", ".join(card.roles), f"{card.mpp:g}", card.precision, weights, card.licence, saw, card.source
