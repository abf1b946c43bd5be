"""A study of several trials, end to end: its tables, its words, and the same bytes again."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from ketadask import names as nm
from ketadask.inference.trial_effects import IN_ALL, IN_ONE
from ketadask.schema.tables import LEFT_OUT, SUMMARIES, TRIALS
from tests.study.test_study import study

SEVERAL = """
name: several
seed: 3
data: {simulate: {participants: PEOPLE, trials: 4, seed: 11, effect: EFFECT, persona_trials: HELD}}
features:
  harmonise: site
  include: [age, sex, bmi, bdi_10, "wm-lh-posteriorcingulate", "wm-rh-inferiorparietal"]
search: {max_literals: 3, keep: 30}
splits: {count: 8}
null: {relabellings: 19, calibration_studies: 0}
"""
FILES = ("trials.parquet", "trial_summaries.parquet", "trials_left_out.parquet", "summary.json")


def several(folder, *, held=4, people=180, effect=2.1):
    text = SEVERAL.replace("PEOPLE", str(people)).replace("HELD", str(held))
    (folder / "study.yaml").write_text(text.replace("EFFECT", str(effect)))
    return folder


@pytest.fixture(scope="module")
def in_all(tmp_path_factory):
    return study(several(tmp_path_factory.mktemp("all"))).run()


def test_a_persona_of_all_trials_is_supported_and_said_to_hold_in_all(in_all):
    summary = json.loads((in_all.folder / "summary.json").read_text())
    assert summary["best"]["verdict"] == nm.SUPPORTED
    told = summary["trials"]
    assert told["count"] == 4
    assert (told["best"]["consistency"], told["best"]["n_rediscovered"]) == (IN_ALL, 4)
    assert told["left_out"]["favourable"]["low"] > 0
    page = in_all.report.read_text()
    assert 'id="across"' in page
    assert "in all trials" in page


def test_the_tables_keep_their_contracts(in_all):
    for name, contract in zip(FILES, (TRIALS, SUMMARIES, LEFT_OUT), strict=False):
        contract.check(pd.read_parquet(in_all.folder / name))
    verdicts = pd.read_parquet(in_all.folder / "verdicts.parquet")
    trials = pd.read_parquet(in_all.folder / "trials.parquet")
    assert len(trials) == 4 * len(verdicts)
    inside = trials.groupby("rank")["inside"].sum()
    assert inside.tolist() == verdicts["support"].tolist()


@pytest.mark.slow
def test_the_searches_without_a_trial_are_not_made_twice(in_all):
    parts = sorted((in_all.folder / "left_out").glob("*.parquet"))
    assert len(parts) >= 4
    before = {p: p.stat().st_mtime_ns for p in parts}
    again = study(in_all.folder.parents[1], "verdict.alpha=0.06").run()
    assert again.folder == in_all.folder
    assert {p: p.stat().st_mtime_ns for p in parts} == before


@pytest.mark.slow
def test_the_same_bytes_in_any_blocks(tmp_path):
    runs = [
        study(several(tmp_path), f"execution.block={block}", out=f"runs-{block}").run().folder
        for block in (1, 3)
    ]
    for name in (*FILES, "verdicts.parquet"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes()


def test_status_names_the_trials_left_out(in_all):
    stages = [each.stage for each in study(in_all.folder.parents[1]).status()]
    assert "leave out" in stages


def test_check_counts_the_units_of_each_trial(in_all):
    folder = in_all.folder.parents[1]
    checked = study(folder).check()
    assert list(checked.trials) == ["trial-1", "trial-2", "trial-3", "trial-4"]
    assert sum(checked.trials.values()) == checked.units
    assert checked.n_sites == 1
    assert study(folder, "features.harmonise=none").check().n_sites == 4


@pytest.mark.slow
def test_one_trial_has_no_such_section(tmp_path):
    ending = study(tmp_path, "splits.count=4").run()
    assert "trials" not in json.loads((ending.folder / "summary.json").read_text())
    assert not (ending.folder / "trials.parquet").exists()
    page = ending.report.read_text()
    assert 'id="across"' not in page
    assert "Across trials" not in page


@pytest.mark.slow
def test_a_persona_of_a_single_trial_is_shown_as_such(tmp_path):
    ending = study(several(tmp_path, held=1, people=800, effect=3.5)).run()
    summary = json.loads((ending.folder / "summary.json").read_text())
    assert summary["best"]["verdict"] == nm.SUPPORTED
    best = summary["trials"]["best"]
    assert (best["consistency"], best["only_trial"]) == (IN_ONE, "trial-1")
    assert best["low"] < 0
    assert summary["trials"]["left_out"]["favourable"]["low"] < 0
    assert "in a single trial only" in ending.report.read_text()
