"""How far it scales: small measurements that must add up, and a model that must behave."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ketadask.bench import scale
from ketadask.bench.scaling import TaskCosts, forecast
from ketadask.cli.benches import run_benchmark
from ketadask.cluster.in_process import worker_process

QUICK = TaskCosts(task=0.002, latency=0.005, part=0.01, check=0.001, build=0.0002, begin=2.0)
FREE = TaskCosts(task=0.0, latency=0.0, part=0.0, check=0.0, build=0.0, begin=0.0)


def test_work_alone_scales_without_loss():
    one = forecast(FREE, splits=5120, split_seconds=1.0, workers=1)
    many = forecast(FREE, splits=5120, split_seconds=1.0, workers=64)
    assert one.efficiency == pytest.approx(1.0)
    assert many.efficiency == pytest.approx(1.0)
    assert one.seconds == pytest.approx(64 * many.seconds)


@pytest.mark.parametrize("name", ["task", "latency", "part", "check", "build", "begin"])
def test_whatever_costs_more_takes_longer(name):
    for workers in (1, 100, 1000):
        options = {"splits": 100_000, "split_seconds": 0.05, "workers": workers}
        before = forecast(QUICK, **options)
        after = forecast(replace(QUICK, **{name: 20 * getattr(QUICK, name)}), **options)
        assert after.seconds >= before.seconds
        assert after.seconds > before.seconds or workers > 1 or name == "task"
        assert after.efficiency <= before.efficiency <= 1


def test_the_model_says_what_limits():
    options = {"splits": 100_000, "workers": 1000}
    assert forecast(QUICK, split_seconds=60.0, **options).limit == "work"
    assert forecast(replace(QUICK, task=5.0), split_seconds=60.0, **options).limit == "scheduler"
    assert (
        forecast(replace(QUICK, begin=99.0), split_seconds=0.01, **options).limit
        == "serial work of the driver"
    )
    assert forecast(FREE, splits=1001, split_seconds=60.0, workers=1000).limit == "last round"


def test_the_graph_of_all_splits_is_small():
    results = scale.graph_of_splits(1000, split_seconds=60.0)
    assert results["tasks"] == 1000
    assert results["block"] == 1
    assert results["before"] < results["memory"] < 2000
    assert 0 < results["build_seconds"] < 60
    assert 0 < results["seconds"] < 60


def test_the_store_is_measured_on_parts_of_a_study():
    results = scale.store_throughput(count=3, rows=400)
    assert results["parts"] == 3
    assert results["bytes"] > 1000
    assert results["write_megabytes"] == pytest.approx(
        results["bytes"] / results["write_seconds"] / 1e6
    )


@pytest.fixture(scope="module")
def results():
    parts = {
        "machine": {"cores": 2},
        "graph": scale.graph_of_splits(50),
        "store": scale.store_throughput(count=2, rows=200),
        "pools": scale.pools([3], 20),
        "naps": scale.sleepers([(3, 0.05, 2)]),
    }
    return {**parts, **scale.predict_scaling(parts)}


def test_pools_run_every_task(results):
    rows = results["pools"]["rows"]
    assert [row["workers"] for row in rows] == [3]
    assert all(row["tasks"] == 20 and row["cpu_seconds"] > 0 for row in rows)
    dearest = max(row["each"] for row in rows)
    assert results["costs"]["task"] == pytest.approx(dearest / 1e3)
    (nap,) = results["naps"]
    assert nap["tasks"] == 6
    assert nap["seconds"] >= 0.1
    assert nap["efficiency"] == pytest.approx(0.1 / nap["seconds"])
    assert 0 < nap["predicted"] <= 1


def test_a_crowd_is_reached_with_certificates_only():
    with worker_process(2) as executor:
        scheduler = executor._client.scheduler_info()
    addresses = [scheduler["address"], *scheduler["workers"]]
    assert len(addresses) == 3
    assert all(each.startswith("tls://127.0.0.1:") for each in addresses)


def test_scale_prints_tables_and_json(results, monkeypatch, capsys):
    options = []
    monkeypatch.setattr(
        scale, "measure_scale", lambda **keywords: options.append(keywords) or results
    )
    assert run_benchmark("scale", []) == 0
    text = capsys.readouterr().out
    assert "submission" in text
    assert "limited by" in text
    assert run_benchmark("scale", ["--json", "--pools", "3", "--tasks", "9"]) == 0
    assert json.loads(capsys.readouterr().out)["costs"] == results["costs"]
    assert options == [{"pools": scale.POOL_SIZES, "tasks": 3000}, {"pools": [3], "tasks": 9}]
