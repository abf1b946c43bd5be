"""Faults of a cluster: the doctor names each with its remedy."""

from __future__ import annotations

import sys

import pytest
import yaml

from ketadask.study.doctor import check_system
from tests.cluster.conftest import ROOT
from tests.cluster.test_waiting import script


@pytest.fixture
def doctor(study, monkeypatch):
    """Return a function that checks a profile and returns the failed checks, by name."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, study.slurm.environment[name])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def failed_checks(out="runs", top=(), **job):
        profile = study.profile(**job)
        profile.write_text(yaml.safe_dump({**yaml.safe_load(profile.read_text()), **dict(top)}))
        checks = check_system(profile, study.folder / out)
        return {check.name: (check.detail, check.remedy) for check in checks if not check.ok}

    return failed_checks


def test_all_checks_pass(study):
    process = study.do_without_study("doctor", cluster=study.profile())
    assert process.returncode == 0, process.stdout
    assert "versions" in process.stdout
    assert list((study.folder / "runs").iterdir()) == []
    assert {path.name for path in study.folder.iterdir()} == {"profile.yaml", "runs"}


def test_the_exit_code_is_one_when_a_run_would_fail(study):
    process = study.do_without_study("doctor", cluster=study.profile(partition="mian"))
    assert process.returncode == 1
    assert "sinfo" in process.stdout


@pytest.mark.parametrize(
    ("job", "name", "detail", "remedy"),
    [
        ({"partition": "mian"}, "queue", "invalid partition", "sinfo -s"),
        ({"account": "nobody"}, "queue", "Invalid account", "sacctmgr"),
        ({"walltime": "9-00:00:00"}, "queue", "time limit", "job.walltime"),
        ({"memory": "900GiB"}, "queue", "not available", "job.memory"),
        ({"memory": "800MiB", "workers_": 2}, "memory of a worker", "0.29 GiB", "job.workers"),
        ({"interface": "ib7"}, "interface", "no such interface", "valid are"),
        ({"python": "/nowhere/python"}, "compute node", "No such file", "job.python"),
        ({"scratch": "/nowhere"}, "scratch", "/nowhere is not writable", "job.scratch"),
    ],
    ids=["partition", "account", "walltime", "memory", "share", "interface", "python", "scratch"],
)
def test_a_wrong_profile(doctor, job, name, detail, remedy):
    workers = job.pop("workers_", None)
    top = {} if workers is None else {"job": {"memory": "800MiB", "workers": workers}}
    wrong = doctor(top=top, **job)
    assert name in wrong, wrong
    assert detail in wrong[name][0]
    assert remedy in wrong[name][1]


def test_a_head_job_the_queue_rejects(doctor):
    wrong = doctor(top={"head": {"partition": "short", "walltime": "04:00:00"}})
    assert set(wrong) == {"head job"}
    assert "time limit" in wrong["head job"][0]
    assert "head.walltime" in wrong["head job"][1]


def test_a_stage_the_queue_rejects(doctor):
    wrong = doctor(top={"stages": {"extract": {"memory": "900GiB"}}})
    assert set(wrong) == {"queue (extract)"}
    assert "not available" in wrong["queue (extract)"][0]
    assert "stages.extract.memory" in wrong["queue (extract)"][1]


def test_no_encryption(doctor):
    wrong = doctor(top={"listen_without_encryption_on_the_network": True})
    assert set(wrong) == {"encryption"}
    assert "anyone on the network can run code as you" in wrong["encryption"][0]


def test_another_environment_on_the_nodes(doctor, study):
    other = study.folder / "other"
    (other / "numpy-1.2.3.dist-info").mkdir(parents=True)
    (other / "numpy-1.2.3.dist-info" / "METADATA").write_text("Name: numpy\nVersion: 1.2.3\n")
    (other / "sitecustomize.py").write_text(
        "import time\nnow = time.time\ntime.time = lambda: now() + 300\n"
    )
    lines = f'export PYTHONPATH={other}:{ROOT} OMP_NUM_THREADS=8\nexec {sys.executable} "$@"'
    wrong = doctor(python=script(study, "python-other", lines))
    assert wrong["numpy"][0].endswith("1.2.3 on " + wrong["numpy"][0].rpartition(" on ")[2])
    assert "job.prologue" in wrong["numpy"][1]
    assert "+300" in wrong["clock"][0] or "+299" in wrong["clock"][0]
    assert "NTP" in wrong["clock"][1]
    assert "OMP_NUM_THREADS=8" in wrong["threads"][0]
    assert set(wrong) == {"numpy", "clock", "threads"}


@pytest.mark.parametrize(
    ("before", "name", "detail", "remedy"),
    [
        ("mount -t tmpfs none {runs}", "shared folder", "is another folder", "--out"),
        ("mount -o bind,ro {runs} {runs}", "shared folder", "is not writable", "--out"),
        ("true", "network", "cannot reach", "job.interface"),
    ],
    ids=["hidden", "read-only", "network"],
)
def test_a_node_with_limits(doctor, study, before, name, detail, remedy):
    (study.folder / "runs").mkdir()
    kind = "-n" if name == "network" else "-m"
    first = before.format(runs=study.folder / "runs")
    line = f'exec unshare {kind} sh -c \'{first} && exec {sys.executable} "$@"\' sh "$@"'
    wrong = doctor(python=script(study, "python-elsewhere", line))
    assert name in wrong, wrong
    assert detail in wrong[name][0]
    assert remedy in wrong[name][1]


def test_the_controller_is_down(doctor, study):
    study.slurm.stop_controller()
    try:
        wrong = doctor()
    finally:
        study.slurm.start_controller()
    assert "scontrol" in wrong["queue"][0] or "does not answer" in wrong["queue"][0]
    assert wrong["queue"][1]


def test_no_slurm_on_this_machine(doctor, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    wrong = doctor()
    assert "no such command on this machine: scontrol" in wrong["queue"][0]
    assert "login node" in wrong["queue"][1]
