"""Profiles of job queues and their job scripts."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import HeadJobSettings, JobSettings, Profile
from ketadask.cluster.queues import (
    CLUSTER_CLASSES,
    check_script_path,
    job_options,
    open_jobqueue,
    worker_memory,
)
from ketadask.cluster.slurm import JobEnd, parse_duration
from ketadask.config.reading import read_settings
from ketadask.schema.errors import InputError
from ketadask.study import submit

ROOT = Path(__file__).parents[2]
MARKS = {"slurm": "#SBATCH", "pbs": "#PBS", "lsf": "#BSUB", "sge": "#$"}


def profile(kind="slurm", **job):
    job = {
        **{"partition": "long", "account": "lab", "walltime": "02:00:00", "memory": "3GiB"},
        **job,
    }
    return Profile(kind=kind, workers=4, dashboard=False, job=JobSettings(**job))


def script_of(profile, folder):
    options = {"name": "keta-x", "logs": folder, "host": "127.0.0.1", "security": None}
    with open_jobqueue(profile, **options) as cluster:
        return cluster.job_script()


@pytest.mark.parametrize("kind", list(CLUSTER_CLASSES))
def test_every_queue_gets_a_job_script_with_one_thread_per_worker(tmp_path, kind):
    before = signal.getsignal(signal.SIGINT)
    text = script_of(profile(kind, prologue=("module load python",)), tmp_path)
    assert signal.getsignal(signal.SIGINT) == before
    assert f". {tmp_path}/prologue.sh" in text
    assert "OMP_NUM_THREADS=1" in text
    assert "--nthreads 1" in text
    assert "--no-dashboard" in text
    assert "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False" in text
    if kind in MARKS:
        lines = [line for line in text.splitlines() if line.startswith(MARKS[kind])]
        assert any("long" in line for line in lines)
        assert any("lab" in line for line in lines)


def test_a_queue_without_a_folder_for_logs_leaves_other_files_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tls-mine").mkdir()

    def refuse(folder):
        raise InputError("no certificates today", file=folder)

    monkeypatch.setattr("ketadask.cluster.certificates.temporary", refuse)
    with pytest.raises(InputError, match="no certificates today"), connect(profile("pbs")):
        pass
    assert (tmp_path / "tls-mine").is_dir()


def test_a_slurm_job_requests_the_resources_of_the_profile(tmp_path):
    one = profile(workers=2, directives=("--constraint=avx2",), scratch="${TMPDIR:-/scr}")
    text = script_of(one, tmp_path)
    for line in (
        "#SBATCH -p long",
        "#SBATCH -A lab",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --mem=3072M",
        "#SBATCH -t 02:00:00",
        f'#SBATCH -o "{tmp_path}/worker-%j.log"',
        "#SBATCH --no-requeue",
        "#SBATCH --constraint=avx2",
    ):
        assert line in text.splitlines()
    assert "--nworkers 2" in text
    assert "--local-directory ${TMPDIR:-/scr}" in text
    assert "--memory-limit 1.40GiB" in text


def test_the_memory_of_a_worker_excludes_that_of_its_nanny():
    assert worker_memory(profile()) == 3 * 2**30 - 100 * 2**20
    assert worker_memory(profile(workers=3)) == 2**30 - 100 * 2**20
    assert worker_memory(profile().model_copy(update={"memory_limit": "1GiB"})) == 2**30


def test_a_stage_has_jobs_of_its_own(tmp_path):
    text = (
        "kind: slurm\nworkers: 4\nmemory_limit: 1GiB\njob: {memory: 2GiB, account: lab}\n"
        "stages: {extract: {workers: 2, memory: 8GiB, walltime: '08:00:00', partition: big}}\n"
    )
    (tmp_path / "profile.yaml").write_text(text)
    one = read_settings(tmp_path / "profile.yaml", Profile)
    search, extract = one.for_stage("search"), one.for_stage("extract")
    assert (search.workers, search.job) == (4, one.job)
    assert (worker_memory(search), extract.workers) == (2**30, 2)
    lines = script_of(extract, tmp_path).splitlines()
    for line in ("-p big", "-A lab", "--mem=8192M", "-t 08:00:00"):
        assert f"#SBATCH {line}" in lines
    assert worker_memory(extract) == 8 * 2**30 - 100 * 2**20
    assert extract.for_stage("extract") == extract


def test_the_dashboard_is_not_public(tmp_path):
    options = job_options(profile(), name="keta-x", logs=tmp_path)
    assert options["worker_extra_args"] == ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]


@pytest.mark.parametrize(
    ("end", "is_task_fault", "words"),
    [
        (JobEnd("OUT_OF_MEMORY", "0:125", "n1"), True, "exceeded its memory limit"),
        (JobEnd("FAILED", "0:9", "n1"), True, "most likely it exceeded"),
        (JobEnd("FAILED", "1:0", "n1"), False, "exit code 1:0"),
        (JobEnd("TIMEOUT", "0:15", "n1"), False, "reached its walltime"),
        (JobEnd("PREEMPTED", "0:15", "n1"), False, "higher priority"),
        (JobEnd("NODE_FAIL", "0:0", "n1"), False, "its node failed"),
        (JobEnd("CANCELLED", "0:15", "n1"), False, "it was cancelled"),
    ],
)
def test_only_memory_and_crashes_count_against_a_task(end, is_task_fault, words):
    assert end.is_task_fault == is_task_fault
    assert words in str(end)
    assert "on n1" in str(end)


def test_durations_of_slurm():
    assert parse_duration("2-00:00:01") == 172801
    assert parse_duration("04:00:00") == 14400
    assert parse_duration("INVALID") is None


def test_the_head_job_has_its_own_resources_and_a_signal_before_its_end(tmp_path):
    from ketadask.store.run_folder import RunFolder
    from ketadask.study.study import Study

    one = profile().model_copy(
        update={
            "head": HeadJobSettings(
                partition="service", requeue_seconds=90, directives=("--qos=long",)
            )
        }
    )
    study = Study.read(ROOT / "config" / "demo.yaml", out=tmp_path)
    study = replace(study, profile=one)
    lines = submit.head_script(study, RunFolder(tmp_path / "x")).splitlines()
    for line in ("--partition=service", "--account=lab", "--signal=B:USR1@90", "--qos=long"):
        assert f"#SBATCH {line}" in lines
    assert "#SBATCH --requeue" in lines
    assert lines[-1].endswith(f"-m ketadask head {tmp_path / 'x'}")


def test_submit_needs_slurm(tmp_path):
    from ketadask.study.study import Study

    study = Study.read(ROOT / "config" / "demo.yaml", out=tmp_path)
    with pytest.raises(
        InputError, match=r"kind: submit needs a profile of kind slurm, found 'local'"
    ):
        submit.submit_study(study)


@pytest.mark.parametrize("name", ["my runs", 'runs"\ntouch pwned\n#"', "runs\n", "a;b", "$HOME"])
def test_a_job_script_contains_only_plain_paths(name):
    check_script_path(Path("/data/lab_2/runs+1/demo-0f3a"))
    with pytest.raises(InputError, match="job scripts cannot contain this path; use letters"):
        check_script_path(Path("/data") / name)
