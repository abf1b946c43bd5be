"""Ctrl-C and searches in parts: what is begun and soon ends is finished, the rest called back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from dask import delayed

from ketadask.cluster import dask_executor
from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile

LOCAL = Profile(kind="local", workers=2, memory_limit="400MiB", dashboard=False)
SECONDS = 0.4


def part(shared: int, folder: str, name: str) -> int:
    (Path(folder) / f"{name}.begun").touch()
    time.sleep(SECONDS)
    (Path(folder) / f"{name}.made").touch()
    return shared


def whole(parts: list[int], folder: str, name: str) -> str:
    (Path(folder) / name).touch()
    return name


def in_parts(folder: Path, count: int, parts: int) -> list:
    """Return tasks of several parts in two rounds, as those of a search that is split."""
    shared = delayed(abs)(-1, dask_key_name="shared")
    tasks = []
    for n in range(count):
        first = [
            delayed(part)(shared, str(folder), f"{n}-{i}", dask_key_name=f"piece-first-{n}-{i}")
            for i in range(parts)
        ]
        half = delayed(sum)(first, dask_key_name=f"merge-first-{n}")
        rest = [
            delayed(part)(half, str(folder), f"{n}-r{i}", dask_key_name=f"piece-rest-{n}-{i}")
            for i in range(parts)
        ]
        name = f"whole-{n}"
        tasks.append(delayed(whole)(rest, str(folder), name, dask_key_name=name))
    return tasks


def drain(
    executor, folder: Path, tasks: list, ready: str, least: int = 1
) -> tuple[list[str], set[str]]:
    """Compute, and drain as an interrupt does once so many files are there.

    Returns the results, and the names of the tasks some part of which was made by then.
    """
    results: list[str] = []
    made: set[str] = set()

    def look() -> None:
        if not executor.draining and len(list(folder.glob(ready))) >= least:
            made.update(f"whole-{path.stem.split('-')[0]}" for path in folder.glob("*.made"))
            executor.draining = True

    executor.trouble = look
    with pytest.raises(KeyboardInterrupt):
        results.extend(name for _, name in executor.compute(tasks))
    return results, made


def test_a_task_some_parts_of_which_are_made_is_finished_and_others_are_not_begun(tmp_path):
    said: list[str] = []
    with connect(LOCAL) as executor:
        executor.say = said.append
        results, made = drain(executor, tmp_path, in_parts(tmp_path, 12, 2), "*-r0.begun")
    assert made
    assert made <= set(results)
    assert len(results) < 8
    assert {path.name for path in tmp_path.glob("whole-*")} == set(results)
    assert "tasks in parts are finished too" in said[0]
    assert len(said) == 1


def test_what_would_take_long_is_given_up_and_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_executor.soon, "__defaults__", (0.5,))
    said: list[str] = []
    with connect(LOCAL) as executor:
        executor.say = said.append
        # Where a third is made, a worker has gone on: the scheduler knows that one of two is made.
        results, made = drain(executor, tmp_path, in_parts(tmp_path, 2, 8), "*-*.made", 3)
        assert "are given up, and " in executor.events[-1]
    assert results == []
    assert made
    assert len(list(tmp_path.glob("*.begun"))) < 16  # half of the parts there are
    assert said == executor.events[-1:]
