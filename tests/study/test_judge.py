"""Verdicts of a study: both nulls, levels of personas and companion, statistic, honest figures."""

import json

import numpy as np
import pytest

from tests.study.test_study import said, study

CHANGES = ("null.method=both", "null.relabellings=99", "splits.count=8", "null.candidates=5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judge")


@pytest.fixture(scope="module")
def summary(folder):
    return json.loads((study(folder, *CHANGES).run().folder / "summary.json").read_text())


def test_personas_and_linear_modifier_divide_alpha(summary):
    assert (summary["alpha"], summary["companion"]["linear"]["alpha"]) == (0.04, 0.01)
    for measure in ("linear", "spread"):
        numbers = summary["companion"][measure]
        assert 0.01 <= numbers["p"] <= 1
        assert abs(numbers["correlation"]) <= 1
        assert numbers["feature"]


def test_best_training_personas_have_figures_on_their_own_holdouts(summary):
    for numbers in summary["train_choice"].values():
        assert numbers["splits"] + numbers["splits_empty"] == 8
        assert numbers["difference_low"] < numbers["difference"] < numbers["difference_high"]
        assert numbers["d_low"] < numbers["d"] < numbers["d_high"]
    enrichment = summary["enrichment"]
    assert enrichment["benefit_low"] < enrichment["benefit"] < enrichment["benefit_high"]


def test_another_statistic_needs_no_search(folder, summary):
    again = study(folder, *CHANGES, "null.statistic=q")
    ending = again.run()
    assert "all 99 relabelled trials already complete" in said(again)
    by_q = json.loads((ending.folder / "summary.json").read_text())
    assert by_q["critical_value"] != summary["critical_value"]
    assert (summary["statistic"], by_q["statistic"]) == ("studentised", "q")


def test_only_the_candidates_have_a_p(folder, summary):
    table = study(folder, *CHANGES).run().verdicts
    assert (table["p_adjusted"] < 1).sum() <= 5
    first = table.iloc[0]
    assert first["t"] == table["t"][table["p_adjusted"] < 1].max()
    assert first["difference"] == pytest.approx(first["benefit_inside"] - first["benefit_outside"])
    assert first["support"] + first["outside"] + first["unknown"] == summary["units"]
    assert np.sign(first["difference"]) == (1 if first["polarity"] == "favourable" else -1)
    has_interval = table["difference_low"].notna()
    assert 1 <= has_interval.sum() <= 5
    assert (table["p_adjusted"][~has_interval] == 1).all()
    assert (table["difference_low"] < table["difference_high"])[has_interval].all()
    assert abs(first["difference_shrunken"]) <= abs(first["difference"])
