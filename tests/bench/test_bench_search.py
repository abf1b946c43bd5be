"""Every measurement of the search runs to its end, and its numbers agree with each other."""

from __future__ import annotations

import json
import os

import pytest

from ketadask.bench import search, search_compile
from ketadask.bench.ceiling import COUNTS, inner_rates
from ketadask.bench.search_growth import depths, growth, half_of_units, large_cohorts
from ketadask.bench.synthetic import synthetic_literals, synthetic_problem, synthetic_values
from ketadask.bench.timing import (
    describe_processor,
    fastest_times,
    memory_now,
    one_core,
)
from ketadask.cli.benches import run_benchmark
from ketadask.store.environment import ONE_THREAD, peak_memory


def test_the_synthetic_trial_is_that_of_the_readme():
    problem = synthetic_problem()
    assert problem.literals.holds.shape == (3600, 63)
    assert problem.literals.candidates(3) == 7_715_207_280
    assert half_of_units(63).sum() == 32
    assert sorted(set(synthetic_values()[:, 0])) == [0, 1, 2, 3, 4]
    assert len(set(synthetic_values()[:, -1])) == 63
    assert problem.__dask_tokenize__() == synthetic_problem().__dask_tokenize__()


def test_rates_of_the_inner_loops():
    results = inner_rates(rows=65, words=(2, 5), counts=40_000, repeats=2)
    assert results["words"] == pytest.approx(COUNTS * results["candidates"])
    assert results["ratio"] == pytest.approx(results["words"] / results["ceiling"])
    assert [row["words_per_cover"] for row in results["many"]] == [2, 5]
    for row in results["many"]:
        assert row["ratio"] == pytest.approx(row["words"] / results["ceiling"])


def test_searches_of_every_depth():
    results = depths(units=20, features=8, keep=5, relabellings=2, deepest=3)
    assert results["literals"] == len(synthetic_literals(20, 8))
    assert [(row["depth"], row["units"], row["keep"]) for row in results["rows"]] == [
        (depth, units, keep) for depth in (2, 3) for units, keep in ((20, 1), (20, 5), (10, 5))
    ]
    for row in results["rows"]:
        assert row["candidates"] == synthetic_literals(20, 8).candidates(row["depth"])
        assert row["candidates_per_second"] == pytest.approx(row["candidates"] / row["seconds"])
        assert 0 < row["seconds"] <= row["slowest"]
        assert row["proven"]
    assert 20 < results["peak_memory"] < 4000


def test_large_cohorts_count_words():
    rows = large_cohorts(2e9, units=(70, 200), features=8, width=10, keep=5, repeats=1)
    assert [(row["units"], row["search"]) for row in rows] == [
        (units, kind) for units in (70, 200) for kind in ("exhaustive", "beam")
    ]
    for row in rows:
        words = COUNTS * -(-row["units"] // 64)
        assert row["words"] == pytest.approx(words * row["screened"] / row["cpu_seconds"])
        assert row["ratio"] == pytest.approx(row["words"] / 2e9)
        assert row["proven"] == (row["search"] == "exhaustive")


def test_growth_has_a_row_per_size():
    rows = growth(features=(6, 12), units=(20,), depth=2, relabellings=2)
    assert [(row["units"], row["features"]) for row in rows] == [(63, 6), (63, 12), (20, 360)]
    assert all(row["proven"] and row["relabellings"] == 2 for row in rows)
    assert rows[1]["candidates"] == synthetic_literals(63, 12).candidates(2) > rows[0]["candidates"]


def test_growth_is_not_patient_for_ever():
    rows = growth(features=(6,), units=(), depth=2, relabellings=50, max_seconds=0.0005)
    assert 1 <= rows[0]["relabellings"] < 50


def test_compile_times_come_from_fresh_processes_and_one_new_cache(monkeypatch):
    child = "import os; print(len(os.listdir(os.environ['NUMBA_CACHE_DIR'])))"
    touch = "; open(os.environ['NUMBA_CACHE_DIR'] + '/x', 'w').close()"
    monkeypatch.setattr(search_compile, "_CHILD", child + touch)
    assert search_compile.compile_times() == {"cold": 0.0, "cached": 1.0}


def test_the_first_search_tells_how_much_longer_it_took(capsys):
    search_compile.first_search()
    assert isinstance(json.loads(capsys.readouterr().out), float)


PARTS = {
    "rates": lambda: inner_rates(rows=64, words=(2,), counts=20_000, repeats=1),
    "depths": lambda: depths(units=12, features=4, keep=2, relabellings=1, deepest=3),
    "many": lambda: large_cohorts(1e9, units=(70,), features=4, width=4, keep=2, repeats=1),
    "growth": lambda: growth(features=(4,), units=(), depth=2, relabellings=1),
    "compile": lambda: {"cold": 9.0, "cached": 0.5},
}  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    parts = []

    def part(name, *more):
        parts.append((name, *more))
        return PARTS[name]()

    monkeypatch.setattr(search, "_part", part)
    return parts


def test_one_run_prints_everything(tiny, capsys):
    assert run_benchmark("search", []) == 0
    text = capsys.readouterr().out
    for words in ("candidates/s", "at most 400", "words/s", "Large cohorts", "compil"):
        assert words in text
    assert [names[0] for names in tiny] == ["rates", "depths", "many", "compile"]


def test_json_holds_the_same_parts(tiny, capsys):
    assert run_benchmark("search", ["--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert set(results) == {"machine", "depths", "rates", "large_cohorts", "compile"}
    assert ("many", "--ceiling", str(results["rates"]["ceiling"])) in tiny
    assert results["machine"]["cores"] == 1


def test_growth_alone_is_printed_on_request(tiny, capsys):
    assert run_benchmark("search", ["--growth"]) == 0
    assert "Growth" in capsys.readouterr().out
    assert tiny == [("growth",)]


def test_a_part_runs_in_a_process_of_its_own(monkeypatch, capfd):
    assert set(search._PARTS) == set(PARTS)
    with pytest.raises(SystemExit):
        search._part("nonsense")
    assert "invalid choice: 'nonsense'" in capfd.readouterr().err


def test_one_core_is_left_as_it_was_found(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    cores = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
        assert {os.environ[name] for name in ONE_THREAD} == {"1"}
    assert os.sched_getaffinity(0) == cores
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "NUMBA_NUM_THREADS" not in os.environ


def test_clocks_and_memory():
    calls = {"little": lambda: None, "much": lambda: sum(range(200_000))}
    assert fastest_times(calls, repeats=3)["much"] > fastest_times(calls, repeats=3)["little"]
    assert 20 < memory_now() <= peak_memory() / 1e6 * 1.01
    assert describe_processor()["numba"]
