"""Checklists: what the study knows is filled from its numbers, the rest is open."""

import pytest

from ketadask.config.analysis import DataSettings, SimulateSettings
from ketadask.config.study import StudySettings
from ketadask.report.checklists import ITEMS, checklist

SUMMARY = {
    "design": "crossover", "outcome": "madrs", "day": 7, "endpoint": "improvement",
    "participants": 33, "cases": 63, "units": 30, "features": 360, "literals": 3620,
    "splits": 1000, "relabellings": 999, "findings": 4, "supported": 1,
    "best": {
        "p_adjusted": 0.013, "verdict": "supported", "benefit_inside": 12.3,
        "benefit_outside": 1.2, "recurrence": 0.43, "confirmed": 0.31,
    },
    "polarities": {"favourable": {"saturation": 0.7}, "unfavourable": {"saturation": 0.91}},
    "enrichment": {"benefit": 6.75},
}  # fmt: skip


@pytest.fixture
def settings():
    made = StudySettings(
        name="a",
        data=DataSettings(simulate=SimulateSettings()),
        literals={"explicit": {"age": (40,)}},
    )
    return made.model_dump(mode="json")


def answers(told):
    return {f"{name}: {item}": answer for name, item, answer in told}


def test_answers_are_the_numbers_of_the_study(settings):
    told = answers(checklist(SUMMARY, settings))
    chance = told["ICEMAN: 3 Does a test of interaction make chance unlikely?"]
    assert chance == "best persona: p = 0.0130 adjusted for the whole search, supported"
    assert (
        "given by the authors for age"
        in told["ICEMAN: 5 Were arbitrary cut points of continuous modifiers avoided?"]
    )
    holdout = told["PATH: Is it validated on participants it was not made from?"]
    assert "1,000 splits" in holdout
    assert "hit in 43.0 %, confirmed in 31.0 %; not on another trial" in holdout
    assert "91.0 % saturated" in told["TRIPOD+AI: 26 Limitations"]
    assert told["PATH: Is the overall effect of treatment reported?"].startswith("6.75")
    assert (
        "999 relabelled trials (max-T"
        in told["REMARK: 10 Statistical methods, missing values included"]
    )


def test_what_only_authors_know_is_open(settings):
    told = checklist(SUMMARY, settings)
    own = [key for _, _, key in ITEMS]
    for (_, item, answer), key in zip(told, own, strict=True):
        assert (answer is None) == (key is None), item
    assert {name for name, _, _ in told} == {"ICEMAN", "PATH", "REMARK", "TRIPOD+AI"}


def test_several_trials_are_asked_more(settings):
    best = {"where": "in all trials", "agreeing": 8, "measured": 8, "i2": 0.12, "q_p": 0.3}
    trials = {"count": 8, "best": best, "left_out": {"favourable": {"confirmed": 7}}}
    told = answers(checklist(SUMMARY | {"trials": trials}, settings))
    assert len(told) == len(ITEMS) + 3
    similar = told["ICEMAN: Is the effect modification similar from trial to trial?"]
    assert "in all trials; 8 of 8 effects point its way; I2 12 %, Q p = 0.300" in similar
    assert told["ICEMAN: Was a random effects model used?"].startswith("yes")
    holdout = told["PATH: Is it validated on participants it was not made from?"]
    assert holdout.endswith("confirmed in 31.0 %; found without a trial and confirmed in it: "
                            "7 of 8 (favourable)")  # fmt: skip
    few = {"count": 2, "best": best | {"i2": float("nan")}, "left_out": {}}
    told = answers(checklist(SUMMARY | {"trials": few}, settings))
    assert told["ICEMAN: Is the effect modification similar from trial to trial?"].endswith("way")


def test_a_study_that_has_not_begun_answers_nothing():
    assert all(answer is None for _, _, answer in checklist({}, {}))


def test_a_study_without_findings_claims_none(settings):
    told = answers(checklist(SUMMARY | {"best": None, "findings": 0, "supported": 0}, settings))
    assert told["ICEMAN: 3 Does a test of interaction make chance unlikely?"] is None
    missing = SUMMARY | {"best": SUMMARY["best"] | {"recurrence": float("nan")}}
    told = answers(checklist(missing, settings))
    assert told["PATH: Is it validated on participants it was not made from?"] == "not yet"
