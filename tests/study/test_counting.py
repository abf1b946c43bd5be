"""A block that is dropped without a word is an error, whoever dropped it."""

from __future__ import annotations

import json

import pytest

from ketadask.pipeline.executor import Synchronous
from ketadask.pipeline.stage import IncompleteStudyError, StudyError
from tests.study.test_study import study


def forgetful(original):
    """Wrap an executor so that the last task of a stage is neither computed nor reported."""

    def compute(self, tasks):
        return original(self, tasks[:-1])

    return compute


def lying(original):
    """Wrap an executor so that one part is gone although its task was reported."""

    def compute(self, tasks):
        for index, result in original(self, tasks):
            if index == 0 and hasattr(result, "checksums") and "hits" in result.checksums:
                lying.path.glob(f"*/hits/{result.name}.json").__next__().unlink()
            yield index, result

    return compute


def test_a_task_that_is_never_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(Synchronous, "compute", forgetful(Synchronous.compute))
    with pytest.raises(StudyError, match=r"search: 3 of 24 splits are missing"):
        study(tmp_path, "execution.block=3").run()


def test_a_part_that_is_gone(tmp_path, monkeypatch):
    lying.path = tmp_path / "runs"
    monkeypatch.setattr(Synchronous, "compute", lying(Synchronous.compute))
    with pytest.raises(
        IncompleteStudyError, match=r"search: 3 of 24 splits are missing on disk \(0-2\)"
    ):
        study(tmp_path, "execution.block=3").run()
    monkeypatch.undo()
    ending = study(tmp_path, "execution.block=3").run()
    assert {each.name: each.new for each in ending.stages}["search"] == 3


def test_a_relabelled_study_that_is_gone(tmp_path, monkeypatch):
    from ketadask.study import judge

    def lose(work, asked):
        next((work.folder.path / "calibrations").glob("*.json")).unlink()
        return calibrate(work, asked)

    calibrate = judge.calibrate
    monkeypatch.setattr(judge, "calibrate", lose)
    few = ["null.calibration_studies=4", "null.calibration_splits=3", "execution.block=2"]
    with pytest.raises(
        IncompleteStudyError, match=r"calibrate: 2 of 4 relabelled studies are missing on disk"
    ):
        study(tmp_path, *few).run()


def test_every_stage_is_counted(tmp_path):
    folder = study(tmp_path).run().folder
    run = json.loads((folder / "provenance.json").read_text())["runs"][-1]
    assert run["counted"] == {"search": 24, "null": 19, "evaluate": 24}
