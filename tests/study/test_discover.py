"""kd.discover: from a DataFrame to verdicts, with the numbers of the study in a YAML file."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from markupsafe import escape
from matplotlib.text import Text

import ketadask as kd
from ketadask import plot
from ketadask.cluster.profile import Profile
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.schema.phenotype import Phenotype
from ketadask.study.study import Study

QUICK = {
    "null__relabellings": 39,
    "null__calibration_studies": 0,
    "splits__count": 20,
    "search__max_literals": 2,
    "search__keep": 20,
}
YAML = """
name: parallel
data:
  table: {file: trial.csv, participant: id, arm: arm, site: centre}
outcome: {column: change, direction: lower}
design: {kind: parallel}
search: {max_literals: 2, keep: 20}
splits: {count: 20}
null: {relabellings: 39, calibration_studies: 0}
"""


def trial(n=120, seed=3):
    """A parallel trial in which smokers with a high crp benefit by three units more."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "id": [f"p{k:03d}" for k in range(n)],
            "arm": np.where(np.arange(n) % 2, "Drug A", "Placebo"),
            "age": rng.integers(20, 70, n),
            "crp": rng.gamma(2, 2, n).round(2),
            "il6": rng.normal(size=n).round(3),
            "smoker": rng.choice(["yes", "no"], n),
            "centre": rng.choice(["Bonn", "Lyon"], n),
        }
    )
    inside = (table["smoker"] == "yes") & (table["crp"] > 3)
    change = -4.0 * (table["arm"] == "Drug A") * inside + rng.normal(size=n)
    return table.assign(change=change.round(3))


@pytest.fixture(scope="module")
def table():
    return trial()


@pytest.fixture(scope="module")
def result(table, tmp_path_factory):
    return discover(table, tmp_path_factory.mktemp("store"))


def discover(table, store, **options):
    return kd.discover(
        table[["age", "crp", "il6", "smoker"]],
        table["arm"],
        table["change"],
        direction="lower",
        strata=table["centre"],
        participant=table["id"],
        store=store,
        **QUICK,
        **options,
    )


def test_the_planted_persona_is_the_first_verdict(result):
    first = result.verdicts.iloc[0]
    assert "smoker = yes" in first["text"]
    assert first["verdict"] == "supported"
    assert result.summary["design"] == "parallel"
    assert len(result.personas) >= len(result.verdicts)
    assert repr(result).startswith("<Discovery: ")


def test_its_card_has_the_overall_effect_and_the_first_personas(table, result):
    html, first = result._repr_html_(), result.verdicts.iloc[0]
    words = " ".join(re.sub(r"<[^>]*>", " ", html.split("<svg")[0]).split())
    n_supported = (result.verdicts["verdict"] == "supported").sum()
    assert f"Verdicts {n_supported} supported, " in words
    assert f"difference {result.summary['overall']['difference']:.1f} (95 % CI " in words
    assert f"1. {escape(result.run.labels[0])} supported, benefits more: p 0.025" in words
    assert f"{first['support']} inside, {first['outside']} outside" in words
    low, high = first["difference_low"], first["difference_high"]
    assert f"{first['difference_shrunken']:.1f} ({low:.1f} to {high:.1f}) corrected" in words
    assert 'aria-label="Benefit inside minus outside' in html
    assert not [name for name in table["id"] if name in html]


def test_the_numbers_are_those_of_the_yaml_study(table, result, tmp_path):
    table.to_csv(tmp_path / "trial.csv", index=False)
    (tmp_path / "study.yaml").write_text(YAML)
    study = Study.read(tmp_path / "study.yaml", out=tmp_path / "runs", progress=Progress.silent())
    verdicts = replace(study, profile=Profile(kind="synchronous")).run().verdicts
    pd.testing.assert_frame_equal(verdicts, result.verdicts, check_exact=True)


def test_report_and_figures(result, tmp_path):
    page = result.report(tmp_path / "pages" / "report.html")
    assert "smoker = yes" in page.read_text()
    for draw in (plot.personas, plot.null, plot.stability, plot.risk_coverage):
        texts = [
            [text.get_text() for text in draw(source).findobj(Text)]
            for source in (result, result.run.folder)
        ]
        assert texts[0] == texts[1]
        assert len(texts[0]) > 5
    axes = plot.waterfall(result)
    assert len(axes.patches) == result.data.units.sizes["unit"]
    assert axes.get_legend().get_texts()[0].get_text().startswith("inside (n = ")
    plt.close("all")


def test_a_second_call_computes_nothing_again(table, result):
    again = discover(table, result.study.out)
    assert [stage.new for stage in again.run.stages if stage.total] == [0] * len(again.run.stages)
    pd.testing.assert_frame_equal(again.verdicts, result.verdicts)


def test_with_a_client_the_numbers_are_the_same(table, result, tmp_path):
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        on_cluster = discover(table, tmp_path)
        assert client.status == "running"
    pd.testing.assert_frame_equal(on_cluster.verdicts, result.verdicts, check_exact=True)


def test_an_array_and_arms_of_0_and_1(tmp_path):
    rng = np.random.default_rng(0)
    X, drug = rng.normal(size=(80, 3)), np.arange(80) % 2 == 1
    y = 3.0 * drug * (X[:, 1] > 0) + rng.normal(size=80)
    result = kd.discover(X, drug, y, direction="higher", store=tmp_path, **QUICK)
    assert result.verdicts["text"].iloc[0].startswith("x1 >")
    assert result.verdicts["polarity"].iloc[0] == "favourable"
    wrong = kd.discover(X, drug, y, direction="lower", store=tmp_path, **QUICK)
    assert wrong.verdicts["text"].iloc[0].startswith("x1 <=")


def test_a_crossover(tmp_path):
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(50), 2)
    period = np.tile([1, 2], 50)
    drug = (period == 1) == (person % 2 == 0)
    X = pd.DataFrame(rng.normal(size=(50, 3))[person], columns=["ldl", "crp", "il6"])
    change = -4.0 * drug * (X["crp"] > 0.1) + rng.normal(size=100)
    options = {"design": "crossover", "direction": "lower", "participant": person}
    result = kd.discover(X, drug, change, period=period, store=tmp_path, **options, **QUICK)
    assert result.summary["units"] == 50
    assert result.verdicts["text"].iloc[0].startswith("crp > ")
    assert result.verdicts["verdict"].iloc[0] == "supported"
    before = rng.normal(30, 2, size=100)  # of each period
    options |= {"period": period, "baseline": before, "store": tmp_path}
    options["features__exclude"] = ["baseline"]
    same = kd.discover(X, drug, before + change, **options, **QUICK).verdicts
    columns = ["text", "support", "p_adjusted", "verdict"]
    pd.testing.assert_frame_equal(same[columns], result.verdicts[columns])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": np.ones(3)}, r"outcome of discover: needs one value per row of X, found \(3,\)"),
        ({"direction": None}, "direction"),
        ({"design": "parallell"}, "design.kind: unknown word, found 'parallell'; did you mean"),
        ({"splits__cuont": 3}, "splits.cuont: unknown key; did you mean 'splits.count'"),
        ({"arms": {"Drug B": "active", "Placebo": "control"}}, "Drug B"),
    ],
)
def test_errors_name_the_argument_and_the_remedy(change, words, table, tmp_path):
    options = {"y": table["change"], "direction": "lower", "store": tmp_path} | change
    with pytest.raises(InputError, match=words):
        kd.discover(table[["age", "crp"]], table["arm"], **options)


@pytest.mark.parametrize(
    "call",
    [
        kd.assemble,
        lambda table: kd.assemble(Phenotype(table), participants=table),
        lambda table: kd.assemble(table, participants=table),
        kd.score_units,
        lambda table: kd.null(kd.PersonaSearch(), table),
        lambda table: kd.PersonaSearch().run(table[["age"]], kd.HoldoutSplit(3)),
    ],
)
def test_other_functions_send_a_data_frame_here(call, table):
    with pytest.raises(InputError, match=r"found .?.?'DataFrame'.*kd.discover"):
        call(table)


@pytest.mark.slow
def test_the_example_of_the_readme_runs(table, tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "README.md").read_text()
    block = next(b for b in re.findall(r"```python\n(.*?)```", text, re.S) if "discover" in b)
    lines = [line for line in block.splitlines() if line and not line.startswith("import")]
    assert len(lines) == 5
    table.to_csv(tmp_path / "trial.csv", index=False)
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(compile(ast.parse(block), "README.md", "exec"), space)
    assert "smoker = yes" in space["result"].verdicts["text"].iloc[0]
