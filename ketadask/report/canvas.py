"""Matplotlib figures as inline SVG with the colours and the font of the page.

The colours of `ketadask.plot` become CSS variables, so that one drawing serves light, dark and
print. Each figure is drawn wide and narrow, because scaling a drawing would scale its text; the
page shows the one that fits.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup, escape

from ketadask.plot.style import (
    ACTIVE,
    CONTROL,
    DASHED,
    INK,
    LINE,
    MUTED,
    NARROW,
    PAPER,
    SOFT,
    STYLE,
    TITLE,
    WIDE,
    annotate,
    caption,
    legend,
    set_percent_ticks,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ACTIVE",
    "CONTROL",
    "DASHED",
    "INK",
    "LINE",
    "MUTED",
    "PAPER",
    "SOFT",
    "Drawing",
    "Surface",
    "draw",
    "draw_axes",
    "in_own_colours",
    "set_percent_ticks",
    "standalone",
]
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    SOFT: "soft",
    ACTIVE: "active",
    CONTROL: "control",
    PAPER: "paper",
}


@dataclass(frozen=True)
class Drawing:
    """One figure of the page: its name, its text alternative, and its SVG."""

    name: str
    alt: str
    wide: Markup
    narrow: Markup


class Surface:
    """A figure of given width in CSS pixels."""

    def __init__(self, width: int, height: int) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure: Figure = Figure(figsize=(width / 72, height / 72))

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
        caption(artist, title)

    def annotate(
        self, axes: Axes, text: str, xy: tuple[float, float], offset: tuple[int, int], **style: Any
    ) -> None:
        """Write ``text`` beside the point ``xy``, moved by ``offset`` pixels."""
        annotate(axes, text, xy, offset, **style)

    def legend(self, entries: list[tuple[str, str, str, str]]) -> None:
        """Draw one line of (text, marker, edge colour, face colour) above the first axes."""
        legend(self.figure.axes[0], entries)

    def svg(self, name: str, alt: str) -> Markup:
        """Return the figure as an SVG element whose identifiers begin with ``name``."""
        titles: list[str] = []
        for artist in self.figure.findobj(lambda a: str(a.get_label()).startswith(TITLE)):
            artist.set_gid(f"title-{len(titles)}")
            titles.append(str(artist.get_label()).removeprefix(TITLE))
        stream = io.StringIO()
        self.figure.savefig(stream, format="svg", metadata={"Date": None})
        return Markup(_page_svg(stream.getvalue(), name, alt, self.width, titles))


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
    with mpl.rc_context(cast("Any", STYLE)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's fonts draw the text
        for width, height, ending in zip((WIDE, NARROW), heights, ("w", "n"), strict=True):
            surface = Surface(width, height)
            paint(surface)
            drawings.append(surface.svg(f"{name}-{ending}", alt))
    return drawings[0], drawings[1]


def draw_axes(
    name: str, alt: str, heights: tuple[int, int], paint: Callable[[Axes], object]
) -> Drawing:
    """Draw a figure of `ketadask.plot` on axes that leave space for all their labels."""

    def paint_axes(surface: Surface) -> None:
        surface.figure.set_layout_engine("constrained")
        paint(surface.figure.subplots())

    return draw(name, alt, heights, paint_axes)


def standalone(drawing: Drawing) -> str:
    """Return the wide drawing as the text of an SVG file with its own colours."""
    colours = ";".join(f"--{name}:{colour}" for colour, name in _VARIABLES.items())
    style = f"<style>svg{{{colours};background:var(--paper);font-family:sans-serif}}</style>"
    opening, rest = str(drawing.wide).split(">", 1)
    return f'{opening} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'


def in_own_colours(svg: Markup) -> Markup:
    """Return a drawing with the colours of `ketadask.plot`, for a page without its variables."""
    for colour, name in _VARIABLES.items():
        svg = svg.replace(f"var(--{name})", colour)
    return svg


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
