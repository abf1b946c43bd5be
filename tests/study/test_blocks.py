"""A stage is brought to its end: only what is missing, in blocks that change nothing."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pandas as pd
import pytest
from dask import delayed
from rich.console import Console

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.pipeline.executor import Synchronous
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.task_sizes import MOST_TASKS, block_size, pieces_of
from ketadask.schema.errors import InputError
from ketadask.store.parts import Parts
from ketadask.store.ranges import range_name


def quiet() -> Progress:
    return Progress(Console(file=io.StringIO(), width=200))


def write_numbers(parts: Parts, first: int, last: int, wrong: tuple[int, ...] = ()) -> object:
    for number in wrong:
        if first <= number <= last:
            raise ArithmeticError(f"number {number} is wrong")
    table = pd.DataFrame({"number": range(first, last + 1)})
    return parts.write(range_name(first, last), {"numbers": table})


def end(parts: Parts, total: int, *, kind="synchronous", block=None, wrong=(), progress=None):
    def graph(ranges):
        return [delayed(write_numbers)(parts, a, b, wrong) for a, b in ranges]

    opened = []
    with connect(Profile(kind=kind, workers=2)) as executor:

        def give():
            opened.append(executor)
            return executor

        ended = run_stage(
            "count",
            "numbers",
            total=total,
            parts=parts,
            graph=graph,
            executor=give,
            progress=progress or quiet(),
            block=block,
        )
    return ended, bool(opened)


@pytest.mark.parametrize("kind", ["synchronous", "threads"])
@pytest.mark.parametrize("block", [None, 1, 7, 50, 1000])
def test_every_number_is_made_once_whatever_the_block(tmp_path, kind, block):
    parts = Parts(tmp_path / "hits", "key")
    ended, _ = end(parts, 103, kind=kind, block=block)
    assert ended.complete
    assert (ended.made, ended.reused) == (103, 0)
    assert parts.read_all("numbers")["number"].tolist() == list(range(103))


def test_what_is_there_is_not_made_again_and_the_cluster_not_even_opened(tmp_path):
    parts = Parts(tmp_path / "hits", "key")
    end(parts, 20, block=5)
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "hits").iterdir()}
    ended, opened = end(parts, 20, block=3)
    assert (ended.made, ended.reused, opened) == (0, 20, False)
    more, opened = end(parts, 33, block=3)
    assert (more.made, more.reused, opened) == (13, 20, True)
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "hits").iterdir()}
    assert before.items() <= after.items()


def test_a_damaged_part_is_made_again(tmp_path):
    parts = Parts(tmp_path / "hits", "key")
    end(parts, 20, block=5)
    victim = next(iter((tmp_path / "hits").glob("000005*.parquet")))
    victim.write_bytes(victim.read_bytes()[:-3] + b"???")
    ended, _ = end(parts, 20, block=5)
    assert (ended.made, ended.reused) == (5, 15)
    assert parts.read_all("numbers")["number"].tolist() == list(range(20))


def test_a_failing_task_is_named_and_sinks_nothing(tmp_path):
    parts = Parts(tmp_path / "hits", "key")
    ended, _ = end(parts, 20, block=5, wrong=(7,))
    assert not ended.complete
    assert ended.made == 15
    assert ended.story() == (
        "count: 5 of 20 numbers failed (5-9): "
        f"{ended.failures[0][1].task}: ArithmeticError: number 7 is wrong"
    )
    healed, _ = end(parts, 20, block=5)
    assert (healed.made, healed.reused) == (5, 15)


def test_many_failures_are_told_in_one_short_line(tmp_path):
    parts = Parts(tmp_path / "hits", "key")
    ended, _ = end(parts, 40, block=1, wrong=tuple(range(1, 40, 2)))
    assert len(ended.failures) == 20
    assert "20 of 40 numbers failed (1-1, 3-3, 5-5, " in ended.story()
    assert "19-19, and 10 more): " in ended.story()


def test_a_stage_in_which_everything_fails_ends_early(tmp_path):
    parts = Parts(tmp_path / "hits", "key")
    ended, _ = end(parts, 1000, block=1, wrong=tuple(range(1000)))
    assert not ended.complete
    assert len(ended.failures) < 10


def test_bad_input_met_by_a_task_stops_the_stage(tmp_path):
    blocked = tmp_path / "hits"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(InputError):
        end(Parts(blocked, "key"), 20, block=5)


def test_timed_blocks_keep_every_worker_busy():
    assert block_size(0.001, left=1000, workers=2, task_seconds=10) == 125
    assert block_size(1.0, left=1000, workers=2, task_seconds=10) == 10
    assert block_size(100.0, left=1000, workers=2, task_seconds=10) == 1


@pytest.mark.parametrize("each", [0.001, 1.0, 60.0, 3600.0])
@pytest.mark.parametrize("workers", [1, 200, 100_000])
def test_no_study_is_cut_into_more_tasks_than_a_scheduler_bears(each, workers):
    tasks = -(-100_000 // block_size(each, left=100_000, workers=workers, task_seconds=10))
    assert tasks <= MOST_TASKS < 20_000
    pieces = pieces_of(each, 100_000, 2, task_seconds=10)
    assert pieces == 1


def test_searches_longer_than_a_task_are_split():
    assert pieces_of(15.0, left=200, searches=2, task_seconds=10) == 1
    assert pieces_of(60.0, left=200, searches=2, task_seconds=10) == 3
    assert pieces_of(60.0, left=200, searches=0, task_seconds=10) == 1
    assert pieces_of(1e6, left=20, searches=1, task_seconds=10) == 64
    assert pieces_of(1e6, left=2000, searches=2, task_seconds=10) == 3


def test_a_slow_stage_is_asked_for_pieces_and_a_quick_one_is_not(tmp_path):
    for seconds, task_seconds, slow in ((0.06, 0.02, True), (0.0, 10.0, False)):
        parts, asked = Parts(tmp_path / str(seconds), "key"), []

        def graph(ranges, pieces=1, parts=parts, seconds=seconds, asked=asked):
            asked.append(pieces)
            return [delayed(_slowly)(parts, a, b, seconds / pieces) for a, b in ranges]

        with connect(Profile(kind="threads", workers=2)) as executor:
            ended = run_stage(
                "count", "numbers", total=8, parts=parts, graph=graph, executor=lambda: executor,
                progress=quiet(), task_seconds=task_seconds, searches=1,
            )  # fmt: skip
        assert ended.complete
        assert asked[:2] == [1, 1]
        assert any(pieces > 1 for pieces in asked[2:]) == slow


@pytest.mark.parametrize(
    ("total", "asked"), [(1, [8]), (5, [2]), (8, [1]), (9, [1, 8]), (17, [1, 1, 8])]
)
def test_where_fewer_numbers_than_workers_are_left_they_are_split(tmp_path, total, asked):
    parts, seen = Parts(tmp_path / "hits", "key"), []

    def graph(ranges, pieces=1):
        seen.append(pieces)
        return [delayed(write_numbers)(parts, a, b) for a, b in ranges]

    class Apart(Synchronous):
        apart = True

    how = {"parts": parts, "graph": graph, "progress": quiet(), "searches": 2}
    executor = Apart(workers=8)
    assert run_stage("count", "numbers", total=total, executor=lambda: executor, **how).complete
    assert seen == asked
    ended = run_stage(
        "count", "numbers", total=total + 1, executor=lambda: executor, block=1, **how
    )
    assert (ended.made, ended.pieces) == (1, 1)


def _slowly(parts, first, last, seconds):
    time.sleep(seconds)
    return write_numbers(parts, first, last)


def test_plain_lines_where_there_is_no_terminal(tmp_path: Path):
    said = io.StringIO()
    ticks = iter(range(0, 10_000, 3))
    progress = Progress(Console(file=said, width=200), clock=lambda: float(next(ticks)))
    end(Parts(tmp_path / "hits", "key"), 40, block=1, progress=progress)
    lines = said.getvalue().splitlines()
    assert len(lines) > 3
    assert all("numbers" in line for line in lines)
    assert "per second" in lines[0]
    assert "left" in lines[0]
    assert "\x1b" not in said.getvalue()


def test_a_bar_on_a_terminal(tmp_path: Path):
    said = io.StringIO()
    progress = Progress(Console(file=said, width=100, force_terminal=True))
    end(Parts(tmp_path / "hits", "key"), 10, block=1, progress=progress)
    assert "10/10" in said.getvalue()
