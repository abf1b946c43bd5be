"""Prediction from brain structure: numbers as measured, figures, and no participant."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_curve as sklearn_roc_curve

from ketadask.kernels.roc import roc_curve
from ketadask.plot.brain import region_colour
from ketadask.report.context import build_context
from ketadask.report.page import render
from ketadask.report.prediction import prediction_view
from ketadask.sources.regions import REGIONS
from tests.report.example_data import page_section
from tests.report.example_parts import make_prediction, make_weights


@pytest.fixture(scope="module")
def prediction_data(data):
    return replace(data, prediction=make_prediction())


@pytest.fixture(scope="module")
def view(prediction_data):
    return prediction_view(build_context(prediction_data))


def test_cohorts_keep_their_order_and_numbers(prediction_data, view):
    summary = prediction_data.prediction["summary"]
    assert list(view.cohorts) == summary["order"]
    assert view.cohorts == summary["cohorts"]
    assert view.discovery["bac_folds"] == 0.7
    assert list(view.other_classifiers) == ["logistic"]
    assert view.locked_classifier == view.classifier


def test_a_different_locked_classifier_is_named(prediction_data):
    part = make_prediction()
    part["summary"] |= {"classifier": "forest", "locked": {"classifier": "svc-linear"}}
    data = replace(prediction_data, prediction=part)
    view = prediction_view(build_context(data))
    assert (view.classifier, view.locked_classifier) == ("forest", "svc-linear")
    assert "The classifier forest cannot be locked" in render(data)


def test_figures_notes_and_regions_are_on_the_page_without_identifiers(prediction_data):
    section = page_section(render(prediction_data), "prediction")
    for name in ("accuracy", "roc", "calibration", "net-benefit", "learning", "weights"):
        assert f'id="figure-{name}"' in section
    assert "<b>region</b>" not in section
    assert "[participant] was at a site" in section
    assert [name for name in prediction_data.participants() if name in section] == []


def test_a_predictor_has_a_checklist_of_its_own_with_its_numbers(prediction_data):
    section = page_section(render(prediction_data), "checklists")
    assert re.findall(r"<summary>([^:]*):", section) == [
        "ICEMAN", "PATH", "REMARK", "TRIPOD+AI", "TRIPOD+AI, predictor of response",
    ]  # fmt: skip
    own = section.partition("predictor of response")[2]
    for words in ("184 regions, all used", "discovery: 60 cases, 30 responders", "999 permuta"):
        assert words in re.sub(r"<[^>]*>", "", own)


def test_roc_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    label, score = rng.integers(0, 2, 80), rng.normal(size=80).round(1)
    false, true = roc_curve(score, label)
    expected = sklearn_roc_curve(label, score, drop_intermediate=False)
    np.testing.assert_allclose(false, expected[0])
    np.testing.assert_allclose(true, expected[1])


@pytest.mark.parametrize(("p", "word"), [(0.003, "above chance"), (0.112, "not above chance")])
def test_a_study_that_only_predicts_opens_with_its_result(prediction_data, p, word):
    part = make_prediction()
    part["summary"]["cohorts"]["discovery"] |= {"p_auc": p, "p_bac": 0.2}
    only = replace(
        prediction_data, prediction=part, verdicts=None, literals=None, nulls=None, stability=None,
        units=None, summary={}, explained=None, enrichment=None,
        stages=({"stage": "search", "unit": "splits", "present": 0, "total": 9},),
    )  # fmt: skip
    page = render(only)
    words = re.sub(r"<[^>]*>", "", page_section(page, "answer"))
    area = part["summary"]["cohorts"]["discovery"]["auc"]
    assert f"AUC {area:.2f} (" in words
    assert f"p = {p:.3f}: {word}." in words
    folded = r"<style>.*?</style>|<script>.*|<details.*?</details>"
    prose = re.sub(folded, "", page, flags=re.DOTALL)
    for absent in ("There is no verdict", "incomplete", "persona", "relabelled", "splits of"):
        assert absent not in prose
    methods = page_section(page, "methods").partition("<details>")[0]
    assert "nested cross-validation" in methods
    assert "Welch" not in methods
    assert "TRIPOD+AI" in page_section(page, "checklists")
    assert "ICEMAN" not in page


def test_the_brain_maps_have_the_colours_of_the_weights_table(prediction_data):
    part = make_prediction()
    part["weights"] = make_weights(list(REGIONS))
    page = render(replace(prediction_data, prediction=part))
    link = re.search(r'href="(data:text/csv[^"]*)" download="weights.csv"', page)[1]
    table = pd.read_csv(io.BytesIO(base64.b64decode(link.partition(",")[2])), index_col="region")
    for column in ("weight", "pattern"):
        figure = re.search(rf'id="figure-brain-{column}">(.*?)</figure>', page, re.DOTALL)[1]
        fills = re.findall(r'data-region="([^"]*)" fill="([^"]*)"', figure)
        assert len(fills) == len(dict(fills)) == 68 + 68 + 28
        drawn = table.loc[[name for name, _ in fills], column]
        assert [fill for _, fill in fills] == [
            region_colour(value, drawn.abs().max()) for value in drawn
        ]
