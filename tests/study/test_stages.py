"""Stages get workers of their own: those of one stage are gone before those of the next come."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.simulate.study import simulate_study
from ketadask.study import run
from ketadask.study.study import Study
from tests.study.test_recordings import TEXT
from tests.study.test_study import said, study


@pytest.fixture
def opened(monkeypatch):
    """Return what was opened and closed, in order."""
    seen = []

    @contextmanager
    def noted(profile, **words):
        seen.append(("open", profile.workers))
        with connect(profile, **words) as executor:
            executor.events.append(f"{profile.workers} workers were there")
            yield executor
        seen.append(("close", profile.workers))

    monkeypatch.setattr(run, "connect", noted)
    return seen


def test_extract_measures_recordings_with_its_own_workers_and_nothing_else(tmp_path, opened):
    simulate_study(tmp_path / "study", participants=4, meg_seconds=10.0)
    (tmp_path / "study.yaml").write_text(TEXT)
    profile = Profile(kind="threads", workers=1, stages={"extract": {"workers": 2}})
    one = replace(Study.read(tmp_path / "study.yaml", out=tmp_path / "runs"), profile=profile)
    assert ("extract", 8, 0) in [(s.stage, s.total, s.present) for s in one.status()]
    ending = one.extract()
    assert [(each.name, each.new) for each in ending.stages] == [("recordings", 8)]
    assert (ending.folder / "cohort.zarr").is_dir()
    assert not (ending.folder / "hits").exists()
    assert opened == [("open", 2), ("close", 2)]
    assert "extract" not in [s.stage for s in one.status()]
    again = one.extract()
    assert not again.stages
    assert opened == [("open", 2), ("close", 2)]


def test_extract_without_recordings_makes_the_cohort(tmp_path, opened):
    ending = study(tmp_path).extract()
    assert (ending.folder / "cohort.zarr").is_dir()
    assert (ending.folder / "literals.parquet").is_file()
    assert not ending.stages
    assert not opened
    assert ending.folder == study(tmp_path).search().folder


def test_workers_of_one_stage_are_gone_before_those_of_the_next_come(tmp_path, opened):
    profile = Profile(kind="threads", workers=1, stages={"extract": {"workers": 2}})
    one = study(tmp_path, profile=profile)
    with one.open_run() as work:
        first = work.executor("extract")
        assert work.executor("extract") is first
        second = work.executor("search")
        assert work.executor("predict") is second
        assert opened == [("open", 2), ("close", 2), ("open", 1)]
    assert opened[-1] == ("close", 1)
    assert "threads, 2 workers for extract" in said(one)
    (path,) = (tmp_path / "runs").glob("small-*/provenance.json")
    events = json.loads(path.read_text())["runs"][-1]["events"]
    assert events == ["2 workers were there", "1 workers were there"]


def test_without_stages_one_executor_serves_all(tmp_path, opened):
    one = study(tmp_path, profile=Profile(kind="threads", workers=1))
    with one.open_run() as work:
        assert work.executor("extract") is work.executor("search")
    assert opened == [("open", 1), ("close", 1)]
