"""Explained cases and enrichment: complete results, partial ones, and any other table."""

from dataclasses import replace

import pandas as pd
import pytest

from ketadask.report.context import build_context
from ketadask.report.explained import enrichment_view, explained_view
from ketadask.report.page import render
from tests.report.example_data import page_section


def test_explained_cases_are_counted_and_compared_with_relabelled_trials(data, context):
    view = explained_view(context)
    assert view.accuracy["accuracy_null"] == 0.487
    counts = data.explained["cases"]["explained"].value_counts().to_dict()
    assert view.counts == {word: counts.get(word, 0) for word in view.counts}
    assert [table.name for table in view.tables] == ["risk coverage"]
    assert view.figure is not None
    with_identifiers = explained_view(build_context(data, identifiers=True))
    assert [table.name for table in with_identifiers.tables] == ["cases", "risk coverage"]


@pytest.mark.parametrize(("p", "has_p"), [(None, False), (0.15, True)])
def test_a_p_that_cannot_be_small_is_not_printed(data, p, has_p):
    """With 19 relabelled trials the smallest p would be 0.05."""
    part = replace(data, explained={**data.explained, "accuracy_p": p, "auc_p": p})
    assert explained_view(build_context(part)).has_p == has_p
    html = page_section(render(part), "explained")
    assert ("calibration_studies" in html) == (not has_p)
    assert (">0.150<" in html) == has_p


def test_without_relabelled_trials_the_numbers_are_listed(data):
    part = {k: v for k, v in data.explained.items() if k != "accuracy_null"}
    view = explained_view(build_context(replace(data, explained=part)))
    assert view.accuracy is None
    assert ("accuracy_p", 0.15) in view.numbers


@pytest.mark.parametrize("part", [None, {}, {"table": pd.DataFrame()}])
def test_empty_parts_have_no_section(data, part):
    context = build_context(replace(data, explained=part, enrichment=part))
    assert explained_view(context) is None
    assert enrichment_view(context) is None


def test_the_gain_of_enrichment_is_complete_or_listed(data, context):
    assert enrichment_view(context).gain["gain"] == 2.49
    table = pd.DataFrame({"participant": ["sub-KX0001"], "gain": [1.0]})
    view = enrichment_view(build_context(replace(data, enrichment=table)))
    assert view.gain is None
    assert view.tables[0].columns == (("gain", "number"),)
