"""Several trials from the command line: simulated, searched, and told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ketadask.cli.main import run
from ketadask.config.study import read_study

STUDY = Path(__file__).parents[2] / "config" / "multitrial.yaml"


def people(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "participants.tsv", sep="\t")


def test_trials_are_simulated_as_asked(tmp_path, capsys):
    words = ["--trials", "8", "--participants", "176", "--persona-trials", "1"]
    assert run(["simulate", str(tmp_path / "study"), *words]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "study")
    table = people(tmp_path / "study")
    assert table.trial.value_counts().tolist() == [22] * 8
    truth = json.loads((tmp_path / "study" / "truth.json").read_text())
    assert truth["persona_trials"] == ["trial-1"]


def test_more_trials_with_the_persona_than_trials_is_bad_input(tmp_path, capsys):
    assert run(["simulate", str(tmp_path / "study"), "--persona-trials", "2"]) == 2
    said = capsys.readouterr().err
    assert "persona_trials" in said
    assert "choose 1 to 1" in said
    assert not (tmp_path / "study").exists()


def test_the_study_of_several_trials_can_be_read():
    settings = read_study(STUDY)
    assert settings.data.simulate.trials == 8
    assert settings.features.harmonise == "site"
    assert read_study(STUDY, ["data.simulate.persona_trials=1"]).data.simulate.persona_trials == 1


@pytest.mark.slow
def test_check_names_the_trials(tmp_path, capsys):
    changes = ["features.harmonise=none", "data.simulate.participants=176"]
    words = [word for change in changes for word in ("--set", change)]
    assert run(["check", str(STUDY), *words, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "trials        8, units in each: trial-1 " in said
    assert "features.harmonise: site" in said


@pytest.mark.slow
def test_five_thousand_participants_of_eight_trials(tmp_path):
    words = ["--trials", "8", "--participants", "5000"]
    assert run(["simulate", str(tmp_path / "study"), *words]) == 0
    table = people(tmp_path / "study")
    assert len(table) == 5_000
    assert table.trial.value_counts().between(624, 626).all()


@pytest.mark.slow
def test_the_study_of_several_trials_runs(tmp_path, capsys):
    changes = [
        "splits.count=4",
        "null.relabellings=19",
        "null.calibration_studies=0",
        "search.max_literals=2",
    ]
    words = [word for change in changes for word in ("--set", change)]
    assert run(["run", str(STUDY), *words, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "Across trials" in said
    assert "of 8" in said
    report = Path(said.splitlines()[-1])
    assert 'id="across"' in report.read_text()
