"""The measured study is one: every split searched, the same bits on every number of workers."""

from __future__ import annotations

import json
import sys

import pytest

from ketadask.bench import study as bench_study
from ketadask.cli.benches import run_benchmark
from ketadask.schema.errors import InputError


@pytest.fixture(scope="module")
def results():
    return bench_study.measure_study(
        splits=(5, 9), workers=(1, 2), units=24, features=6, kind="threads"
    )


def test_a_row_per_workers_and_splits(results):
    assert [(row["workers"], row["splits"]) for row in results["rows"]] == [
        (1, 5), (1, 9), (2, 5), (2, 9)
    ]  # fmt: skip
    assert results["identical"]


def test_the_numbers_of_a_row_agree(results):
    for row in results["rows"]:
        assert row["tasks"] == -(-row["splits"] // row["block"])
        assert row["splits_per_second"] == pytest.approx(row["splits"] / row["seconds"])
        share = row["search_seconds"] / (row["seconds"] * row["workers"])
        assert row["outside"] == pytest.approx(1 - share)
        assert 0 < row["graph_seconds"] < row["seconds"]
        assert row["bytes_written"] > 1000
        assert row["bytes_sent"] > 1000
        assert row["memory"] > 20


def test_efficiency_is_the_rate_per_worker_over_that_of_one(results):
    rate = {(row["workers"], row["splits"]): row["splits_per_second"] for row in results["rows"]}
    for row in results["rows"]:
        if row["workers"] == 1:
            assert row["efficiency"] is None
        else:
            expected = rate[2, row["splits"]] / (2 * rate[1, row["splits"]])
            assert row["efficiency"] == pytest.approx(expected)


def test_parts_that_differ_would_be_said(monkeypatch):
    marks = iter(["one", "two"])
    monkeypatch.setattr(bench_study, "_fingerprint", lambda receipts: next(marks))
    results = bench_study.measure_study(
        splits=(2,), workers=(1, 2), units=16, features=4, kind="threads"
    )
    assert not results["identical"]


def test_a_failed_task_ends_the_measurement(monkeypatch):
    def broken(*arguments, **options):
        raise ValueError("no search today")

    monkeypatch.setattr("ketadask.search.persona_search.search_packed", broken)
    with pytest.raises(ValueError, match="no search today"):
        bench_study.measure_study(
            splits=(2,), workers=(1,), units=16, features=4, kind="synchronous"
        )


def test_study_prints_tables_and_json(results, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(
        bench_study, "measure_study", lambda **options: calls.append(options) or results
    )
    assert run_benchmark("study", ["--splits", "5", "9"]) == 0
    text = capsys.readouterr().out
    assert "splits/s" in text
    assert "the same bits with every number of workers: yes" in text
    assert run_benchmark("study", ["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == results["rows"]
    assert calls == [
        {"splits": [5, 9], "workers": (1, 2)},
        {"splits": (100, 1000), "workers": (1, 2)},
    ]


def test_what_does_not_measure_is_not_offered():
    with pytest.raises(InputError, match="did you mean 'search'"):
        run_benchmark("serch", [])
    with pytest.raises(InputError, match="no such benchmark"):
        run_benchmark("timing", [])
    assert "ketadask.bench.search" in sys.modules
