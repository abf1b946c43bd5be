"""The measured study is one: every split searched, the same bits on every number of workers."""

from __future__ import annotations

import json
import sys

import pytest

from ketadask.bench import study as bench_study
from ketadask.cli.benches import run_benchmark
from ketadask.schema.errors import InputError
from tests.benchmarks.startup import startup


@pytest.fixture(scope="module")
def found():
    return bench_study.study(splits=(5, 9), workers=(1, 2), units=24, features=6, kind="threads")


def test_a_row_per_workers_and_splits(found):
    assert [(row["workers"], row["splits"]) for row in found["rows"]] == [
        (1, 5), (1, 9), (2, 5), (2, 9)
    ]  # fmt: skip
    assert found["identical"]


def test_the_numbers_of_a_row_agree(found):
    for row in found["rows"]:
        assert row["tasks"] == -(-row["splits"] // row["block"])
        assert row["splits_per_second"] == pytest.approx(row["splits"] / row["seconds"])
        share = row["search_seconds"] / (row["seconds"] * row["workers"])
        assert row["outside"] == pytest.approx(1 - share)
        assert 0 < row["graph_seconds"] < row["seconds"]
        assert row["bytes_written"] > 1000
        assert row["bytes_sent"] > 1000
        assert row["memory"] > 20


def test_efficiency_is_the_rate_per_worker_over_that_of_one(found):
    rate = {(row["workers"], row["splits"]): row["splits_per_second"] for row in found["rows"]}
    for row in found["rows"]:
        if row["workers"] == 1:
            assert row["efficiency"] is None
        else:
            expected = rate[2, row["splits"]] / (2 * rate[1, row["splits"]])
            assert row["efficiency"] == pytest.approx(expected)


def test_parts_that_differ_would_be_said(monkeypatch):
    marks = iter(["one", "two"])
    monkeypatch.setattr(bench_study, "_fingerprint", lambda receipts: next(marks))
    found = bench_study.study(splits=(2,), workers=(1, 2), units=16, features=4, kind="threads")
    assert not found["identical"]


def test_a_failed_task_ends_the_measurement(monkeypatch):
    def broken(*given, **options):
        raise ValueError("no search today")

    monkeypatch.setattr("ketadask.kernels.exact.search_packed", broken)
    with pytest.raises(RuntimeError, match="no search today"):
        bench_study.study(splits=(2,), workers=(1,), units=16, features=4, kind="synchronous")


def test_study_prints_tables_and_json(found, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(bench_study, "study", lambda **options: asked.append(options) or found)
    assert run_benchmark("study", ["--splits", "5", "9"]) == 0
    shown = capsys.readouterr().out
    assert "splits/s" in shown
    assert "the same bits with every number of workers: yes" in shown
    assert run_benchmark("study", ["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == found["rows"]
    assert asked == [
        {"splits": [5, 9], "workers": (1, 2)},
        {"splits": (100, 1000), "workers": (1, 2)},
    ]


def test_startup_starts_fresh_processes(capsys):
    assert run_benchmark("startup", ["--runs", "2", "--json"]) == 0
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert set(rows) == {"python that does nothing", "import ketadask", "ketadask --help"}
    assert rows["ketadask --help"]["fastest"] > rows["import ketadask"]["fastest"] > 0
    assert all(row["fastest"] <= row["median"] for row in rows.values())
    assert rows["import ketadask"]["at_most"] == 0.7


def test_startup_shows_a_table(monkeypatch, capsys):
    row = {"what": "import ketadask", "median": 0.5, "fastest": 0.4, "at_most": 0.7}
    monkeypatch.setattr(startup, "startup", lambda *, runs: {"rows": [row]})
    assert run_benchmark("startup", []) == 0
    assert "import ketadask" in capsys.readouterr().out


def test_what_does_not_measure_is_not_offered():
    with pytest.raises(InputError, match="did you mean 'search'"):
        run_benchmark("serch", [])
    with pytest.raises(InputError, match="no such measurement"):
        run_benchmark("clocks", [])
    assert "ketadask.bench.search" in sys.modules
