"""Sums of items: factors hold every item of their scale once, nothing is filled in."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from ketadask.features.scales import scale_features
from ketadask.features.subscales import SUBSCALES, item_sums
from ketadask.schema.phenotype import Phenotype
from ketadask.sources.rating_scales import RATING_SCALES


@pytest.mark.parametrize("scale", ["hama", "bdi", "madrs"])
def test_factors_of_a_scale_hold_every_item_once(scale):
    items = Counter(n for f in SUBSCALES if f.scale == scale for n in f.items)
    assert items == Counter(range(1, len(RATING_SCALES[scale].items) + 1))
    assert all(f.source for f in SUBSCALES)


def test_the_six_items_of_bech_are_those_of_the_short_scale():
    (bech,) = (f for f in SUBSCALES if f.name == "hamd6_total")
    long, short = RATING_SCALES["hamd"], RATING_SCALES["hamd6"]
    assert [long.highest[n - 1] for n in bech.items] == list(short.highest)
    assert long.items[bech.items[0] - 1] == short.items[0]


def test_a_total_is_added_where_it_lacks_and_only_from_all_items():
    items = pd.DataFrame(
        {f"madrs_{n}": [1.0, 2.0, np.nan if n == 4 else 3.0] for n in range(1, 11)}
    )
    sums, about = item_sums(items)
    np.testing.assert_array_equal(sums["madrs_total"], [10, 20, np.nan])
    assert about.loc["madrs_total"].tolist() == [0.0, 60.0, "MADRS total"]
    assert item_sums(items.assign(madrs_total=0.0))[0].columns.tolist() == []
    assert item_sums(items.drop(columns="madrs_4"))[0].columns.tolist() == []
    sums, about = item_sums(items, subscales=True)
    np.testing.assert_array_equal(sums["madrs_neurovegetative"], [3, 6, np.nan])
    assert about.loc["madrs_sadness", "high"] == 12


def test_factors_become_features_on_request():
    rows = {"participant": ["a"], "session": ["x"], "period": [1], "arm": [""], "day": [0]}
    table = pd.DataFrame(rows | {f"hama_{n}": [1.0] for n in range(1, 15)} | {"crp": [2.5]})
    phenotype = Phenotype(table, units={"crp": "mg/l"})
    plain = scale_features(phenotype)
    assert plain.about["measurement_unit"]["crp"] == "mg/l"
    assert plain.values.columns.tolist()[-1] == "hama_total"
    more = scale_features(phenotype, subscales=True)
    assert set(more.values.columns) - set(plain.values.columns) == {"hama_psychic", "hama_somatic"}
    assert more.about["label"]["hama_somatic"] == "HAM-A somatic anxiety"
    assert more.values["hama_somatic"].tolist() == [7.0]
