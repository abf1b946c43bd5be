"""Planted faults of a cluster: each is named, with its remedy, before a study meets it."""

from __future__ import annotations

import sys

import pytest
import yaml

from ketadask.study.doctor import check_system
from tests.cluster.conftest import ROOT
from tests.cluster.test_waiting import script


@pytest.fixture
def doctor(place, monkeypatch):
    """Return a function that examines a profile and returns what is wrong, by name."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, place.slurm.environment[name])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def examined(out="runs", top=(), **job):
        profile = place.profile(**job)
        profile.write_text(yaml.safe_dump({**yaml.safe_load(profile.read_text()), **dict(top)}))
        found = check_system(profile, place.folder / out)
        return {each.what: (each.found, each.remedy) for each in found if not each.well}

    return examined


def test_nothing_is_wrong_where_nothing_is(place):
    told = place.do_alone("doctor", cluster=place.profile())
    assert told.returncode == 0, told.stdout
    assert "versions" in told.stdout
    assert list((place.folder / "runs").iterdir()) == []
    assert {path.name for path in place.folder.iterdir()} == {"profile.yaml", "runs"}


def test_the_exit_code_is_one_when_a_run_would_fail(place):
    told = place.do_alone("doctor", cluster=place.profile(partition="mian"))
    assert told.returncode == 1
    assert "sinfo" in told.stdout


@pytest.mark.parametrize(
    ("job", "what", "found", "remedy"),
    [
        ({"partition": "mian"}, "queue", "invalid partition", "sinfo -s"),
        ({"account": "nobody"}, "queue", "Invalid account", "sacctmgr"),
        ({"walltime": "9-00:00:00"}, "queue", "time limit", "job.walltime"),
        ({"memory": "900GiB"}, "queue", "not available", "job.memory"),
        ({"memory": "800MiB", "workers_": 2}, "memory of a worker", "0.29 GiB", "job.workers"),
        ({"interface": "ib7"}, "interface", "no such interface", "valid are"),
        ({"python": "/nowhere/python"}, "compute node", "No such file", "job.python"),
        ({"scratch": "/nowhere"}, "scratch", "/nowhere cannot be written", "job.scratch"),
    ],
    ids=["partition", "account", "walltime", "memory", "share", "interface", "python", "scratch"],
)
def test_a_wrong_profile(doctor, job, what, found, remedy):
    workers = job.pop("workers_", None)
    top = {} if workers is None else {"job": {"memory": "800MiB", "workers": workers}}
    wrong = doctor(top=top, **job)
    assert what in wrong, wrong
    assert found in wrong[what][0]
    assert remedy in wrong[what][1]


def test_a_head_job_the_queue_does_not_take(doctor):
    wrong = doctor(top={"head": {"partition": "short", "walltime": "04:00:00"}})
    assert set(wrong) == {"head job"}
    assert "time limit" in wrong["head job"][0]
    assert "head.walltime" in wrong["head job"][1]


def test_a_stage_the_queue_does_not_take(doctor):
    wrong = doctor(top={"stages": {"extract": {"memory": "900GiB"}}})
    assert set(wrong) == {"queue (extract)"}
    assert "not available" in wrong["queue (extract)"][0]
    assert "stages.extract.memory" in wrong["queue (extract)"][1]


def test_no_encryption(doctor):
    wrong = doctor(top={"listen_without_encryption_on_the_network": True})
    assert set(wrong) == {"encryption"}
    assert "anyone on the network can run code as you" in wrong["encryption"][0]


def test_another_environment_on_the_nodes(doctor, place):
    other = place.folder / "other"
    (other / "numpy-1.2.3.dist-info").mkdir(parents=True)
    (other / "numpy-1.2.3.dist-info" / "METADATA").write_text("Name: numpy\nVersion: 1.2.3\n")
    (other / "sitecustomize.py").write_text(
        "import time\nnow = time.time\ntime.time = lambda: now() + 300\n"
    )
    lines = f'export PYTHONPATH={other}:{ROOT} OMP_NUM_THREADS=8\nexec {sys.executable} "$@"'
    wrong = doctor(python=script(place, "python-other", lines))
    assert wrong["numpy"][0].endswith("1.2.3 on " + wrong["numpy"][0].rpartition(" on ")[2])
    assert "job.prologue" in wrong["numpy"][1]
    assert "+300" in wrong["clock"][0] or "+299" in wrong["clock"][0]
    assert "NTP" in wrong["clock"][1]
    assert "OMP_NUM_THREADS=8" in wrong["threads"][0]
    assert set(wrong) == {"numpy", "clock", "threads"}


@pytest.mark.parametrize(
    ("before", "what", "found", "remedy"),
    [
        ("mount -t tmpfs none {runs}", "shared folder", "is not the same folder", "--out"),
        ("mount -o bind,ro {runs} {runs}", "shared folder", "cannot be written", "--out"),
        ("true", "network", "cannot reach", "job.interface"),
    ],
    ids=["hidden", "read-only", "network"],
)
def test_a_node_that_sees_less(doctor, place, before, what, found, remedy):
    (place.folder / "runs").mkdir()
    kind = "-n" if what == "network" else "-m"
    first = before.format(runs=place.folder / "runs")
    line = f'exec unshare {kind} sh -c \'{first} && exec {sys.executable} "$@"\' sh "$@"'
    wrong = doctor(python=script(place, "python-elsewhere", line))
    assert what in wrong, wrong
    assert found in wrong[what][0]
    assert remedy in wrong[what][1]


def test_the_controller_is_down(doctor, place):
    place.slurm.stop_controller()
    try:
        wrong = doctor()
    finally:
        place.slurm.start_controller()
    assert "scontrol" in wrong["queue"][0] or "does not answer" in wrong["queue"][0]
    assert wrong["queue"][1]


def test_no_slurm_on_this_machine(doctor, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    wrong = doctor()
    assert "no such command on this machine: scontrol" in wrong["queue"][0]
    assert "login node" in wrong["queue"][1]
