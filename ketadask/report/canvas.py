"""Matplotlib figures as inline SVG with the colours and the font of the page.

Figures are drawn in placeholder colours that become CSS variables, so that one drawing serves
light, dark and print. Each figure is drawn wide and narrow, because scaling a drawing would scale
its text; the page shows the one that fits.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, MUTED, LINE, SOFT = "#010101", "#020202", "#030303", "#040404"
ACTIVE, CONTROL, ACCENT, PAPER = "#050505", "#060606", "#070707", "#080808"
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    SOFT: "soft",
    ACTIVE: "active",
    CONTROL: "control",
    ACCENT: "accent",
    PAPER: "paper",
}
_STYLE: dict[str, Any] = {
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
}
WIDE, NARROW = 700, 340
DASHED: Any = (0, (4, 3))


@dataclass(frozen=True)
class Drawing:
    """One figure of the page: its name, its text alternative, and its SVG."""

    name: str
    alt: str
    wide: Markup
    narrow: Markup


class Surface:
    """A figure of given width in CSS pixels, and the hover titles of its artists."""

    def __init__(self, width: int, height: int) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure: Figure = Figure(figsize=(width / 72, height / 72))
        self._titles: list[str] = []

    @property
    def narrow(self) -> bool:
        """Whether this is the narrow drawing."""
        return self.width < WIDE

    def axes(self, left: float, bottom: float, right: float, top: float) -> Axes:
        """Return axes with the given margins in pixels."""
        inner = (self.width - left - right, self.height - bottom - top)
        box = (left / self.width, bottom / self.height)
        return self.figure.add_axes((*box, inner[0] / self.width, inner[1] / self.height))

    def add_title(self, artist: Artist, title: str) -> None:
        """Show ``title`` when the pointer is over ``artist``."""
        artist.set_gid(f"title-{len(self._titles)}")
        self._titles.append(title)

    def annotate(
        self, axes: Axes, text: str, xy: tuple[float, float], offset: tuple[int, int], **style: Any
    ) -> None:
        """Write ``text`` beside the point ``xy``, moved by ``offset`` pixels."""
        axes.annotate(
            text,
            xy,
            offset,
            textcoords="offset points",
            va="center",
            annotation_clip=False,
            **style,
        )

    def legend(self, entries: list[tuple[str, str, str, str]]) -> None:
        """Draw one line of (text, marker, edge colour, face colour) at the top."""
        axes = self.axes(0, self.height - 26, 0, 0)
        axes.set_axis_off()
        axes.set(xlim=(0, self.width), ylim=(-1, 1))
        for k, (text, marker, edge, face) in enumerate(entries):
            x = 8 + 120 * k
            axes.plot([x], [0], marker, markersize=7, markeredgewidth=1.8, color=edge, mfc=face)
            self.annotate(axes, text, (x, 0), (9, 0), color=INK)

    def svg(self, name: str, alt: str) -> Markup:
        """Return the figure as an SVG element whose identifiers begin with ``name``."""
        stream = io.StringIO()
        self.figure.savefig(stream, format="svg", metadata={"Date": None})
        return Markup(_page_svg(stream.getvalue(), name, alt, self.width, self._titles))


def draw(
    name: str, alt: str, heights: tuple[int, int], paint: Callable[[Surface], None]
) -> Drawing:
    """Draw a figure wide and narrow, with the two ``heights`` in CSS pixels."""
    return Drawing(name, alt, *svg_pair(name, alt, heights, paint))


def svg_pair(
    name: str, alt: str, heights: tuple[int, int], paint: Callable[[Surface], None]
) -> tuple[Markup, Markup]:
    """Return the wide and the narrow SVG of a figure."""
    import matplotlib as mpl

    drawings = []
    with mpl.rc_context(cast("Any", _STYLE)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's fonts draw the text
        for width, height, ending in zip((WIDE, NARROW), heights, ("w", "n"), strict=True):
            surface = Surface(width, height)
            paint(surface)
            drawings.append(surface.svg(f"{name}-{ending}", alt))
    return drawings[0], drawings[1]


def set_percent_ticks(*axes: Axis) -> None:
    """Label axes from 0 to 1 in percent."""
    for axis in axes:
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])


def _page_svg(svg: str, name: str, alt: str, width: int, titles: list[str]) -> str:
    """Remove file headers, and replace colours, fonts and identifiers for the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", svg, flags=re.S)
    box = re.search(r'viewBox="[^"]*"', svg)
    opening = (
        f'<svg {box.group() if box else ""} class="drawn" style="max-width:{width}px" '
        f'role="img" aria-label="{escape(alt)}">'
    )
    svg = opening + svg[svg.index(">") + 1 :]
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r"font: (?:(\d+) )?([\d.]+)px [^;\"]*", _font, svg)  # before matplotlib 3.11
    for index, title in enumerate(titles):
        mark = f'<g id="title-{index}">'
        svg = svg.replace(mark, f"{mark}<title>{escape(title)}</title>")
    svg = re.sub(r'(\sid=")', rf"\1{name}-", svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.S)
    return re.sub(r"\n\s*", "\n", svg).strip()


def _font(match: re.Match[str]) -> str:
    weight = f"font-weight: {match.group(1)}; " if match.group(1) else ""
    return f"{weight}font-size: {match.group(2)}px"
