"""Faults during long studies on a shared cluster; the results stay the same."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.cluster.conftest import (
    CHANGES,
    RECORDINGS,
    StudyRunner,
    results,
    results_of_one_machine,
)

PREDICT = {
    **{"repeats": 1, "folds": 2, "inner_repeats": 1, "inner_folds": 2, "costs": [1.0]},
    **{"covariates": ["age"], "permutations": 39},
}
# By stage that meets the faults: its settings and the number of its parts.
STAGES = {
    "recordings": ((*RECORDINGS, "data.simulate.participants=16"), 32),
    "hits": (CHANGES, 60),
    "nulls": ((*CHANGES, "null.relabellings=39", "null.calibration_studies=0"), 39),
    "permutations": ((*CHANGES, f"predict={json.dumps(PREDICT)}"), 40),
}


def wait_for_blocks(study, more=3, *, limit=False):
    """Wait for some more complete blocks; with ``limit``, all others stay in flight."""
    target = len(study.blocks("done")) + more
    if limit:
        study.allow(target)
    study.until(lambda: len(study.blocks("done")) >= target, 300, f"{more} more blocks")


def head_says(study, word):
    """Whether the log of a head job contains a word."""
    return any(word in path.read_text() for path in study.files("logs/head-*.log"))


def worker_on_another_node(study):
    """Return a worker job on another node than the head job, and that node."""
    head = [node for nodes in study.heads().values() for node in nodes]
    others = ((job, node) for job, node in study.workers().items() if node not in head)
    return next(others, None)


def runs_again(slurm, job):
    """Whether a job runs for the second time."""
    state = slurm.call("scontrol", "show", "job", job)
    return "Restarts=1" in state and "JobState=RUNNING" in state


@pytest.mark.parametrize(
    "stage", ["hits", *(pytest.param(s, marks=pytest.mark.matrix) for s in STAGES if s != "hits")]
)
def test_one_fault_after_another(study, tmp_path, stage):
    """Jobs, nodes, walltimes, memory, the controller and the head fail, then the next run ends."""
    study.changes, n_parts = STAGES[stage]
    alone = StudyRunner(study.slurm, tmp_path / "alone", study.changes)
    expected = results_of_one_machine(alone)
    study.set_stage(stage)
    slurm = study.slurm
    study.set_seconds(0.2)
    study.allow(0)
    memory = "1700MiB" if stage == "recordings" else "1000MiB"
    profile = study.profile(slow=True, workers=3, memory=memory)
    assert study.do("submit", cluster=profile).returncode == 0
    wait_for_blocks(study, limit=True)

    victim, _ = study.until(lambda: worker_on_another_node(study), 60, "a worker")
    slurm.call("scancel", victim)
    study.until(lambda: head_says(study, "CANCELLED"), 60, "report of the cancelled job")
    wait_for_blocks(study, limit=True)

    _, node = study.until(lambda: worker_on_another_node(study), 90, "a worker on another node")
    slurm.call("scontrol", "update", f"nodename={node}", "state=down", "reason=planted")
    try:
        study.until(lambda: head_says(study, "NODE_FAIL"), 90, "report of the failed node")
        wait_for_blocks(study, limit=True)
    finally:
        slurm.call("scontrol", "update", f"nodename={node}", "state=resume")

    victim, _ = study.until(lambda: worker_on_another_node(study), 90, "a worker")
    slurm.call("scontrol", "update", f"jobid={victim}", "EndTime=now+2")
    study.until(lambda: head_says(study, "TIMEOUT"), 120, "the end of a walltime")
    wait_for_blocks(study, limit=True)

    (study.folder / "bomb").touch()
    study.until((study.folder / "bomb-used").exists, 60, "a worker over its memory")
    study.until(
        lambda: head_says(study, "memory") or head_says(study, "died"), 60, "report of its death"
    )

    slurm.stop_controller()
    study.until(lambda: head_says(study, "does not answer"), 90, "report of the controller")
    slurm.start_controller()
    wait_for_blocks(study, limit=True)

    (head,) = study.heads()
    slurm.call("scontrol", "requeue", head)  # as a preemption does
    study.until(lambda: runs_again(slurm, head), 240, "the second start of the head")
    wait_for_blocks(study, limit=True)
    (head,) = study.heads()
    slurm.call("scancel", head)
    study.until(lambda: not slurm.jobs(), 120, "the end of head and workers")
    assert not study.files("report.html")
    before = len(study.blocks("done"))
    assert before < n_parts

    study.set_seconds(0)
    study.allow(1000)
    assert study.do("submit", cluster=profile).returncode == 0
    study.until(lambda: study.files("report.html") and not slurm.jobs(), 300, "the report")
    assert results(study.run) == expected
    blocks = Counter(first for first, _ in study.blocks("done"))
    assert len(blocks) == n_parts
    assert set(blocks.values()) == {1}, "a finished block was computed again"
    events = "\n".join(study.events())
    report = (study.run / "report.html").read_text()
    for word in ("CANCELLED", "NODE_FAIL", "TIMEOUT", "does not answer", "interrupted"):
        assert word in events, word
        assert word in report, word
    assert "died" in events or "memory" in events


def test_a_head_near_its_walltime_requeues_itself(study, laptop):
    study.set_seconds(0.6)
    assert study.do("submit", cluster=study.profile(slow=True)).returncode == 0
    wait_for_blocks(study, 4)
    (head,) = study.heads()
    study.slurm.call("scancel", "--signal=USR1", "--batch", head)
    study.until(lambda: head_says(study, "storing results and requeueing"), 60, "the signal")
    study.set_seconds(0.1)
    study.until(lambda: study.files("report.html") and not study.slurm.jobs(), 240, "the report")
    assert results(study.run) == laptop
    assert study.files("logs/head-*.log")[0].name == f"head-{head}.log"
    blocks = Counter(first for first, _ in study.blocks("done"))
    assert set(blocks.values()) == {1}


def test_a_block_that_kills_its_workers_fails_alone(study, laptop):
    study.set_seconds(0.1)
    (study.folder / "poison-000007").touch()
    profile = study.profile(slow=True)
    process = study.do("run", cluster=profile)
    assert process.returncode == 1, process.stdout + process.stderr
    assert "search: 1 of 60 splits failed (7-7)" in process.stderr
    assert "3 workers died while they computed it" in process.stderr
    assert "job.memory" in process.stderr
    assert len(study.blocks("done")) == 59
    assert study.slurm.jobs() == []
    (study.folder / "poison-000007").unlink()
    assert study.do("run", cluster=profile).returncode == 0
    assert results(study.run) == laptop
    assert len(study.blocks("done")) == 60


def test_an_interrupt_stores_a_second_cancels_and_a_kill_leaves_no_job(study, laptop):
    study.set_seconds(2)
    profile = study.profile(slow=True)
    process = study.start("run", cluster=profile)
    wait_for_blocks(study, 2)
    study.until(lambda: len(study.blocks("begin")) > len(study.blocks("done")), 30, "work")
    process.send_signal(2)
    assert process.wait(120) != 0
    assert "completing and storing running tasks" in study.output
    assert sorted(study.blocks("begin")) == sorted(study.blocks("done"))
    assert len(study.blocks("done")) < 60
    study.until(lambda: not study.slurm.jobs(), 60, "an empty queue")

    study.set_seconds(60)
    n_done, n_begin = len(study.blocks("done")), len(study.blocks("begin"))
    process = study.start("run", cluster=profile)
    study.until(lambda: len(study.blocks("begin")) > n_begin, 120, "work")
    process.send_signal(2)
    study.until(
        lambda: study.output.count("completing and storing") == 2, 30, "the first interrupt"
    )
    process.send_signal(2)
    assert process.wait(60) != 0
    study.until(lambda: not study.slurm.jobs(), 60, "an empty queue")
    assert len(study.blocks("done")) == n_done

    process = study.start("run", cluster=profile)
    study.until(lambda: len(study.blocks("begin")) > n_begin + 2, 120, "work")
    process.kill()
    process.wait()
    study.set_seconds(0)
    assert study.do("run", cluster=profile).returncode == 0
    assert results(study.run) == laptop
    assert "ended without finishing" in "".join(study.events())
    assert not study.files("tls-*")
    assert study.slurm.jobs() == []
