"""Figures as vector graphics within a page: they follow its colours, light or dark, and ask for nothing."""

import io
import re
from html import escape

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def inline(figure: Figure, name: str) -> str:
    """``<svg>`` of a figure for an HTML page.

    Parameters
    ----------
    figure : Figure
    name : str
        Of the figure on its page: two figures share no ids.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
    text = re.sub(r"<style.*?</style>|font-family: [^;\"]*;? ?", "", text, flags=re.S)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'id="|href="#|url\(#', lambda before: f"{before[0]}{escape(name)}-", text)
    # Black, which is lines and words that nobody gave a colour, is the page's colour.
    text = text.replace("#000000", "currentColor")
    return re.sub(r"<svg ", '<svg aria-hidden="true" ', text, count=1)
