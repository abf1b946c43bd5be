"""The gallery: each figure of `kd.plot`, drawn by the example of its docstring."""

from __future__ import annotations

from doctest import DocTestParser
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ketadask.plot
from ketadask.plot.style import TITLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 500  # fits a telephone, where its text still has nine pixels
MAX_HINTS = 8
TITLE_LINE = "Gallery of figures"
INTRODUCTION = """
``kd.plot`` draws on matplotlib axes, for notebooks and papers; the report draws with the same
functions. Each takes tables, most also the folder of a run or the result of ``kd.discover``, as in
``kd.plot.forest("runs/demo")``. The pictures here are drawn by the example of each function.
"""


def write_gallery(folder: Path) -> None:
    """Write ``gallery.rst`` and a picture of each function to ``folder``."""
    pictures = folder / "figures"
    pictures.mkdir(parents=True, exist_ok=True)
    parts = [TITLE_LINE, "=" * len(TITLE_LINE), INTRODUCTION]
    for name in ketadask.plot.__all__:
        sentence, figure = example_figure(name)
        heading = f"kd.plot.{name}"
        parts += [heading, "-" * len(heading), "", sentence]
        parts += [f":doc:`Reference and example <api/ketadask.plot.{name}>`.", ""]
        parts += [f".. image:: figures/{name}.svg", f"   :alt: {alternative(sentence, figure)}", ""]
        save(figure, pictures / f"{name}.svg")
    (folder / "gallery.rst").write_text("\n".join(parts))


def example_figure(name: str) -> tuple[str, Figure]:
    """Return what a function draws, in a sentence, and the figure that its example draws."""
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    text = getdoc(getattr(ketadask.plot, name)) or ""
    sentence = text.partition("\n")[0].removeprefix("Draw ")
    scope: dict[str, Any] = {}
    others = plt.get_fignums()
    for example in DocTestParser().get_examples(text):
        exec(example.source, scope)
    (number,) = set(plt.get_fignums()) - set(others)
    figure = plt.figure(number)
    plt.close(figure)
    return sentence[0].upper() + sentence[1:], figure


def alternative(sentence: str, figure: Figure) -> str:
    """Return the text alternative of a figure: what it is, its words, and its values if few."""
    from matplotlib.text import Text

    figure.canvas.draw()
    words = [artist.get_text() for artist in figure.findobj(Text) if artist.get_visible()]
    labels = [str(artist.get_label()) for artist in figure.findobj()]
    hints = [label.removeprefix(TITLE) for label in labels if label.startswith(TITLE)]
    hints = hints if len(hints) <= MAX_HINTS else []
    words = [word for word in words if any(letter.isalpha() for letter in word)]
    words = [word for word in words if not any(word in hint for hint in hints)]
    texts = "; ".join(dict.fromkeys(words + hints))
    return " ".join(f"{sentence} In the picture: {texts}.".split())


def save(figure: Figure, file: Path) -> None:
    """Write a figure as SVG on white paper, with letters as shapes: it is the same everywhere."""
    from matplotlib import rc_context

    figure.set_figwidth(POINTS / 72)
    with rc_context({"svg.hashsalt": "ketadask", "svg.fonttype": "path"}):
        figure.savefig(file, facecolor="white", metadata={"Date": None})
