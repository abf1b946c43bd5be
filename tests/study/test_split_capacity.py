"""Training sets too small for a persona give a warning; the study continues."""

from __future__ import annotations

import json

import pytest

from ketadask.cli.main import run
from ketadask.search.block import train_side
from ketadask.search.split_capacity import MAX_CHECKED, split_capacity
from ketadask.study.from_settings import read_cohort, search_of, splitter_of, units_of
from ketadask.study.paths import prepare_data
from tests.study.test_study import said, study

TINY = """
name: tiny
seed: 3
data: {simulate: {participants: 16, seed: 7}}
features: {include: [age, bmi, "bdi_1*"]}
search: {max_literals: 2, keep: 20}
splits: {count: 6}
null: {relabellings: 19, calibration_studies: 3, calibration_splits: 3}
"""
WARNING = (
    "Warning: training sets of all 6 splits are too small for a persona: 7 of 15 units, expected "
    "more than 8; possible remedies: splits.train_size of 0.6 or more, search.min_support below 7, "
    "more participants"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "study.yaml").write_text(TINY)
    return folder


def test_search_and_report_warn_of_small_training_sets(tiny):
    one = study(tiny)
    ending = one.run()
    assert f"splits: {WARNING}\n" in said(one)
    assert said(one).index(WARNING) < said(one).index("search: ")
    summary = json.loads((ending.folder / "summary.json").read_text())
    assert (summary["splits_too_small"], summary["explained"]["explained"]) == (6, 0)
    assert not len(one.paths.hits().read_all("hits", 6))
    assert "Training sets too small:</strong> all" in ending.report.read_text()


def test_a_study_without_admissible_personas_ends_with_a_report(tiny):
    one = study(tiny, "search.min_support=15", "null.calibration_studies=0")
    ending = one.run()
    assert "all 6 splits and all units together are too small for a persona: 7 of 15" in said(one)
    assert len(ending.verdicts) == 0
    assert "Training sets too small:" in ending.report.read_text()


def test_check_warns_before(tiny, capsys, monkeypatch):
    monkeypatch.setattr("ketadask.cli.power.print_power_preview", lambda study, checked: None)
    words = ["check", str(tiny / "study.yaml"), "--out", str(tiny / "runs")]
    assert run(words) == 0
    assert f"splits        {WARNING}\n" in capsys.readouterr().out
    assert run([*words, "--set", "splits.train_size=0.6"]) == 0
    assert "Warning" not in capsys.readouterr().out


def search_parts(folder, *changes):
    """Return search, splits and units of the tiny study, changed."""
    one = study(folder, *changes)
    folder = prepare_data(one.settings, one.out, one.progress)
    units = units_of(one.settings, read_cohort(one.settings, folder))
    return search_of(one.settings), splitter_of(one.settings, units), units


@pytest.mark.parametrize("remedy", ["splits.train_size=0.6", "search.min_support=6"])
def test_each_remedy_helps(tiny, remedy):
    search, splitter, units = search_parts(tiny, remedy)
    assert split_capacity(search, splitter, units) is None
    problem = search.problem(units)
    assert all(
        len(search.solve(problem, train=train_side(problem, i, splitter=splitter)[1]["train"]).q)
        for i in range(splitter.n_splits)
    )


def test_some_training_sets_may_be_large_enough(tiny):
    """The training sets of a bootstrap differ from split to split."""
    search, splitter, units = search_parts(tiny, "splits.scheme=bootstrap", "splits.count=500")
    capacity = split_capacity(search, splitter, units)
    problem = search.problem(units)
    train_masks = [
        train_side(problem, i, splitter=splitter)[1]["train"] for i in range(MAX_CHECKED)
    ]
    empty = [mask for mask in train_masks if not len(search.solve(problem, train=mask).q)]
    assert 0 < capacity.n_too_small == len(empty) < capacity.n_checked == MAX_CHECKED
    assert capacity.train == min(mask.sum() for mask in train_masks)
    assert f"training sets of {capacity.n_too_small} of {MAX_CHECKED} splits" in capacity.line()
    assert "splits.train_size" not in capacity.line()
