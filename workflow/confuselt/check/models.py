"""The table of ``snakemake models``: encoders that have a card."""

from confuselt.embed.card import Card, card_of, names

HEAD = ("name", "features", "tile", "precision", "weights", "licence", "saw", "source")


def models() -> list[str]:
    """Lines of the table, and what to do with it."""
    rows = [HEAD, *((name, *_row(card_of(name))) for name in names())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [
        *lines,
        "",
        "embed: {encoder: NAME, weights: FILE, sha256: HASH}   FILE as the source gives it; nothing is downloaded",
        "Licences are the authors' own; read them first. Any other: docs/EMBED.md",
    ]


def _row(card: Card) -> tuple[str, ...]:
    weights = "in a package" if card.bundled else "on request" if card.gated else "open"
    tile = f"{card.size} px, {card.mpp:g} µm/px"
    return str(card.dim), tile, card.precision, weights, card.licence, ", ".join(card.trained_on), card.source
