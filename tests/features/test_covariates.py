"""Columns of participants become features: numbers as they are, categories by their levels."""

import numpy as np
import pandas as pd

from ketadask.features.covariates import covariate_features
from ketadask.search.encoding import encode_values

WARDS = ["A"] * 10 + ["B"] * 9 + ["C"] * 5 + ["D"] * 4 + [""] * 2


def features():
    index = pd.Index([f"s{i:02d}" for i in range(30)], name="participant")
    table = pd.DataFrame(
        {"ward": WARDS, "smoker": ["no", "yes"] * 15, "crp": np.arange(30.0)}, index
    )
    return covariate_features(table, "blood")


def test_rare_levels_are_merged_and_named():
    table = features()
    assert list(table.values) == ["ward = A", "ward = B", "ward = C or D", "smoker = yes", "crp"]
    assert table.values["ward = C or D"].sum() == 9
    assert table.values["ward = A"].isna().sum() == 2
    assert set(table.about["modality"]) == {"blood"}


def test_a_category_is_searched_as_is_and_is_not():
    table = features()
    names = ["smoker = yes", "ward = A"]
    literals = encode_values(table.values[names].to_numpy(), names=names)
    assert literals.text == ("smoker ≠ yes", "smoker = yes", "ward ≠ A", "ward = A")
    assert literals.support.tolist() == [15, 15, 18, 10]
