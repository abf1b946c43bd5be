"""The head job without a queue: what it does when the controller does not answer."""

from __future__ import annotations

import time

import pytest

from ketadask.cluster import slurm
from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from ketadask.store.run_folder import SUBMISSION, RunFolder
from ketadask.study import submit
from ketadask.study.study import Study


@pytest.fixture
def controller(monkeypatch):
    """Return the calls to a controller that is away for as many of them as asked for."""
    calls, away = [], [2]

    def call(*words):
        calls.append(words)
        if len(calls) <= away[0]:
            raise slurm.UnreachableError("SLURM does not answer: Unable to contact")
        return ""

    monkeypatch.setattr(slurm, "call", call)
    monkeypatch.setattr(submit, "_PAUSE", 0.01)
    return calls, away


def test_a_head_asks_again_until_the_controller_requeues_it(controller):
    calls, _ = controller
    said = []
    submit.requeue("77", time.monotonic() + 60, said.append)
    assert calls == [("scontrol", "requeue", "77")] * 3
    assert len(said) == 2
    assert "trying again: SLURM does not answer" in said[0]


def test_at_the_end_of_the_walltime_the_head_says_why_it_was_not_requeued(controller):
    calls, away = controller
    away[0] = 1_000_000
    with pytest.raises(InputError, match="does not answer"):
        submit.requeue("77", time.monotonic() + 0.1, lambda line: None)
    assert len(calls) > 2


STUDY = """
name: small
data: {folder: study}
features: {modalities: [scale]}
splits: {count: 6}
null: {relabellings: 19, calibration_studies: 0}
"""


@pytest.fixture
def submitted(tmp_path, monkeypatch):
    """Return a study and its run folder after its submission to a queue that accepts all jobs."""
    simulate_study(tmp_path / "study", participants=12)
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "slurm.yaml").write_text("kind: slurm\nworkers: 2\n")
    monkeypatch.setattr(slurm, "my_jobs", lambda name: [])
    monkeypatch.setattr(slurm, "submit", lambda script, folder: "77")
    study = Study.read(
        tmp_path / "study.yaml",
        changes=["splits.count=8", "gates.p=0.00001"],
        out=tmp_path / "runs",
        cluster=tmp_path / "slurm.yaml",
    )
    submit.submit_study(study)
    return study, study.paths.path


def test_the_head_runs_the_study_as_it_was_submitted(submitted, tmp_path):
    study, run = submitted
    (tmp_path / "study.yaml").write_text(STUDY.replace("count: 6", "count: 2"))
    (tmp_path / "slurm.yaml").write_text("kind: local\n")
    head = submit.submitted_study(run)
    assert (head.settings, head.profile) == (study.settings, study.profile)
    assert head.paths == study.paths
    assert "head job 77" in submit.queue_lines(run)[0]


def test_the_head_refuses_other_inputs_than_those_submitted(submitted, tmp_path):
    _, run = submitted
    with (tmp_path / "study" / "participants.tsv").open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match=r"the inputs .* changed after .*; submit the study again"):
        submit.submitted_study(run)


def test_the_head_refuses_settings_edited_in_the_run_folder(submitted):
    _, run = submitted
    path = run / submit.SETTINGS
    path.write_text(path.read_text().replace("8", "9"))
    with pytest.raises(InputError, match=r"study\.json: damaged"):
        submit.submitted_study(run)


def test_a_repair_keeps_the_submission(submitted):
    study, path = submitted
    run = RunFolder.open(path)
    with run.lock():
        run.write_json("summary.json", {"p": 0.5})
        (path / "summary.json").write_text("{}")
        assert list(run.repair()) == ["summary.json"]
    assert submit.submitted_study(path).settings == study.settings
    assert all(run.has(name) for name in SUBMISSION)


def test_a_run_folder_without_a_submission_has_no_submitted_study(tmp_path):
    run = RunFolder.make(tmp_path, "demo", "0f3a" * 16)
    with pytest.raises(InputError, match="was not submitted; give the YAML file"):
        submit.submitted_study(run.path)


def test_a_failed_head_job_says_so_with_the_end_of_its_log(submitted, monkeypatch):
    _, run = submitted
    (run / "logs" / "head-77.log").write_text("\n".join(f"line {k}" for k in range(30)))
    states = ["PENDING", "RUNNING", "FAILED"]
    monkeypatch.setattr(slurm, "job_end", lambda job: slurm.JobEnd(states[0], "1:0", "n2"))
    assert submit.run_end(run) is None
    states.pop(0)
    assert submit.run_end(run) is None
    states.pop(0)
    text = submit.run_end(run)
    assert text.startswith("head job 77 ended: FAILED on n2 (exit code 1:0)\nlast lines of ")
    assert text.endswith("line 28\nline 29")
    assert "line 19" not in text
    assert submit.queue_lines(run)[1] == "head job 77 ended: FAILED on n2 (exit code 1:0)"


def test_a_local_run_ends_with_its_process(tmp_path):
    run = RunFolder.make(tmp_path, "demo", "0f3a" * 16)
    with run.lock():
        assert submit.run_end(run.path) is None
    assert submit.run_end(run.path).startswith("no process writes this run")
