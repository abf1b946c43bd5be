"""A stage is completed: only what is missing, in blocks that change no result."""

from __future__ import annotations

import io
import time

import pandas as pd
import pytest
from dask import delayed
from rich.console import Console

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.pipeline.executor import Synchronous
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.stage import IncompleteStudyError, Stage
from ketadask.pipeline.task_sizes import MAX_TASKS, block_size, pieces_of
from ketadask.schema.errors import InputError
from ketadask.store.parts import Parts
from ketadask.store.ranges import range_name


def write_numbers(parts, first, last, broken=(), seconds=0.0):
    time.sleep(seconds)
    for number in broken:
        if first <= number <= last:
            raise ArithmeticError(f"number {number} is wrong")
    table = pd.DataFrame({"number": range(first, last + 1)})
    return parts.write(range_name(first, last), {"numbers": table})


def numbers_stage(parts, total, broken=()):
    def build_graph(ranges):
        return [delayed(write_numbers)(parts, a, b, broken) for a, b in ranges]

    return Stage("count", "numbers", total, build_graph, parts)


def run(stage, *, kind="synchronous", block=None, progress=None):
    """Run a stage; return its result, and whether the executor was opened."""
    n_opened = []
    with connect(Profile(kind=kind, workers=2)) as executor:

        def open_executor():
            n_opened.append(1)
            return executor

        result = run_stage(stage, open_executor, progress or Progress.silent(), block=block)
    return result, bool(n_opened)


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path / "hits", "key")


@pytest.mark.parametrize("kind", ["synchronous", "threads"])
@pytest.mark.parametrize("block", [None, 1, 7, 50, 1000])
def test_every_item_is_computed_once_whatever_the_block(parts, kind, block):
    result, _ = run(numbers_stage(parts, 103), kind=kind, block=block)
    assert result.complete
    assert (result.new, result.present) == (103, 0)
    assert parts.read_all("numbers")["number"].tolist() == list(range(103))


def test_complete_items_are_not_computed_again_and_the_executor_not_opened(parts):
    run(numbers_stage(parts, 20), block=5)
    before = {p.name: p.stat().st_mtime_ns for p in parts.folder.iterdir()}
    result, is_open = run(numbers_stage(parts, 20), block=3)
    assert (result.new, result.present, is_open) == (0, 20, False)
    result, is_open = run(numbers_stage(parts, 33), block=3)
    assert (result.new, result.present, is_open) == (13, 20, True)
    after = {p.name: p.stat().st_mtime_ns for p in parts.folder.iterdir()}
    assert before.items() <= after.items()
    assert parts.read_below("numbers", 31, "number")["number"].tolist() == list(range(31))


def test_a_damaged_part_is_computed_again(parts):
    stage = numbers_stage(parts, 20)
    run(stage, block=5)
    victim = next(parts.folder.glob("000005*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-3] + b"???")
    with pytest.raises(IncompleteStudyError, match=r"5 of 20 numbers are missing on disk \(5-9\)"):
        stage.require_parts()
    result, _ = run(stage, block=5)
    assert (result.new, result.present) == (5, 15)
    assert parts.read_all("numbers")["number"].tolist() == list(range(20))


def test_a_subset_leaves_the_parts_of_others_alone(parts):
    stage = numbers_stage(parts, 20)
    run(numbers_stage(parts, 5), block=5)
    stray = parts.folder / "000015-000019.numbers.parquet"
    stray.write_bytes(b"being written by another task")
    subset = Stage("count", "numbers", 20, stage.build_graph, parts, subset=[(0, 3), (8, 11)])
    result, _ = run(subset, block=4)
    assert (result.total, result.present, result.new) == (8, 4, 4)
    assert stray.exists()


def test_items_may_have_parts_of_their_own(parts):
    names = ["first", "second", "third"]

    def build_graph(ranges):
        return [
            delayed(parts.write)(names[i], {"numbers": pd.DataFrame({"number": [i]})})
            for i, _ in ranges
        ]

    stage = Stage("files", "files", 3, build_graph, parts, part_names=names)
    parts.write("second", {})
    assert stage.missing() == [(0, 0), (2, 2)]
    result, _ = run(stage)
    assert (result.new, result.present) == (2, 1)
    assert stage.missing() == []


def test_a_failed_task_is_named_and_the_others_are_kept(parts):
    result, _ = run(numbers_stage(parts, 20, broken=(7,)), block=5)
    assert not result.complete
    assert result.new == 15
    assert result.failure_summary() == (
        "count: 5 of 20 numbers failed (5-9): "
        f"{result.failures[0][1].task}: ArithmeticError: number 7 is wrong"
    )
    result, _ = run(numbers_stage(parts, 20), block=5)
    assert (result.new, result.present) == (5, 15)


def test_many_failures_make_one_short_line(parts):
    result, _ = run(numbers_stage(parts, 40, broken=range(1, 40, 2)), block=1)
    assert len(result.failures) == 20
    assert "20 of 40 numbers failed (1-1, 3-3, 5-5, " in result.failure_summary()
    assert "19-19, and 10 more): " in result.failure_summary()


def test_a_stage_in_which_everything_fails_ends_early(parts):
    result, _ = run(numbers_stage(parts, 1000, broken=range(1000)), block=1)
    assert not result.complete
    assert len(result.failures) < 10


def test_invalid_input_in_a_task_stops_the_stage(tmp_path):
    blocked = tmp_path / "hits"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(InputError):
        run(numbers_stage(Parts(blocked, "key"), 20), block=5)


def test_blocks_keep_every_worker_busy():
    assert block_size(0.001, 1000, workers=2, task_seconds=10) == 125
    assert block_size(1.0, 1000, workers=2, task_seconds=10) == 10
    assert block_size(100.0, 1000, workers=2, task_seconds=10) == 1


@pytest.mark.parametrize("seconds", [0.001, 1.0, 60.0, 3600.0])
@pytest.mark.parametrize("workers", [1, 200, 100_000])
def test_no_stage_has_more_tasks_than_a_scheduler_handles(seconds, workers):
    tasks = -(-100_000 // block_size(seconds, 100_000, workers=workers, task_seconds=10))
    assert tasks <= MAX_TASKS < 20_000
    assert pieces_of(seconds, 100_000, 2, task_seconds=10) == 1


def test_searches_longer_than_a_task_are_split():
    assert pieces_of(15.0, 200, n_searches=2, task_seconds=10) == 1
    assert pieces_of(60.0, 200, n_searches=2, task_seconds=10) == 3
    assert pieces_of(60.0, 200, n_searches=0, task_seconds=10) == 1
    assert pieces_of(1e6, 20, n_searches=1, task_seconds=10) == 64
    assert pieces_of(1e6, 2000, n_searches=2, task_seconds=10) == 3


def pieces_stage(parts, total, n_searches, seconds=0.0):
    """Return a stage whose searches may be split, and the list of the pieces it was built with."""
    requests = []

    def build_graph(ranges, pieces=1):
        requests.append(pieces)
        return [delayed(write_numbers)(parts, a, b, (), seconds / pieces) for a, b in ranges]

    return Stage("count", "numbers", total, build_graph, parts, n_searches), requests


@pytest.mark.parametrize(
    ("seconds", "task_seconds", "is_slow"), [(0.06, 0.02, True), (0.0, 10.0, False)]
)
def test_searches_of_a_slow_stage_are_split(parts, seconds, task_seconds, is_slow):
    stage, requests = pieces_stage(parts, 8, 1, seconds)
    with connect(Profile(kind="threads", workers=2)) as executor:
        silent = Progress.silent()
        result = run_stage(stage, lambda: executor, silent, task_seconds=task_seconds)
    assert result.complete
    assert requests[:2] == [1, 1]
    assert any(pieces > 1 for pieces in requests[2:]) == is_slow


class Distributed(Synchronous):
    distributes = True


@pytest.mark.parametrize(
    ("total", "expected"), [(1, [8]), (5, [2]), (8, [1]), (9, [1, 8]), (17, [1, 1, 8])]
)
def test_searches_are_split_where_fewer_items_than_workers_are_left(parts, total, expected):
    executor, silent = Distributed(workers=8), Progress.silent()
    stage, requests = pieces_stage(parts, total, 2)
    assert run_stage(stage, lambda: executor, silent).complete
    assert requests == expected
    stage, _ = pieces_stage(parts, total + 1, 2)
    result = run_stage(stage, lambda: executor, silent, block=1)
    assert (result.new, result.pieces) == (1, 1)


def test_plain_lines_where_there_is_no_terminal(parts):
    text, ticks = io.StringIO(), iter(range(0, 10_000, 3))
    progress = Progress(Console(file=text, width=200), clock=lambda: float(next(ticks)))
    run(numbers_stage(parts, 40), block=1, progress=progress)
    lines = text.getvalue().splitlines()
    assert len(lines) > 3
    assert all("numbers" in line for line in lines)
    assert lines[0].startswith("count: 40 numbers; ")
    assert "per second" in lines[1]
    assert "left" in lines[1]
    assert "\x1b" not in text.getvalue()


def test_a_bar_on_a_terminal(parts):
    text = io.StringIO()
    progress = Progress(Console(file=text, width=100, force_terminal=True))
    run(numbers_stage(parts, 10), block=1, progress=progress)
    assert "10/10" in text.getvalue()
