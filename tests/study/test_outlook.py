"""Power of a study before it runs, from its size alone."""

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import dask
import pandas as pd
import pytest
from rich.console import Console

from ketadask.cli.main import run
from ketadask.cli.power import preview_lines
from ketadask.cluster.profile import Profile
from ketadask.config.analysis import ExecutionSettings
from ketadask.config.inputs import DataSettings, SimulateSettings
from ketadask.config.study import StudySettings
from ketadask.inference.notebook import power
from ketadask.inference.power import Scenario
from ketadask.kernels.settings import LiteralSettings
from ketadask.pipeline.progress import Progress
from ketadask.report.format import format_percentage
from ketadask.search.settings import LengthSettings
from ketadask.study.power import PowerPreview, plan, planned_search, preview_power, study_power
from ketadask.study.study import Study

STUDY = """
name: small
seed: 3
data: {simulate: {participants: 30, seed: 11}}
features: {include: [age, sex, bmi, bdi_10]}
search: {max_literals: 1}
literals: {cuts: 2}
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    quiet = Progress(Console(file=io.StringIO()))
    opened = Study.read(path, out=tmp_path / "runs", progress=quiet)
    return replace(opened, profile=Profile(kind="synchronous"))


def settings(**options):
    return StudySettings(name="a", data=DataSettings(simulate=SimulateSettings()), **options)


def test_power_is_very_low_for_a_small_study_of_many_features_only():
    small = preview_power(settings(search=LengthSettings(2)), 16, 60)
    large = preview_power(
        settings(search=LengthSettings(1), literals=LiteralSettings(cuts=3)), 150, 4
    )
    assert small.is_very_low
    assert not large.is_very_low
    assert large.n_detected == large.simulations
    assert (large.scenario.participants, large.scenario.features) == (150, 4)
    detections = [n / count for _, n, count in large.smaller]
    assert [effect for effect, _, _ in large.smaller] == [0.8, 1.2][-len(detections) :]
    assert detections == sorted(detections)


def test_the_preview_names_remedies():
    pooled = Scenario("pooled", participants=32, features=360, effect=2.1)
    first, second = preview_lines(PowerPreview(pooled, 3, 40, 0.2))
    assert first.startswith("Very low power: even")
    assert "3 of 40" in first
    for remedy in ("design.kind: crossover", "list of 20 features", "more than 32 participants"):
        assert remedy in second
    (line,) = preview_lines(PowerPreview(pooled, 33, 40, 0.9))
    assert "33 of 40" in line
    (line,) = preview_lines(PowerPreview(pooled, 33, 40, 0.9, ((0.8, 2, 20), (1.2, 7, 20))))
    assert line.endswith("smaller ones: d = 0.8 in 2 of 20, d = 1.2 in 7 of 20")
    few = PowerPreview(Scenario(participants=20, features=4, literals=1), 3, 40, 0.2)
    assert "To increase power: more than 20 participants." in preview_lines(few)[1]


def test_names_of_the_study_do_not_reach_the_simulation():
    named = settings(
        literals=LiteralSettings(cut_points={"age": (40.0,)}, intervals=True),
        search=LengthSettings(min_modalities=2, priority=("scale",)),
    )
    (scenario,) = plan(named, [40], [6], [2.0])
    assert preview_power(named, 40, 6).scenario == replace(scenario, effect=2.1)
    assert planned_search(named).intervals


def test_the_table_is_that_of_power_and_parts_are_reused(study):
    scenarios = plan(study.settings, [20, 40], [4], [1.0, 3.0])
    table, folder = study_power(study, scenarios, simulations=25)
    with dask.config.set(scheduler="synchronous"):
        same = power(
            planned_search(study.settings), simulations=25, seed=3, literals=1, alpha=0.04,
            participants=[20, 40], features=4, effect=[1.0, 3.0], prevalence=0.35,
        )  # fmt: skip
    pd.testing.assert_frame_equal(table, same, check_exact=True)
    blocks = study.settings.model_copy(update={"execution": ExecutionSettings(block=7)})
    again, _ = study_power(replace(study, settings=blocks), scenarios, simulations=25)
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    assert "all 100 simulated studies already complete" in study.progress.console.file.getvalue()
    figure = ET.fromstring((folder / "power.svg").read_text())
    titles = [e.text for e in figure.iter() if e.tag.endswith("title") and e.text]
    labels = [text for text in titles if "participants, 4 features, d = " in text]
    assert len(labels) == 4
    assert format_percentage(table["power"].iloc[3]).replace("\xa0", " ") in labels[3]
    assert len(pd.read_csv(folder / "power.csv")) == 4


def test_the_commands(study, tmp_path, capsys):
    profile = tmp_path / "here.yaml"
    profile.write_text("kind: synchronous\n")
    words = [str(tmp_path / "study.yaml"), "--out", str(tmp_path / "runs")]
    assert run(["check", *words]) == 0
    said = capsys.readouterr()
    assert re.search("^(Very low power|Power): ", said.out, re.MULTILINE)
    assert "simulating studies" in said.err
    sizes = ["--participants", "30", "--effect", "3", "--simulations", "20"]
    assert run(["power", *words, "--cluster", str(profile), *sizes]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].endswith("power.svg")
    assert run(["power", *words, "--cluster", str(profile), *sizes, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["participants"], row["features"], row["simulations"]) == (30, 4, 20)
    assert 0 <= row["power_low"] <= row["power"] <= row["power_high"] <= 1
