"""Every measurement of the search runs to its end, and its numbers agree with each other."""

from __future__ import annotations

import json
import os
import sys
from itertools import combinations

import numpy as np
import pytest

from ketadask.bench import search, search_compile
from ketadask.bench.ceiling import COUNTS, inner_rates
from ketadask.bench.search_growth import depths, growth, many_words, train_side
from ketadask.bench.synthetic import literals, problem, values
from ketadask.bench.timing import describe_processor, fastest, memory_now, one_core, peak_memory
from ketadask.cli.benches import run_benchmark
from ketadask.kernels import exact
from ketadask.schema.errors import InputError
from ketadask.store.environment import ONE_THREAD
from tests.benchmarks.peer import compare, quality


def test_the_synthetic_trial_is_that_of_the_readme():
    made = problem()
    assert made.literals.holds.shape == (3600, 63)
    assert made.literals.candidates(3) == 7_715_207_280
    assert train_side(63).sum() == 32
    assert sorted(set(values()[:, 0])) == [0, 1, 2, 3, 4]
    assert len(set(values()[:, -1])) == 63
    assert made.__dask_tokenize__() == problem().__dask_tokenize__()


def test_rates_of_the_inner_loops():
    found = inner_rates(rows=65, words=(2, 5), counts=40_000, repeats=2)
    assert found["words"] == pytest.approx(COUNTS * found["candidates"])
    assert found["ratio"] == pytest.approx(found["words"] / found["ceiling"])
    assert [row["words_per_cover"] for row in found["many"]] == [2, 5]
    for row in found["many"]:
        assert row["ratio"] == pytest.approx(row["words"] / found["ceiling"])


def test_searches_of_every_depth():
    found = depths(units=20, features=8, keep=5, relabellings=2, deepest=3)
    assert found["literals"] == len(literals(20, 8))
    assert [(row["depth"], row["units"], row["keep"]) for row in found["rows"]] == [
        (depth, units, keep) for depth in (2, 3) for units, keep in ((20, 1), (20, 5), (10, 5))
    ]
    for row in found["rows"]:
        assert row["candidates"] == literals(20, 8).candidates(row["depth"])
        assert row["candidates_per_second"] == pytest.approx(row["candidates"] / row["seconds"])
        assert 0 < row["seconds"] <= row["slowest"]
        assert row["proven"]
    assert 20 < found["peak_memory"] < 4000


def test_large_cohorts_count_words():
    rows = many_words(2e9, units=(70, 200), features=8, width=10, keep=5, repeats=1)
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
    assert rows[1]["candidates"] == literals(63, 12).candidates(2) > rows[0]["candidates"]


def test_growth_is_not_patient_for_ever():
    rows = growth(features=(6,), units=(), depth=2, relabellings=50, patience=0.0005)
    assert 1 <= rows[0]["relabellings"] < 50


def test_compile_times_come_from_fresh_processes_and_one_new_cache(monkeypatch):
    child = "import os; print(len(os.listdir(os.environ['NUMBA_CACHE_DIR'])))"
    touch = "; open(os.environ['NUMBA_CACHE_DIR'] + '/x', 'w').close()"
    monkeypatch.setattr(search_compile, "_CHILD", child + touch)
    assert search_compile.compile_times() == {"cold": 0.0, "cached": 1.0}


def test_the_first_search_tells_how_much_longer_it_took(capsys):
    search_compile.first_search()
    assert isinstance(json.loads(capsys.readouterr().out), float)


def made_up_peer(tmp_path, body):
    """Return a program that stands in for a Python with pysubgroup."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(0o755)
    return path


BRUTE = """
import json, sys
from itertools import combinations
import numpy as np
given = np.load(sys.argv[2])
holds, score = given["holds"], given["score"]
best = (-1e9, None)
for k in range(1, int(given["depth"]) + 1):
    for ids in combinations(range(len(holds)), k):
        inside = holds[list(ids)].all(axis=0)
        if inside.sum() >= given["min_support"]:
            value = inside.sum() ** 0.5 * (score[inside].mean() - score.mean())
            best = max(best, (value, ids))
answer = dict(version="0", seconds=2.0, cpu_seconds=2.0, peak_memory=1.0, quality=best[0],
              literals=best[1])
json.dump(answer, open(sys.argv[3], "w"))
"""


def test_the_peer_is_compared_by_one_formula(tmp_path):
    found = compare(made_up_peer(tmp_path, BRUTE), units=24, features=6)
    assert found["selectors"] == len(literals(24, 6, cuts=2))
    assert found["as_good"]
    assert found["ours"]["quality"] == pytest.approx(found["theirs"]["quality"])
    assert found["ratio"] == pytest.approx(2.0 / found["ours"]["cpu_seconds"])


def test_a_worse_best_of_ours_would_be_said(tmp_path, monkeypatch):
    def empty_handed(holds, score, feature, **options):
        found = exact.search_literals(holds, score, feature, **{**options, "keep": 100})
        found.ids[0] = found.ids[-1]
        return found

    monkeypatch.setattr("ketadask.kernels.exact.search_literals", empty_handed)
    assert not compare(made_up_peer(tmp_path, BRUTE), units=24, features=6)["as_good"]


@pytest.mark.parametrize(
    ("body", "said"),
    [(None, "does not start"), ("raise SystemExit('no pysubgroup here')", "no pysubgroup here")],
)
def test_a_peer_that_does_not_run_is_named(tmp_path, body, said):
    python = tmp_path / "none" if body is None else made_up_peer(tmp_path, body)
    with pytest.raises(InputError, match=said):
        compare(python, units=12, features=4)


def test_the_quality_compared_is_our_q_for_effect():
    made = problem(30, 6)
    score = made.trial.score - made.trial.score.mean()
    best = exact.search_literals(
        made.literals.holds,
        score,
        made.literals.feature,
        max_literals=2,
        keep=50,
        objective="effect",
    )
    inside = made.literals.conjunction(best.ids)
    measured = [quality(score, each) / score.std(ddof=1) for each in inside]
    np.testing.assert_allclose(best.q, measured, rtol=1e-9)
    pairs = combinations(range(len(made.literals)), 2)
    both = (made.literals.holds[list(pair)].all(axis=0) for pair in pairs
            if len(set(made.literals.feature[list(pair)])) == 2)  # fmt: skip
    top = max(quality(score, each) for each in both if each.sum() >= 8)
    assert best.q[0] * score.std(ddof=1) >= top - 1e-9


PARTS = {
    "rates": lambda: inner_rates(rows=64, words=(2,), counts=20_000, repeats=1),
    "depths": lambda: depths(units=12, features=4, keep=2, relabellings=1, deepest=3),
    "many": lambda: many_words(1e9, units=(70,), features=4, width=4, keep=2, repeats=1),
    "growth": lambda: growth(features=(4,), units=(), depth=2, relabellings=1),
    "compile": lambda: {"cold": 9.0, "cached": 0.5},
    "peer": lambda: {
        "selectors": 3, "depth": 2, "version": "0", "ratio": 5.0, "as_good": False,
        "ours": {"seconds": 1.0, "cpu_seconds": 1.0, "quality": 1.0},
        "theirs": {"seconds": 5.0, "cpu_seconds": 5.0, "quality": 2.0, "peak_memory": 9.0},
    },
}  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    asked = []

    def part(name, *more):
        asked.append((name, *more))
        return PARTS[name]()

    monkeypatch.setattr(search, "_part", part)
    return asked


def test_one_run_prints_everything(tiny, capsys):
    assert run_benchmark("search", ["--pysubgroup", sys.executable]) == 0
    shown = capsys.readouterr().out
    for words in (
        "candidates/s", "at most 400", "words/s", "Large cohorts",
        "9 s of the processor once, 0.5 s from the cache",
        "ratio 5; our best is WORSE by the same formula",
    ):  # fmt: skip
        assert words in shown
    assert [each[0] for each in tiny] == ["rates", "depths", "many", "compile", "peer"]


def test_json_holds_the_same_parts(tiny, capsys):
    assert run_benchmark("search", ["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"machine", "depths", "rates", "many_words", "compile"}
    assert ("many", "--ceiling", str(found["rates"]["ceiling"])) in tiny
    assert found["machine"]["cores"] == 1


def test_growth_alone_is_printed_on_request(tiny, capsys):
    assert run_benchmark("search", ["--growth"]) == 0
    assert "Growth" in capsys.readouterr().out
    assert tiny == [("growth",)]


def test_a_missing_python_is_refused_before_anything_is_measured(tiny):
    with pytest.raises(InputError, match=r"no such file.*nowhere"):
        run_benchmark("search", ["--pysubgroup", "nowhere"])
    assert tiny == []


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
    assert fastest(calls, repeats=3)["much"] > fastest(calls, repeats=3)["little"]
    assert 20 < memory_now() <= peak_memory() * 1.01
    assert describe_processor()["numba"]
