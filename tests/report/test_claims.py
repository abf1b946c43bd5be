"""The first page: tone, warnings and what each claim rests on."""

from dataclasses import replace

import numpy as np
import pytest

from ketadask import names as nm
from ketadask.report.claims import claims_view
from ketadask.report.context import build_context
from ketadask.report.facts import settings_facts, summary_facts
from ketadask.report.page import render
from ketadask.report.report_data import ReportData
from tests.report.example_data import make_data, page_section
from tests.report.example_parts import make_trial_data


def claims_of(data, **parts):
    return claims_view(build_context(replace(data, **parts)))


def test_the_tone_follows_the_verdicts(data, context, noise_context):
    assert claims_view(context).tone == "supported"
    assert claims_view(noise_context).tone == "none"
    assert claims_view(build_context(make_data(nm.SUGGESTIVE))).tone == "suggestive"
    pending = claims_view(build_context(ReportData("Only begun")))
    assert pending.tone == "pending"
    assert "the verdicts" in pending.missing
    empty = claims_of(data, verdicts=data.verdicts.iloc[:0])
    assert (empty.tone, empty.best) == ("none", None)


def test_supported_personas_are_listed_and_the_rest_is_counted(data):
    view = claims_of(data, verdicts=data.verdicts.assign(verdict=nm.SUPPORTED))
    assert [row.rank for row in view.supported_personas] == [1, 2, 3]
    assert view.n_supported == len(data.verdicts)
    assert view.all_add
    untested = data.verdicts.assign(verdict=nm.SUPPORTED, p_incremental=float("nan"))
    assert not claims_of(data, verdicts=untested).all_add


LINEAR = {"feature": "age", "correlation": -0.41, "t": -4.2, "p": 0.004, "alpha": 0.01}


@pytest.mark.parametrize("supported", [True, False])
def test_a_linear_modifier_is_a_claim_beside_and_without_personas(data, supported):
    summary = {**data.summary, "companion": {"linear": {**LINEAR, "supported": supported}}}
    view = claims_of(data, summary=summary)
    assert (view.linear.label, view.linear.direction) == ("Age", "decreases")
    assert view.spread is None
    noise = data.verdicts.assign(verdict=nm.NOISE)
    for verdicts in (data.verdicts, noise):
        page = render(replace(data, summary=summary, verdicts=verdicts))
        claims = page_section(page, "claims")
        may = claims.split("What may not be claimed")[0]
        assert ("A single feature is associated with the benefit." in claims) == supported
        assert ("Benefit decreases with Age: the correlation" in may) == supported
        assert "Linear modifier" in page_section(page, "null")
    assert ("shows no persona beyond search noise" in may) == (not supported)


def test_too_few_relabellings_are_no_comparison_with_noise(data):
    noise = replace(data, verdicts=data.verdicts.assign(verdict=nm.NOISE))
    few = replace(noise, nulls=data.nulls[data.nulls["relabelling"] < 9])
    words = "the same search finds personas of this strength"
    assert words in page_section(render(noise), "claims")
    section = page_section(render(few), "claims")
    assert words not in section
    assert "no persona can be supported, however strong it is" in section
    nothing = page_section(render(replace(data, verdicts=data.verdicts[:0])), "claims")
    assert words not in nothing
    assert "The search found no admissible persona." in nothing


@pytest.mark.parametrize("verdict", [nm.SUPPORTED, nm.NOISE])
def test_the_objective_effect_makes_no_comparison_with_the_others(data, verdict):
    settings = {**data.settings, "search": {**data.settings["search"], "objective": "effect"}}
    gaps = dict.fromkeys(("difference_low", "difference_high", "difference_shrunken"), np.nan)
    verdicts = data.verdicts.assign(verdict=verdict, **gaps)
    page = render(replace(data, settings=settings, verdicts=verdicts))
    for name in ("claims", "verdicts", "personas"):
        section = page_section(page, name)
        assert "benefits more" not in section
        assert "benefited more" not in section
    assert "its objective compares with zero" in page_section(page, "benefit")
    assert "The interval of a benefit difference" not in page_section(page, "methods")


@pytest.mark.parametrize(("p", "is_notice"), [(0.03, True), (0.3, False)])
def test_a_predictable_spread_is_a_notice(data, p, is_notice):
    summary = {**data.summary, "companion": {"spread": {**LINEAR, "p": p}}}
    section = page_section(render(replace(data, summary=summary)), "claims")
    assert ("The spread of the benefit is predictable" in section) == is_notice


def test_too_few_relabellings_are_counted(data, context):
    few = data.nulls[data.nulls["relabelling"] < 9]
    assert claims_of(data, nulls=few).too_few == 9
    assert claims_view(context).too_few is None


def test_high_saturation_is_a_limit(data, context):
    assert claims_view(context).saturation == pytest.approx(0.93)
    low = {"polarities": {nm.FAVOURABLE: {"saturation": 0.4}}}
    assert claims_of(data, summary=low).saturation is None


@pytest.mark.parametrize(("strategy", "reason"), [("beam", "beam search"), ("exact", "limit")])
def test_a_search_without_proof_gives_its_reason(data, context, strategy, reason):
    searches = {
        p: {**row, "proven": False, "gap": 3.25} for p, row in data.summary["polarities"].items()
    }
    search = {**data.settings["search"], "strategy": strategy}
    view = claims_of(
        data,
        summary={**data.summary, "polarities": searches},
        settings={**data.settings, "search": search},
    )
    assert reason in view.unproven
    assert claims_view(context).unproven == ""


@pytest.mark.parametrize(("low", "agrees"), [(2.0, True), (-0.4, False)])
def test_new_trials_agree_if_their_interval_does(low, agrees):
    data = make_trial_data()
    polarity = str(data.verdicts.iloc[0]["polarity"])
    sign = -1.0 if polarity == nm.UNFAVOURABLE else 1.0
    low, high = sorted((sign * low, sign * 9.0))
    trials = data.summary["trials"]
    facts = {**trials["left_out"][polarity], "low": low, "high": high}
    left_out = {**trials["left_out"], polarity: facts}
    view = claims_of(data, summary={**data.summary, "trials": {**trials, "left_out": left_out}})
    assert view.new_trials.n_estimated == 8
    assert view.new_trials_agree == agrees


def test_settings_and_summary_have_one_default_each(data):
    settings = settings_facts(data.settings)
    assert (settings.max_literals, settings.group_by, settings.alpha) == (3, "participant", 0.05)
    assert (settings_facts({}).strategy, settings_facts({}).max_literals) == ("exact", None)
    summary = summary_facts(data.summary)
    assert summary.published_both == 0.984
    assert summary.selection[nm.FAVOURABLE].stability == 0.31
    assert summary_facts({}).searches == {}
    tests = {"alpha": {"p": 0.25, "t": 1.0}, "beta": {"p": 0.5, "t": 0.1}}
    assert summary_facts({"carry_over": tests}).carry_over_tests() == [
        ("alpha", 0.25),
        ("beta", 0.5),
    ]
    assert summary_facts({"carry_over": {"p": 0.25, "t": 1.0}}).carry_over_tests() == [("", 0.25)]
