"""A train side smaller than the smallest persona is told of; a study goes on all the same."""

from __future__ import annotations

import json

import pytest

from ketadask.cli.main import run
from ketadask.search.block import train_side
from ketadask.search.split_capacity import LOOKED_AT, split_capacity
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
TOLD = (
    "WARNING: nothing can be found in all 6 splits: a train side has 7 of 15 units, and a "
    "persona holds 8 or more and leaves somebody out; what helps: a smaller holdout "
    "(splits.train_size of 0.6 or more), search.min_support below 7, more participants"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "study.yaml").write_text(TINY)
    return folder


def test_search_and_report_say_that_splits_can_find_nothing(tiny):
    one = study(tiny)
    ending = one.run()
    assert f"splits: {TOLD}\n" in said(one)
    assert said(one).index(TOLD) < said(one).index("search: ")
    summary = json.loads((ending.folder / "summary.json").read_text())
    assert (summary["splits_too_small"], summary["explained"]["explained"]) == (6, 0)
    assert not len(one.place.hits().read_all("hits", 6))
    assert "Training sets too small:</strong> all" in ending.report.read_text()


def test_a_study_in_which_nothing_is_a_persona_ends_with_a_report(tiny):
    one = study(tiny, "search.min_support=15", "null.calibration_studies=0")
    ending = one.run()
    assert "in all 6 splits, nor among all units: a train side has 7 of 15" in said(one)
    assert len(ending.verdicts) == 0
    assert "Training sets too small:" in ending.report.read_text()


def test_check_says_so_before(tiny, capsys, monkeypatch):
    monkeypatch.setattr("ketadask.cli.power.print_outlook", lambda study, checked: None)
    words = ["check", str(tiny / "study.yaml"), "--out", str(tiny / "runs")]
    assert run(words) == 0
    assert f"splits        {TOLD}\n" in capsys.readouterr().out
    assert run([*words, "--set", "splits.train_size=0.6"]) == 0
    assert "nothing can be found" not in capsys.readouterr().out


def looked_at(folder, *changes):
    """Return search, splits and units of the tiny study, changed."""
    one = study(folder, *changes)
    folder = prepare_data(one.settings, one.out, one.progress)
    units = units_of(one.settings, read_cohort(one.settings, folder))
    return search_of(one.settings), splitter_of(one.settings, units), units


@pytest.mark.parametrize("remedy", ["splits.train_size=0.6", "search.min_support=6"])
def test_what_is_said_to_help_does(tiny, remedy):
    search, splitter, units = looked_at(tiny, remedy)
    assert split_capacity(search, splitter, units) is None
    problem = search.problem(units)
    assert all(
        len(search.solve(problem, train=train_side(problem, i, splitter=splitter)[1]["train"]).q)
        for i in range(splitter.n_splits)
    )


def test_some_splits_may_have_room_and_others_none(tiny):
    """The sides of a bootstrap differ from split to split."""
    search, splitter, units = looked_at(tiny, "splits.scheme=bootstrap", "splits.count=500")
    found = split_capacity(search, splitter, units)
    problem = search.problem(units)
    sides = [train_side(problem, i, splitter=splitter)[1]["train"] for i in range(LOOKED_AT)]
    without = [side for side in sides if not len(search.solve(problem, train=side).q)]
    assert 0 < found.without == len(without) < found.looked == LOOKED_AT
    assert found.train == min(side.sum() for side in sides)
    assert f"in {found.without} of {LOOKED_AT} splits" in found.line()
    assert "splits.train_size" not in found.line()
