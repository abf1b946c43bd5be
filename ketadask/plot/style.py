"""One style for all figures: colours, fonts, frame, labels that are never cut.

The colours differ in lightness as well as in hue, and arms and polarities also differ in their
markers, so that no figure depends on colour vision.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numpy as np

from ketadask import names as nm

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

INK, MUTED, LINE, SOFT = "#1c1f23", "#5a616b", "#d9dbd7", "#c3c9d1"
ACTIVE, CONTROL, PAPER = "#0067a6", "#a8480f", "#fdfdfb"
DASHED: Any = (0, (4, 3))
MARKERS = {nm.FAVOURABLE: ("o", ACTIVE), nm.UNFAVOURABLE: ("s", CONTROL)}
ARM_MARKERS = {nm.ACTIVE: ("o", ACTIVE), nm.CONTROL: ("s", CONTROL)}
WIDE, NARROW = 700, 340
TITLE = "_title: "  # matplotlib leaves labels with an underscore out of legends
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ketadask",
    "font.family": "sans-serif",
    "font.size": 12.5,
    "text.parse_math": False,  # a feature may be called $x$
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.color": LINE,
    "ytick.labelcolor": MUTED,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}
_P = ParamSpec("_P")
_R = TypeVar("_R")


def styled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Draw with `STYLE`, and leave the defaults of matplotlib as they are."""

    @wraps(function)
    def draw(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        import matplotlib as mpl

        with mpl.rc_context(cast("Any", STYLE)):
            drawing, is_interactive = function(*args, **kwargs), mpl.is_interactive()
        mpl.interactive(is_interactive)  # the first figure of a notebook turns it on, for all
        return drawing

    return draw


def axes_or_new(ax: Axes | None, height: float) -> Axes:
    """Return ``ax``, or the axes of a new figure of this height in points."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    size = (WIDE / 72, height / 72)
    return plt.subplots(figsize=size, dpi=80, facecolor="white", layout="constrained")[1]


def is_narrow(ax: Axes) -> bool:
    """Return whether the figure has the width of a telephone."""
    figure = ax.get_figure(root=True)
    return figure is not None and bool(figure.get_figwidth() * 72 < (WIDE + NARROW) / 2)


def caption(artist: Artist, text: str) -> None:
    """Describe ``artist``; the report shows the text when the pointer is over it."""
    artist.set_label(TITLE + text)


def annotate(
    ax: Axes, text: str, xy: tuple[float, float], offset: tuple[int, int], **style: Any
) -> None:
    """Write ``text`` beside the point ``xy``, moved by ``offset`` points."""
    ax.annotate(
        text, xy, offset, textcoords="offset points", va="center", annotation_clip=False, **style
    )


def label_rows(ax: Axes, labels: Iterable[str], width: int) -> None:
    """Name the rows of a figure, the first on top; long names go on over several lines."""
    lines = [wrap_label(label, width) for label in labels]
    ax.set_yticks(range(len(lines)), lines)
    ax.tick_params(axis="y", length=0, pad=6, labelcolor=INK, labelsize=11 if is_narrow(ax) else 12)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(lines) - 0.4, -0.6)


def wrap_label(text: str, width: int) -> str:
    """Return ``text`` over lines of at most ``width`` letters, broken between words.

    Only words longer than a line are broken, and texts of more than four lines shortened.

    Examples
    --------
    >>> wrap_label("wm-lh-posteriorcingulate and BDI item 10 above 1", 24).splitlines()
    ['wm-lh-posteriorcingulate', 'and BDI item 10 above 1']
    """
    limit = 4 * width  # a name beyond this would leave no space for the figure
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-(limit // 2) :]}"
    return "\n".join(textwrap.wrap(text, width) or [""])


def legend(ax: Axes, entries: Iterable[tuple[str, str, str, str]]) -> None:
    """Draw one line of (text, marker, edge colour, face colour) above the axes.

    On a telephone it ends where the axes end, because long labels of rows leave them little width.
    """
    from matplotlib.lines import Line2D

    narrow = is_narrow(ax)
    handles = [
        Line2D([], [], marker=marker, linestyle="", color=edge, markerfacecolor=face,
               markersize=7, markeredgewidth=1.8, label=text)
        for text, marker, edge, face in entries
    ]  # fmt: skip
    ax.legend(
        handles=handles, loc="lower right" if narrow else "lower left",
        bbox_to_anchor=(float(narrow), 1), ncols=len(handles),
        frameon=False, borderaxespad=0.2, handletextpad=0.1, columnspacing=1.4, labelcolor=INK,
    )  # fmt: skip


def set_percent_ticks(*axes: Axis) -> None:
    """Label axes from 0 to 1 in percent."""
    for axis in axes:
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])


def percent(fraction: float) -> str:
    """Return a fraction in percent."""
    return f"{100 * fraction:.1f} %"


def decimal(value: float, places: int = 1) -> str:
    """Return a number with a minus sign and fixed decimals."""
    return f"{value:z,.{places}f}".replace("-", "−") if np.isfinite(value) else "–"
