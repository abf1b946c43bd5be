"""Checklists: the study answers what it can, the rest is open."""

from dataclasses import fields

import pytest

from ketadask.config.inputs import DataSettings, SimulateSettings
from ketadask.config.study import StudySettings
from ketadask.report.checklists import ITEMS, TRIAL_ITEMS, checklist_items, checklist_views
from ketadask.report.facts import SettingsFacts, settings_facts, summary_facts

SUMMARY = {
    "design": "crossover", "outcome": "madrs", "day": 7, "endpoint": "improvement",
    "participants": 33, "cases": 63, "units": 30, "features": 360, "literals": 3620,
    "splits": 1000, "relabellings": 999, "findings": 4, "supported": 1,
    "best": {
        "p_adjusted": 0.013, "verdict": "supported", "benefit_inside": 12.3,
        "benefit_outside": 1.2, "recurrence": 0.43, "confirmed_rate": 0.31,
    },
    "polarities": {"favourable": {"saturation": 0.7}, "unfavourable": {"saturation": 0.91}},
    "enrichment": {"benefit": 6.75},
}  # fmt: skip


STUDY = StudySettings(name="a", data=DataSettings(simulate=SimulateSettings()))


@pytest.fixture
def settings():
    values = STUDY.model_dump(mode="json")
    return settings_facts(values | {"literals": {"cuts": 6, "cut_points": {"age": [40]}}})


def test_the_report_reads_settings_that_exist():
    for field in fields(SettingsFacts):
        *sections, key = field.metadata.get("path", field.name).split(".")
        values = STUDY.model_dump(mode="json")
        assert key in (values[sections[0]] if sections else values), field.name


def answers(summary, settings):
    rows = checklist_items(summary_facts(summary), settings)
    keys = {item: key for _, item, key in (*TRIAL_ITEMS, *ITEMS)}
    return {keys[row.item]: row.answer for row in rows}


def test_answers_are_the_numbers_of_the_study(settings):
    by_key = answers(SUMMARY, settings)
    assert by_key["chance"] == "best persona: p = 0.0130 adjusted for the whole search, supported"
    assert "set by the authors for age" in by_key["cuts"]
    assert "1,000 splits" in by_key["holdout"]
    assert "recurs in 43.0 % and is confirmed in 31.0 %; no other trial" in by_key["holdout"]
    assert "91.0 % saturated" in by_key["limits"]
    assert by_key["overall"].startswith("6.75")
    assert "999 relabelled trials (max-T" in by_key["methods"]


def test_items_without_an_answer_of_the_study_are_open(settings):
    rows = checklist_items(summary_facts(SUMMARY), settings)
    for row, (_, item, key) in zip(rows, ITEMS, strict=True):
        assert (row.answer is None) == (key is None), item


def test_several_trials_have_more_items(settings):
    best = {"consistency": "in all trials", "n_agreeing": 8, "n_estimated": 8}
    best |= {"i2": 0.12, "cochran_p": 0.3}
    trials = {"count": 8, "best": best, "left_out": {"favourable": {"confirmed": 7}}}
    by_key = answers(SUMMARY | {"trials": trials}, settings)
    agreement = "in all trials; 8 of 8 effects point in its direction; I2 12 %, Q p = 0.300"
    assert agreement in by_key["consistency"]
    assert by_key["random_effects"].startswith("yes")
    assert by_key["holdout"].endswith("found without a trial and confirmed in it: "
                                      "7 of 8 (favourable)")  # fmt: skip
    few = {"count": 2, "best": best | {"i2": float("nan")}, "left_out": {}}
    by_key = answers(SUMMARY | {"trials": few}, settings)
    assert by_key["consistency"].endswith("point in its direction")


def test_a_study_without_results_answers_nothing(context, settings):
    assert set(answers({}, None).values()) == {None}
    assert answers(SUMMARY | {"best": None}, settings)["chance"] is None
    missing = SUMMARY | {"best": SUMMARY["best"] | {"recurrence": float("nan")}}
    assert answers(missing, settings)["holdout"] == "not yet"


def test_views_group_the_items_by_checklist(context):
    views = checklist_views(context)
    assert [view.name for view in views] == ["ICEMAN", "PATH", "REMARK", "TRIPOD+AI"]
    assert sum(len(view.rows) for view in views) == len(ITEMS)
    assert 0 < views[0].answer_count < len(views[0].rows)
