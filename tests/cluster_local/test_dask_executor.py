"""Ctrl-C and tasks in parts: nearly complete tasks are completed, others cancelled."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from dask import delayed

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile

LOCAL = Profile(kind="local", workers=2, memory_limit="400MiB", dashboard=False)
SECONDS = 0.4


def part(value: int, folder: str, name: str) -> int:
    (Path(folder) / f"{name}.start").touch()
    time.sleep(SECONDS)
    (Path(folder) / f"{name}.end").touch()
    return value


def merge(parts: list[int], folder: str, name: str) -> str:
    (Path(folder) / name).touch()
    return name


def in_parts(folder: Path, count: int, parts: int) -> list:
    """Return tasks of several parts in two rounds, like the parts of a search."""
    node = delayed(abs)(-1, dask_key_name="node")
    tasks = []
    for n in range(count):
        first = [
            delayed(part)(node, str(folder), f"{n}-{i}", dask_key_name=f"piece-first-{n}-{i}")
            for i in range(parts)
        ]
        half = delayed(sum)(first, dask_key_name=f"merge-first-{n}")
        rest = [
            delayed(part)(half, str(folder), f"{n}-r{i}", dask_key_name=f"piece-rest-{n}-{i}")
            for i in range(parts)
        ]
        name = f"task-{n}"
        tasks.append(delayed(merge)(rest, str(folder), name, dask_key_name=name))
    return tasks


def drain(
    executor, folder: Path, tasks: list, ready: str, least: int = 1
) -> tuple[list[str], set[str]]:
    """Compute, and drain as an interrupt does once ``least`` files exist.

    Returns the results, and the names of the tasks that had a complete part by then.
    """
    results: list[str] = []
    in_progress: set[str] = set()

    def drain_when_ready() -> None:
        if not executor.draining and len(list(folder.glob(ready))) >= least:
            in_progress.update(f"task-{path.stem.split('-')[0]}" for path in folder.glob("*.end"))
            executor.draining = True

    executor.find_error = drain_when_ready
    with pytest.raises(KeyboardInterrupt):
        results.extend(name for _, name in executor.compute(tasks))
    return results, in_progress


def test_tasks_with_a_complete_part_are_completed_and_others_do_not_start(tmp_path):
    lines: list[str] = []
    with connect(LOCAL) as executor:
        executor.say = lines.append
        results, in_progress = drain(executor, tmp_path, in_parts(tmp_path, 12, 2), "*-r0.start")
    assert in_progress
    assert in_progress <= set(results)
    assert len(results) < 8
    assert {path.name for path in tmp_path.glob("task-*")} == set(results)
    assert lines[0].startswith("completing ")
    assert len(lines) == 1


def test_a_report_of_cancelled_tasks(tmp_path):
    lines: list[str] = []
    with connect(LOCAL) as executor:
        executor.say, executor.drain_seconds = lines.append, 0.5
        # With a third part complete, the scheduler has received one of the first two.
        results, in_progress = drain(executor, tmp_path, in_parts(tmp_path, 2, 8), "*-*.end", 3)
        assert executor.events[-1].startswith("cancelled ")
    assert results == []
    assert in_progress
    assert len(list(tmp_path.glob("*.start"))) < 16  # half of all parts
    assert lines == executor.events[-1:]
