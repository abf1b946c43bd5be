"""Tasks of an array: together they make what one run makes, and say what they cannot do."""

from __future__ import annotations

import pytest

from ketadask.schema.errors import InputError
from ketadask.study.array import run_array_task
from tests.study.test_stopping import NOISE, known_at, stopped
from tests.study.test_study import results, said, study

ASKED = [*NOISE, "splits.count=24", "null.relabellings=60", "verdict.suggestive=0.1"]
STOPS = ["splits.stop=early", "null.stop=early"]


def test_an_array_computes_all_and_its_verdicts_stop_where_a_run_stops(tmp_path, monkeypatch):
    monkeypatch.setattr("ketadask.inference.interim.FIRST_INTERIM", 5)
    monkeypatch.setattr("ketadask.inference.interim.Convergence.is_precise", known_at(10))
    whole = study(tmp_path, *ASKED, *STOPS).run()
    for number in (1, 0):
        one = study(tmp_path, *ASKED, *STOPS, out="array")
        run_array_task(one, number, 2)
        assert "splits.stop: early does not end an array early" in said(one)
        assert "compute all 60 relabelled trials" in said(one)
    ending = study(tmp_path, *ASKED, *STOPS, out="array").run()
    made = {each.name: each.new for each in ending.stages}
    assert made == {"search": 0, "null": 0, "evaluate": made["evaluate"]}
    assert stopped(ending.folder) == stopped(whole.folder)
    assert stopped(ending.folder)["splits"]["made"] == 10
    assert stopped(ending.folder)["relabellings"]["made"] < 60
    assert results(ending.folder) == results(whole.folder)


def test_an_array_that_never_stops_says_nothing_of_it_and_makes_relabelled_studies(tmp_path):
    changes = ["splits.count=8", "null.calibration_studies=3", "null.calibration_splits=5"]
    for number in (0, 1):
        one = study(tmp_path, *changes)
        run_array_task(one, number, 2)
        assert ".stop" not in said(one)
    ending = study(tmp_path, *changes).run()
    assert {e.name: e.new for e in ending.stages if e.name != "evaluate"} == {
        "search": 0,
        "null": 0,
        "calibrate": 0,
    }
    plain = study(tmp_path, *changes, out="plain").run()
    assert results(ending.folder) == results(plain.folder)


def test_a_task_that_is_none_of_the_array_is_refused(tmp_path):
    with pytest.raises(InputError, match="tasks are numbered from 0 to 7"):
        run_array_task(study(tmp_path), 8, 8)
