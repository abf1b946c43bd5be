"""Maps of the brain: a shape for every parcel, one path per region, colours of its value."""

import re
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

import ketadask as kd
from ketadask.plot.brain import brain_maps, brain_shapes, brain_svg, region_colour
from ketadask.sources.regions import PARCELS, REGIONS

VALUES = {name: float(v) for name, v in zip(REGIONS, np.linspace(-1, 2, 185), strict=True)}


def paths(svg):
    return [path for path in ET.fromstring(svg).iter("path") if path.get("data-region")]


def test_every_cortical_parcel_has_a_shape_of_its_own():
    shapes = brain_shapes()["cortex"]
    assert set(shapes) == {"outline"} | {f"{s}_{p}" for s in ("lh", "rh") for p in PARCELS}
    outlines = {tuple(map(tuple, ring.tolist())) for rings in shapes.values() for ring in rings}
    assert len(outlines) == sum(map(len, shapes.values()))
    for name, rings in shapes.items():
        for ring in rings:
            x, y = ring.T
            assert abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) > 50, name


def test_left_shapes_are_left_and_the_cortex_is_front_to_back():
    shapes = brain_shapes()
    centre = {n: np.concatenate(rings).mean(axis=0) for n, rings in shapes["deep"].items()}
    for name in ("Thalamus", "Caudate", "Putamen", "Pallidum", "Hippocampus", "Amygdala"):
        assert centre[f"Left-{name}"][0] < centre[f"Right-{name}"][0]
    lateral = {
        name: [ring for ring in rings if ring[:, 0].mean() < 790]
        for name, rings in shapes["cortex"].items()
    }
    x = {n: np.concatenate(rings)[:, 0].mean() for n, rings in lateral.items() if rings}
    order = ["rostralmiddlefrontal", "precentral", "postcentral", "lateraloccipital"]
    for side, sign in (("lh", 1), ("rh", -1)):
        assert (np.diff([sign * x[f"{side}_{name}"] for name in order]) > 0).all()


def test_a_map_has_one_path_per_region_with_the_colour_of_its_value():
    maps = brain_maps(VALUES)
    assert [(each.layer, len(each.values)) for each in maps] == [
        ("cortex", 68), ("white matter", 68), ("subcortical", 28),
    ]  # fmt: skip
    for each in maps:
        regions = paths(brain_svg(each, "test"))
        assert [path.get("data-region") for path in regions] == list(each.values)
        for path in regions:
            name = path.get("data-region")
            assert path.get("fill") == region_colour(VALUES[name], 2.0)
            assert path.find("title").text.endswith(f"{VALUES[name]:.3g}")


def test_names_of_other_measures_and_values_that_are_missing():
    others = {"rh_insula_area": np.nan, "rh_S_central_area": 1.0}
    maps = brain_maps({"lh_insula_thickness": 1.0} | others)
    assert [list(each.values) for each in maps] == [["lh_insula_thickness"]]
    assert brain_maps({}) == []


def test_text_in_a_map_is_escaped():
    svg = brain_svg(brain_maps({"lh_insula_volume": 1.0})[0], '<b>"x"')
    assert "<b>" not in svg
    assert re.search(r'aria-label="&lt;b&gt;', svg)


def test_axes_in_and_out_with_the_same_colours():
    axes = plt.figure().add_subplot()
    assert kd.plot.brain(VALUES, ax=axes) is axes
    colours = {p.get_gid(): to_hex(p.get_facecolor()) for p in axes.patches if p.get_gid()}
    assert len(colours) == 68 + 68 + 28
    assert all(colours[name] == region_colour(VALUES[name], 2.0) for name in colours)
    own = kd.plot.brain(pd.Series(VALUES))  # as the docstring says
    assert colours == {p.get_gid(): to_hex(p.get_facecolor()) for p in own.patches if p.get_gid()}
    plt.close("all")
