"""The plan of a locked persona: from its file to a table, a page and a reusable folder."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ketadask.cli.app import app
from ketadask.inference.trial_assumptions import TrialAssumptions, persona_effect
from ketadask.kernels.two_stage import InterimRule
from ketadask.schema.errors import InputError
from ketadask.search.persona import (
    DiscoveryEffect,
    DiscoveryRun,
    Persona,
    PersonaLiteral,
    PersonaOutcome,
)
from ketadask.study.plan import plan_next_trial

DISCOVERY = DiscoveryEffect(
    units=60, inside=21, outside=39, unknown=0, prevalence=0.35, prevalence_low=0.24,
    prevalence_high=0.47, benefit_inside=12.0, benefit_outside=0.5, difference=11.5,
    difference_low=2.0, difference_high=21.0, difference_shrunken=8.0, p_adjusted=0.01,
    verdict="supported", score_sd=10.0, outcome_sd=10.0,
)  # fmt: skip


def make_persona(polarity="favourable", design="crossover", **discovery):
    literal = PersonaLiteral(
        feature="bdi_10", low=0.0, high=None, text="bdi_10 > 0", modality="scale", kind="ordinal",
        measurement_unit="", label="Crying", lowest=0.0, highest=3.0, mean=1.0, sd=1.0,
    )  # fmt: skip
    return Persona(
        persona="ab12cd34", polarity=polarity, literals=(literal,),
        outcome=PersonaOutcome(scale="madrs", day=7, endpoint="improvement", unit="points"),
        arms={"active": "ketamine", "control": "saline"}, design=design, baseline="mean",
        discovery=DISCOVERY.model_copy(update=discovery),
        run=DiscoveryRun(name="demo", fingerprint="f", inputs="i", ketadask="0.1.0"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def persona_file(tmp_path_factory):
    return make_persona().write(tmp_path_factory.mktemp("lock") / "persona.json")


@pytest.fixture(scope="module")
def plan(persona_file, in_process, tmp_path_factory):
    trial = TrialAssumptions(screening_cost=300, visit_cost=500, visits=6)
    out = tmp_path_factory.mktemp("runs")
    return plan_next_trial(persona_file, trial, out=out, cluster=in_process)


def test_the_effect_is_the_shrunken_one_with_the_corrected_interval():
    effect = persona_effect(make_persona())
    assert effect.difference == 8.0
    assert (effect.observed, effect.threshold) == (11.5, 9.5)
    assert effect.observed_se == pytest.approx(10 * np.sqrt(1 / 21 + 1 / 39))
    assert effect.benefit == pytest.approx(0.35 * 12 + 0.65 * 0.5)
    # What the shrunken difference does not explain of the variance of all scores is within.
    total = 10.0**2 + 0.35 * 0.65 * 11.5**2
    assert effect.sd == pytest.approx(np.sqrt(total - 0.35 * 0.65 * 8.0**2))
    assert effect.groups == 1
    assert persona_effect(make_persona(design="pooled")).groups == 2


def test_of_an_unfavourable_persona_those_outside_are_planned():
    swap = {"difference_shrunken": -8.0, "difference_low": -21.0, "difference_high": -2.0}
    effect = persona_effect(make_persona("unfavourable", **swap))
    assert effect.difference == 8.0
    limits = (effect.prevalence, effect.prevalence_low, effect.prevalence_high)
    assert limits == pytest.approx((0.65, 0.53, 0.76))


def test_a_persona_without_corrected_interval_cannot_be_planned():
    with pytest.raises(InputError, match="no interval corrected for the search"):
        persona_effect(make_persona(difference_low=None))


def test_plan_has_a_row_per_design_and_curves(plan):
    table = plan.table.set_index("design")
    assert table.index.tolist() == ["all comers", "stratified", "enriched", "two-stage"]
    assert (table["power"] >= 0.8 - 1e-9).all()
    assert table["assurance"].between(0.3, 1).all()
    assert table.loc["enriched", "screened"] == np.ceil(table.loc["enriched", "randomised"] / 0.35)
    row = table.loc["two-stage"]
    assert row["randomised"] <= row["randomised_most"]
    assert table.loc["stratified", "cost"] == table.loc["stratified", "randomised"] * 3300
    at_half = np.interp(
        0.5, *plan.curves.query("design == 'enriched'")[["power", "n"]].T.to_numpy()
    )
    assert at_half < table.loc["enriched", "outcomes"]
    assert (plan.curves.groupby("design")["power"].max() > 0.9).all()


def test_page_says_what_the_table_says(plan):
    text = plan.page.read_text("utf-8")
    main = text.split("<main>")[1].split("</main>")[0]
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))
    assert "Crying above 0" in words
    for row in plan.table.to_dict("records"):
        assert f"{row['design']} {row['question']}" in words
    assert "Only the stratified design tests whether the persona predicts benefit" in words
    assert text.count('class="drawn"') == 4
    assert not re.search(r"\b(nan|None)\b", words, re.IGNORECASE)
    assert (
        pd.read_csv(plan.folder / "plan.csv")["outcomes"].tolist()
        == plan.table["outcomes"].tolist()
    )


def test_the_same_plan_simulates_nothing_again(plan, persona_file, in_process, monkeypatch):
    monkeypatch.setattr("ketadask.inference.power_graph.two_stage_row", None)
    trial = TrialAssumptions(screening_cost=300, visit_cost=500, visits=6)
    again = plan_next_trial(persona_file, trial, out=plan.folder.parent, cluster=in_process)
    pd.testing.assert_frame_equal(again.table, plan.table)


def test_command_prints_designs_and_page(persona_file, in_process, tmp_path):
    words = ["plan", str(persona_file), "--out", str(tmp_path), "--simulations", "500"]
    words += ["--cluster", str(in_process)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "stratified" in result.output
    assert result.output.strip().endswith("plan.html")
    rows = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert [row["design"] for row in rows][-1] == "two-stage"


def test_no_difference_has_no_size(in_process, tmp_path):
    flat = make_persona(difference_shrunken=0.0, benefit_inside=0.0, benefit_outside=0.0)
    trial = TrialAssumptions(interim=InterimRule(futility=1.0))
    file = flat.write(tmp_path / "p.json")
    plan = plan_next_trial(file, trial, out=tmp_path, cluster=in_process, simulations=500)
    assert plan.table["outcomes"].isna().all()
    assert "no size suffices" in plan.page.read_text("utf-8")
