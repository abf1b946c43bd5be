"""Maps of the brain: a value per region as the colour of its shape, as axes or as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from ketadask.features.volumes import region_label
from ketadask.plot.style import INK, MUTED, axes_or_new, caption, styled
from ketadask.sources.region_names import region_place, region_stem

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ketadask.sources.region_names import RegionPlace

LOW, MIDDLE, HIGH = "#a8480f", "#eceae4", "#0067a6"
EDGE, NO_VALUE = "#8a8f96", "none"
CORTEX, WHITE, DEEP = "cortex", "white matter", "subcortical"
_PANELS = (
    ("left lateral", 340, 575),
    ("left medial", 1200, 575),
    ("right lateral", 340, 1140),
    ("right medial", 1200, 1140),
)
_DEEP_PANELS = (("coronal", 400, 800), ("sagittal, left", 1330, 800), ("right", 2440, 800))
_SIZES = {CORTEX: (1610, 1160), WHITE: (1610, 1160), DEEP: (2550, 820)}
_LOWER_ROW, _ROW_GAP = 578, 50  # of the cortex: where its lower row begins, and space above it


class BrainMap(NamedTuple):
    """One map: its layer, the regions with a value, their values and colours."""

    layer: str
    values: dict[str, float]
    colours: dict[str, str]


@cache
def brain_shapes() -> dict[str, dict[str, list[np.ndarray]]]:
    """Return polygons (point, 2) by layer and region; a region may have several.

    Examples
    --------
    >>> shapes = brain_shapes()
    >>> len(shapes["cortex"]), "Left-Thalamus" in shapes["deep"]
    (69, True)
    """
    text = files("ketadask.plot").joinpath("brain_shapes.tsv").read_text(encoding="utf-8")
    shapes: dict[str, dict[str, list[np.ndarray]]] = {}
    for line in [row for row in text.splitlines() if not row.startswith("#")][1:]:
        layer, region, rings = line.split("\t")
        points = [
            np.array([point.split(",") for point in ring.split()], dtype=float)
            for ring in rings.split("|")
        ]
        shapes.setdefault(layer, {})[region] = points
    return shapes


def region_colour(value: float, largest: float) -> str:
    """Return the colour of a value on a scale from minus to plus the largest.

    Examples
    --------
    >>> region_colour(1.0, 1.0), region_colour(0.0, 1.0), region_colour(-1.0, 1.0)
    ('#0067a6', '#eceae4', '#a8480f')
    """
    weight = min(abs(value) / largest, 1.0) if largest > 0 else 0.0
    ends = [
        [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        for colour in (MIDDLE, HIGH if value > 0 else LOW)
    ]
    parts = [round(a + weight * (b - a)) for a, b in zip(*ends, strict=True)]
    return "#" + "".join(f"{part:02x}" for part in parts)


def brain_maps(values: Mapping[str, float]) -> list[BrainMap]:
    """Return the maps of the layers that have a value: cortex, white matter, subcortical.

    Parameters
    ----------
    values
        Numbers by region, under any name `region_place` knows, of one measure; regions without a
        shape, such as those of the Destrieux atlas, are left out.

    Examples
    --------
    >>> [(brain.layer, brain.colours) for brain in brain_maps({"lh_insula_thickness": 2.0})]
    [('cortex', {'lh_insula_thickness': '#0067a6'})]
    """
    values = dict(values)  # a Series too
    largest = max((abs(v) for v in values.values() if np.isfinite(v)), default=0.0)
    layers: dict[str, dict[str, float]] = {}
    for region, value in values.items():
        layer, shape = _shape_of(region)
        if shape and np.isfinite(value):
            layers.setdefault(layer, {})[region] = float(value)
    return [
        BrainMap(layer, own, {name: region_colour(v, largest) for name, v in own.items()})
        for layer in (CORTEX, WHITE, DEEP)
        if (own := layers.get(layer))
    ]


def _shape_of(region: str) -> tuple[str, str]:
    """Return layer and name of the shape of a region; an empty name where there is none."""
    anatomy: RegionPlace = region_place(region)
    side = {"left": "lh", "right": "rh"}.get(anatomy.hemisphere, "")
    shapes = brain_shapes()
    if anatomy.tissue in ("cortex", "white"):
        name = f"{side}_{region_stem(region)}"
        return (CORTEX if anatomy.tissue == "cortex" else WHITE), name * (name in shapes["cortex"])
    name = region if region in shapes["deep"] else region.rpartition("_")[0]
    return DEEP, name * (name in shapes["deep"])


def _panels(layer: str) -> tuple[tuple[str, int, int], ...]:
    return _DEEP_PANELS if layer == DEEP else _PANELS


def brain_svg(brain: BrainMap, title: str) -> Markup:
    """Return a map as SVG: one ``path`` per region, with its name, value and colour.

    Examples
    --------
    >>> svg = brain_svg(brain_maps({"Left-Thalamus": -0.5})[0], "weights")
    >>> svg.count("data-region="), 'fill="#a8480f"' in svg
    (1, True)
    """
    width, height = _SIZES[brain.layer]
    size = round(width / 34)  # of the labels, legible where a map is a third of a page wide
    gap = 0 if brain.layer == DEEP else round(1.3 * size)
    shapes = brain_shapes()["deep" if brain.layer == DEEP else "cortex"]
    names = {_shape_of(region)[1] for region in brain.values}
    lines = [
        f'<svg class="brain" role="img" viewBox="-6 {-1.5 * size:.0f} {width} '
        f'{height + gap + 2.5 * size:.0f}" font-size="{size}" '
        f'style="fill:var(--muted);stroke-width:3" '
        f'aria-label="{escape(title)}, {brain.layer}: {len(brain.values)} regions">',
        f'<text x="0" y="{-0.5 * size:.0f}">{brain.layer}</text>',
    ]
    for name, rings in shapes.items():
        if name == "outline" or name not in names:
            lines.append(f'<path style="fill:none;stroke:var(--soft)" d="{_path(rings, gap)}"/>')
    for region, value in brain.values.items():
        lines.append(
            f'<path data-region="{escape(region)}" fill="{brain.colours[region]}" '
            f'style="stroke:var(--muted)" '
            f'd="{_path(shapes[_shape_of(region)[1]], gap)}"><title>'
            f"{escape(_region_text(region, value))}</title></path>"
        )
    for text, *xy in _panels(brain.layer):
        x, y = _lower(np.array([xy]), gap)[0] + (0, 0.75 * size)
        lines.append(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle">{text}</text>')
    return Markup("\n".join([*lines, "</svg>"]))


def _region_text(region: str, value: float) -> str:
    anatomy = region_place(region)
    return f"{region_label(region, anatomy.hemisphere, anatomy.tissue)}: {value:.3g}"


def _path(rings: list[np.ndarray], gap: int) -> str:
    return "".join(
        "M" + "L".join(f"{x:.0f},{y:.0f}" for x, y in _lower(ring, gap).tolist()) + "Z"
        for ring in rings
    )


@styled
def draw_brain(values: Mapping[str, float], *, ax: Axes | None = None) -> Axes:
    """Draw values of brain regions: cortex, white matter and subcortical, where there are any.

    Parameters
    ----------
    values
        Numbers by region, a Series or a dict; blue is above zero, brown below.
    ax
        Axes to draw in; new ones by default.

    Returns
    -------
    The axes.

    Examples
    --------
    >>> import ketadask as kd
    >>> ax = kd.plot.brain({"lh_insula_volume": 1.0, "lh_posteriorcingulate_volume": 0.6,
    ...     "rh_inferiorparietal_volume": 0.8, "Left-Thalamus": -0.5, "Left-Caudate": -0.9})
    >>> len([patch for patch in ax.patches if patch.get_gid()])
    5
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    ax = axes_or_new(ax, 500)
    top = 0.0
    for brain in brain_maps(values):
        width, height = _SIZES[brain.layer]
        scale = 1.0 / width
        gap = 0 if brain.layer == DEEP else _ROW_GAP
        shapes = brain_shapes()["deep" if brain.layer == DEEP else "cortex"]
        colour_of_shape = {_shape_of(region)[1]: region for region in brain.values}
        for name, rings in sorted(shapes.items(), key=lambda pair: pair[0] in colour_of_shape):
            outline = Path.make_compound_path(
                *(Path(scale * _lower(ring, gap) + (0, top), closed=False) for ring in rings)
            )
            region = colour_of_shape.get(name, "")
            colour = brain.colours.get(region, NO_VALUE)
            patch = PathPatch(outline, facecolor=colour, edgecolor=EDGE, linewidth=0.5)
            if region:
                patch.set_gid(region)
                caption(patch, _region_text(region, brain.values[region]))
            ax.add_patch(patch)
        for text, *xy in _panels(brain.layer):
            x, y = scale * _lower(np.array([xy]), gap)[0] + (0, top)
            ax.text(x, y, text, ha="center", fontsize=11, color=MUTED)
        ax.text(1, top, brain.layer, ha="right", va="top", color=INK)
        top += scale * (height + gap)
    ax.set(xlim=(-0.01, 1.01), ylim=(max(top, 0.1), -0.01), aspect="equal")
    ax.set_axis_off()
    return ax


def _lower(points: np.ndarray, gap: int) -> np.ndarray:
    """Return points (point, 2) with the lower row of a map further down."""
    return points + np.where(points[:, 1:] > _LOWER_ROW, (0, gap), 0)
