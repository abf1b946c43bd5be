"""How far it scales: small measurements that must add up, and a model that must behave."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ketadask.bench import scale
from ketadask.bench.scaling import Machine, forecast
from ketadask.cli.benches import run_benchmark
from ketadask.cluster.in_process import crowd
from ketadask.schema.errors import InputError
from tests.benchmarks import cohorts

QUICK = Machine(task=0.002, latency=0.005, part=0.01, check=0.001, build=0.0002, begin=2.0)
FREE = Machine(task=0.0, latency=0.0, part=0.0, check=0.0, build=0.0, begin=0.0)


def test_work_alone_scales_without_loss():
    one = forecast(FREE, splits=5120, each=1.0, workers=1)
    many = forecast(FREE, splits=5120, each=1.0, workers=64)
    assert one.efficiency == pytest.approx(1.0)
    assert many.efficiency == pytest.approx(1.0)
    assert one.seconds == pytest.approx(64 * many.seconds)


@pytest.mark.parametrize("name", ["task", "latency", "part", "check", "build", "begin"])
def test_whatever_costs_more_takes_longer(name):
    for workers in (1, 100, 1000):
        asked = {"splits": 100_000, "each": 0.05, "workers": workers}
        before = forecast(QUICK, **asked)
        after = forecast(replace(QUICK, **{name: 20 * getattr(QUICK, name)}), **asked)
        assert after.seconds >= before.seconds
        assert after.seconds > before.seconds or workers > 1 or name == "task"
        assert after.efficiency <= before.efficiency <= 1


def test_the_model_says_what_limits():
    asked = {"splits": 100_000, "workers": 1000}
    assert forecast(QUICK, each=60.0, **asked).limit == "work"
    assert forecast(replace(QUICK, task=5.0), each=60.0, **asked).limit == "scheduler"
    assert forecast(replace(QUICK, begin=99.0), each=0.01, **asked).limit == "one after the other"
    assert forecast(FREE, splits=1001, each=60.0, workers=1000).limit == "last round"


def test_the_graph_of_all_splits_is_small():
    found = scale.graph_of_splits(1000, each=60.0)
    assert found["tasks"] == 1000
    assert found["block"] == 1
    assert found["before"] < found["memory"] < 2000
    assert 0 < found["build_seconds"] < 60
    assert 0 < found["seconds"] < 60


def test_the_store_is_measured_on_parts_of_a_study():
    found = scale.store_throughput(count=3, rows=400)
    assert found["parts"] == 3
    assert found["bytes"] > 1000
    assert found["write_megabytes"] == pytest.approx(found["bytes"] / found["write_seconds"] / 1e6)


@pytest.fixture(scope="module")
def found():
    made = {
        "machine": {"cores": 2},
        "graph": scale.graph_of_splits(50),
        "store": scale.store_throughput(count=2, rows=200),
        "crowds": scale.crowds([3], 20),
        "naps": scale.sleepers([(3, 0.05, 2)]),
    }
    return {**made, **scale.foretell(made)}


def test_crowds_run_every_task(found):
    rows = found["crowds"]["rows"]
    assert [row["workers"] for row in rows] == [3]
    assert all(row["tasks"] == 20 and row["cpu_seconds"] > 0 for row in rows)
    dearest = max(row["each"] for row in rows)
    assert found["costs"]["task"] == pytest.approx(dearest / 1e3)
    (nap,) = found["naps"]
    assert nap["tasks"] == 6
    assert nap["seconds"] >= 0.1
    assert nap["efficiency"] == pytest.approx(0.1 / nap["seconds"])
    assert 0 < nap["foretold"] <= 1


def test_a_crowd_is_reached_with_certificates_only():
    with crowd(2) as executor:
        told = executor._client.scheduler_info()
    addresses = [told["address"], *told["workers"]]
    assert len(addresses) == 3
    assert all(each.startswith("tls://127.0.0.1:") for each in addresses)


def test_scale_prints_tables_and_json(found, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(scale, "measure", lambda **options: asked.append(options) or found)
    assert run_benchmark("scale", []) == 0
    shown = capsys.readouterr().out
    assert "handed over in" in shown
    assert "limited by" in shown
    assert run_benchmark("scale", ["--json", "--crowds", "3", "--tasks", "9"]) == 0
    assert json.loads(capsys.readouterr().out)["costs"] == found["costs"]
    assert asked == [{"crowds": scale.CROWDS, "tasks": 3000}, {"crowds": [3], "tasks": 9}]


@pytest.fixture(scope="module")
def measured():
    return {
        "machine": {"cores": 2},
        "rows": cohorts.cohort(300, 40, splits=4, workers=2, kind="threads"),
        "split": [cohorts.one_search(300, 20, 3, workers=2, pieces=3, kind="threads")],
    }


def test_a_cohort_is_searched_in_blocks_and_parts_alike(measured):
    assert [row["search"] for row in measured["rows"]] == ["pairs", "beam 3"]
    for row in measured["rows"]:
        assert row["same"]
        assert row["splits"] == 4
        assert row["ratio"] == pytest.approx(row["rate"] / row["one_rate"])
        assert row["memory"] >= 0.95 * row["first_memory"] > 50
    (split,) = measured["split"]
    assert split["same"]
    assert split["speedup"] == pytest.approx(split["unsplit"] / split["split"])


def test_a_difference_between_blocks_would_be_said(monkeypatch):
    marks = iter(range(100))
    monkeypatch.setattr(cohorts, "fingerprint_of", lambda found: next(marks))
    rows = cohorts.cohort(300, 40, splits=2, workers=1, kind="synchronous")
    assert not any(row["same"] for row in rows)


def test_cohorts_prints_tables_and_json(measured, monkeypatch, capsys):
    monkeypatch.setattr(cohorts, "cohort", lambda *size, **options: measured["rows"])
    monkeypatch.setattr(cohorts, "one_search", lambda *size, **options: measured["split"][0])
    assert run_benchmark("cohorts", ["--sizes", "300x40", "--splits", "4"]) == 0
    shown = capsys.readouterr().out
    assert "same in blocks" in shown
    assert "speed-up" in shown
    assert run_benchmark("cohorts", ["--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 4
    with pytest.raises(InputError, match=r"--sizes.*write 5000x2000"):
        run_benchmark("cohorts", ["--sizes", "300"])
    with pytest.raises(InputError, match=r"--long.*300x20.*write 1000x360x3"):
        run_benchmark("cohorts", ["--long", "300x20"])
