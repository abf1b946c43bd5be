"""A study is told its chances before it runs, from sizes alone."""

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import dask
import pandas as pd
import pytest
from rich.console import Console

from ketadask.cli.main import run
from ketadask.cli.power import outlook_lines
from ketadask.cluster.profile import Profile
from ketadask.config.analysis import DataSettings, ExecutionSettings, SimulateSettings
from ketadask.config.study import StudySettings
from ketadask.inference.notebook import power
from ketadask.inference.power import Scenario
from ketadask.kernels.settings import LiteralSettings, SearchSettings
from ketadask.pipeline.progress import Progress
from ketadask.report.format import format_percent
from ketadask.study.power import PowerPreview, plan, planned_search, quick_look, study_power
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
def asked(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    quiet = Progress(Console(file=io.StringIO()))
    made = Study.read(path, out=tmp_path / "runs", progress=quiet)
    return replace(made, profile=Profile(kind="synchronous"))


def settings(**given):
    return StudySettings(name="a", data=DataSettings(simulate=SimulateSettings()), **given)


def test_a_small_study_of_many_features_is_hopeless_and_a_large_one_is_not():
    small = quick_look(settings(search=SearchSettings(2)), 16, 60)
    large = quick_look(settings(search=SearchSettings(1), literals=LiteralSettings(cuts=3)), 150, 4)
    assert small.hopeless
    assert not large.hopeless
    assert large.detected == large.simulations
    assert (large.scenario.participants, large.scenario.features) == (150, 4)


def test_the_outlook_says_what_helps():
    pooled = Scenario("pooled", participants=32, features=360, effect=2.1)
    first, second = outlook_lines(PowerPreview(pooled, 3, 40, 0.2))
    assert "HOPELESS" in first
    assert "3 of 40" in first
    for remedy in ("design.kind: crossover", "a list of 20 features", "more participants than 32"):
        assert remedy in second
    (line,) = outlook_lines(PowerPreview(pooled, 33, 40, 0.9))
    assert "33 of 40" in line
    few = PowerPreview(Scenario(participants=20, features=4, literals=1), 3, 40, 0.2)
    assert "what helps: more participants than 20;" in outlook_lines(few)[1]


def test_names_of_the_study_do_not_reach_the_simulation():
    named = settings(
        literals=LiteralSettings(cut_points={"age": (40.0,)}, intervals=True),
        search=SearchSettings(min_modalities=2, priority=("scale",)),
    )
    (scenario,) = plan(named, [40], [6], [2.0])
    assert quick_look(named, 40, 6).scenario == replace(scenario, effect=2.1)
    assert planned_search(named).intervals


def test_the_table_is_that_of_power_and_what_is_finished_is_kept(asked):
    wanted = plan(asked.settings, [20, 40], [4], [1.0, 3.0])
    table, folder = study_power(asked, wanted, simulations=25)
    with dask.config.set(scheduler="synchronous"):
        same = power(
            planned_search(asked.settings), simulations=25, seed=3, literals=1,
            participants=[20, 40], features=4, effect=[1.0, 3.0], prevalence=0.35,
        )  # fmt: skip
    pd.testing.assert_frame_equal(table, same, check_exact=True)
    blocks = asked.settings.model_copy(update={"execution": ExecutionSettings(block=7)})
    again, _ = study_power(replace(asked, settings=blocks), wanted, simulations=25)
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    assert "all 100 simulated studies already complete" in asked.progress.console.file.getvalue()
    drawn = ET.fromstring((folder / "power.svg").read_text())
    titles = [e.text for e in drawn.iter() if e.tag.endswith("title") and e.text]
    told = [text for text in titles if "participants, 4 features, d = " in text]
    assert len(told) == 4
    assert format_percent(table["power"].iloc[3]) in told[3]
    assert len(pd.read_csv(folder / "power.csv")) == 4


def test_the_commands(asked, tmp_path, capsys):
    profile = tmp_path / "here.yaml"
    profile.write_text("kind: synchronous\n")
    words = [str(tmp_path / "study.yaml"), "--out", str(tmp_path / "runs")]
    assert run(["check", *words]) == 0
    said = capsys.readouterr()
    assert "Outlook: " in said.out
    assert "simulating some studies" in said.err
    sizes = ["--participants", "30", "--effect", "3", "--simulations", "20"]
    assert run(["power", *words, "--cluster", str(profile), *sizes]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].endswith("power.svg")
    assert run(["power", *words, "--cluster", str(profile), *sizes, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["participants"], row["features"], row["simulations"]) == (30, 4, 20)
    assert 0 <= row["power_low"] <= row["power"] <= row["power_high"] <= 1
