"""ketadask init: what it writes is checked without an edit, and names every guess."""

from __future__ import annotations

import resource
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import ketadask as kd
from ketadask.cli.main import run
from ketadask.config.study import read_study
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.study.check import check_study
from ketadask.study.draft import DECIDE, draft_study


def parallel(n=60):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "pat_no": [f"P{k}" for k in range(n)],
            "treatment": np.where(np.arange(n) % 2, "Drug A", "Placebo"),
            "age": rng.integers(20, 70, n),
            "smoker": rng.choice(["yes", "no"], n),
            "visit_date": "2024-02-01",
            "score0": rng.integers(20, 40, n),
            "responder": rng.choice([0, 1], n),
            "dropout": rng.choice([0, 1], n),
        }
    )


def visits(n=30):
    rng = np.random.default_rng(1)
    rows = []
    for k in range(n):
        for period, arm in enumerate(["drug", "placebo"][:: 1 if k % 2 else -1], start=1):
            rows += [(f"s{k}", period, arm, day, 30 - int(rng.integers(0, 9)) * (day > 0))
                     for day in (0, 1, 7)]  # fmt: skip
    return pd.DataFrame(rows, columns=["subject", "period", "arm", "day", "madrs_total"])


def people(n=30):
    rng = np.random.default_rng(2)
    first = np.where(np.arange(n) % 2, "d", "p")
    second = np.where(np.arange(n) % 2, "p", "d")
    columns = {"participant_id": [f"s{k}" for k in range(n)], "infusion_1": first}
    columns |= {"infusion_2": second, "age": rng.integers(20, 60, n), "crp": rng.normal(size=n)}
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Tables and folders as trials have them, by name."""
    folder = tmp_path_factory.mktemp("examples")
    rng = np.random.default_rng(3)
    parallel().to_csv(folder / "parallel.csv", index=False)
    table = visits().merge(people()[["participant_id", "age"]], left_on="subject",
                           right_on="participant_id")  # fmt: skip
    table.drop(columns="participant_id").to_excel(folder / "crossover.xlsx", index=False)
    survival = parallel().assign(time=rng.integers(1, 300, 60), status=rng.integers(0, 2, 60))
    survival.drop(columns=["score0", "responder"]).to_csv(folder / "survival.csv", index=False)
    wide = people().rename(columns={"participant_id": "subject"})
    wide = wide.assign(pain_drug=rng.integers(0, 9, 30), pain_placebo=rng.integers(2, 11, 30))
    wide = wide.drop(columns=["infusion_1", "infusion_2"])
    wide.assign(sequence=np.where(np.arange(30) % 2, "drug-placebo", "placebo-drug")).to_csv(
        folder / "wide.csv", index=False
    )
    (folder / "two").mkdir()
    visits().drop(columns="arm").to_csv(folder / "two" / "scores.csv", index=False)
    people().to_csv(folder / "two" / "people.csv", index=False)
    for layout in ("bids", "nda"):
        kd.simulate_study(folder / layout, participants=20, seed=7, layout=layout)
    return folder


def draft(data, folder):
    """Return the text of the YAML file, its settings, and what a check says."""
    file = folder / "study.yaml"
    file.write_text(draft_study(data, file))
    settings = read_study(file)
    return file.read_text(), settings, check_study(settings, folder / "runs", Progress.silent())


@pytest.mark.parametrize(
    ("name", "design", "outcome", "units"),
    [
        ("parallel.csv", "parallel", "responder", 60),
        ("crossover.xlsx", "crossover", "madrs", 30),
        ("two", "crossover", "madrs", 30),
        ("survival.csv", "parallel", "time", 60),
        ("wide.csv", "crossover", "pain", 30),
        ("bids", "crossover", "madrs", 16),
        ("nda", "crossover", "madrs", 16),
    ],
)
def test_a_draft_passes_the_check_as_it_is(name, design, outcome, units, examples, tmp_path):
    text, settings, report = draft(examples / name, tmp_path)
    assert (settings.design.kind, settings.outcome.name) == (design, outcome)
    assert report.units >= units
    assert not report.stops
    assert text.startswith("# yaml-language-server: $schema=")
    assert len([line for line in text.splitlines() if line[0] != "#"]) <= 20


def test_every_guess_has_its_reason_and_the_alternatives(examples, tmp_path):
    text, settings, report = draft(examples / "parallel.csv", tmp_path)
    assert "participant: pat_no" in text
    assert "# by its name" in text
    assert "# age, smoker" in text
    assert "not used: dropout, its name says after treatment" in text
    assert "not used: visit_date" in text
    assert settings.data.arms == {"Drug A": "active", "Placebo": "control"}
    assert settings.outcome.kind == "binary"
    assert settings.outcome.direction == "higher"
    assert DECIDE not in text
    assert set(report.modalities["modality"]) == {"demographic", "parallel"}


def test_time_to_event_and_columns_per_arm_are_written(examples, tmp_path):
    text, settings, _ = draft(examples / "survival.csv", tmp_path)
    assert (settings.outcome.endpoint, settings.outcome.event) == ("survival", "status")
    assert f"{DECIDE}: higher where late is better" in text
    text, settings, report = draft(examples / "wide.csv", tmp_path)
    assert settings.data.table.wide_pattern == "(?P<name>pain)_(?P<arm>drug|placebo)"
    assert set(report.modalities["modality"]) == {"demographic", "wide"}


def test_an_outcome_of_words_names_the_one_that_counts(tmp_path):
    table = parallel().drop(columns=["responder", "score0"])
    levels = ["None", "Some", "Marked"]
    table.assign(outcome=[levels[k % 3] for k in range(60)]).to_csv(tmp_path / "t.csv", index=False)
    text, settings, report = draft(tmp_path / "t.csv", tmp_path)
    assert f"{DECIDE}: counts as 1; or Marked, None" in text
    assert settings.outcome.level == "Some"
    assert settings.outcome.endpoint == "binary"
    reasons = [entry["reason"] for entry in report.columns if entry["column"] == "outcome"]
    assert reasons == ["1 is Some, 0 is Marked, None"]


def test_what_only_a_person_knows_is_marked_and_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = parallel().drop(columns=["responder", "score0"])
    table["treatment"] = np.where(np.arange(60) % 2, "A", "B")
    table.assign(change=np.arange(60.0) % 7).to_csv("trial.csv", index=False)
    assert run(["init", "trial.csv"]) == 0
    shown = capsys.readouterr().out
    assert f"{DECIDE}: neither A nor B is a word for a control" in shown
    assert f"{DECIDE}: lower or higher" in shown
    assert shown.splitlines()[-1] == "wrote study.yaml; next: ketadask check study.yaml"
    assert run(["init", "trial.csv"]) == 2
    assert "the file exists" in capsys.readouterr().err


def test_a_wrong_path_and_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match="no such file or folder; check the path"):
        draft_study(tmp_path / "none.csv", tmp_path / "study.yaml")
    with pytest.raises(InputError, match=r"no table in the folder; name a file that ends in \.csv"):
        draft_study(tmp_path, tmp_path / "study.yaml")


def test_the_public_data_set(real_data, tmp_path):
    _, settings, report = draft(real_data / "clinical" / "ds005917", tmp_path)
    assert settings.outcome.scale == "madrs"
    assert report.units > 25


@pytest.mark.slow
@pytest.mark.parametrize("size", [(20_000, 60), (12, 100_000)], ids=["columns", "rows"])
def test_init_and_check_of_a_large_table_take_seconds(size, tmp_path):
    n_columns, n = size
    rng = np.random.default_rng(4)
    markers = rng.normal(size=(n, n_columns)).round(2)
    table = parallel(n).drop(columns="responder").assign(score=rng.integers(5, 30, n))
    names = [f"marker_{k}" for k in range(n_columns)]
    pd.concat([table, pd.DataFrame(markers, columns=names)], axis=1).to_csv(
        tmp_path / "t.csv", index=False
    )
    seconds = []
    for words in (["init", "t.csv", "-o", "t.yaml"], ["check", "t.yaml"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "ketadask", *words]
        subprocess.run(command, check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"{n_columns:,} columns, {n:,} rows: init {seconds[0]:.1f} s, check {seconds[1]:.1f} s")
    assert max(seconds) < 20  # of a processor, not of the clock
