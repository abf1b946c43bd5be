"""Headers as labs write them get one name; aliases that mislead do not mislead."""

import csv

import numpy as np
import pytest

from ketadask.sources.rating_scales import (
    RATING_SCALES,
    canonical_column,
    scale_of,
    score_label,
    score_range,
)


@pytest.mark.parametrize(
    ("header", "stem", "name"),
    [
        ("madrs_10", "madrs", "madrs_10"),
        ("MADRS_Total", "phenotype", "madrs_total"),
        ("madrssad", "madrs01", "madrs_2"),
        ("madrstot", "madrs01", "madrs_total"),
        ("hvwsf", "hrsd01", "hamd_2"),
        ("hsoin, ham4, hamd_06", "hrsd01", "hamd_4"),
        ("hwl", "hrsd01", "hamd_16"),
        ("hdtot_r", "hrsd01", "hamd_total"),
        ("HAM17_Total", "phenotype", "hamd_total"),
        ("HAMD_Bech", "phenotype", "hamd6_total"),
        ("hamd6_total", "hamd6", "hamd6_total"),
        ("HDRS_item_03", "x", "hamd_3"),
        ("Q7", "hama", "hama_7"),
        ("q_07", "bdi01", "bdi_7"),
        ("Q7", "phenotype", None),
        ("bdi21", "x", "bdi_21"),
        ("bdi_22", "x", None),
        ("bdi_0", "x", None),
        ("BDI-II", "x", "bdi_total"),
        ("BDI-II total", "x", "bdi_total"),
        ("BDI II item 10", "x", "bdi_10"),
        ("bdi2_10", "x", "bdi_10"),
        ("bdi_2", "x", "bdi_2"),
        ("crying", "bdi", "bdi_10"),
        ("crying", "x", None),
        ("MADRS total score", "x", "madrs_total"),
        ("MADRS.3", "x", "madrs_3"),
        ("MADRS item 3: inner tension", "x", "madrs_3"),
        ("madrs_apparent_sadness", "x", "madrs_1"),
        ("madrs_4_apparent_sadness", "x", None),
        ("HAM-A item 3", "x", "hama_3"),
        ("HAM-D 17 total", "x", "hamd_total"),
        ("HDRS-17", "x", "hamd_total"),
        ("hdrs_17", "x", "hamd_17"),
        ("HAMD-6 total", "x", "hamd6_total"),
        ("hamd_6", "x", "hamd_6"),
        ("madrs_3_comment", "x", None),
        ("pain", "x", None),
        ("Q17, bc11, bd_010, bdi17_r03, bdi17_u, beck11, bp11, irritabl", "bdi", "bdi_17"),
        ("Q20, bc17, bdi20_r03, bdi20_u, bdi_017, bp17, tired", "bdi", "bdi_20"),
        ("bai17_r03, bai4_1", "bai", "bai_17"),
        ("bai17_r03, bai4_1", "anything", "bai_17"),
    ],
)
def test_one_name_for_every_spelling(header, stem, name):
    assert canonical_column(header, stem) == name


def test_canonical_names_are_their_own_canonical_names():
    for rating_scale in RATING_SCALES.values():
        for item in [*range(1, len(rating_scale.items) + 1), "total"]:
            name = f"{rating_scale.name}_{item}"
            assert canonical_column(name, "phenotype") == name
            assert scale_of(name) == rating_scale.name
            assert score_range(name)[0] == 0
            assert score_label(name).startswith(rating_scale.title)


@pytest.mark.parametrize("name", ["bdi_22", 'bdi_"1', "bdi_mood", "pain"])
def test_a_column_that_only_looks_like_an_item_has_no_range(name):
    assert score_range(name) == (-np.inf, np.inf)
    assert score_label(name) == name


@pytest.mark.parametrize(
    ("scale", "items", "highest"),
    [("madrs", 10, 60), ("bdi", 21, 63), ("hama", 14, 56), ("hamd", 17, 53)],
)
def test_items_and_ranges(scale, items, highest):
    rating_scale = RATING_SCALES[scale]
    assert len(rating_scale.items) == len(rating_scale.highest) == items
    assert rating_scale.limits(f"{scale}_total") == (0, highest)


@pytest.mark.parametrize("scale", ["bdi", "bai"])
def test_every_header_of_the_real_tables_is_known(real_data, scale):
    path = real_data / "clinical" / "ds004215" / "phenotype" / f"{scale}.tsv"
    with path.open(newline="") as file:
        headers = next(csv.reader(file, delimiter="\t"))[1:]
    assert [canonical_column(h, scale) for h in headers] == [f"{scale}_{n}" for n in range(1, 22)]
