"""Profiles of job queues: what may be said, and the job scripts that come of it."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import HeadJobSettings, JobSettings, Profile, Resources, Stages
from ketadask.cluster.queues import _CLASSES, job_words, made_cluster, worker_memory
from ketadask.cluster.slurm import Death, parse_duration
from ketadask.config.reading import read_settings
from ketadask.schema.errors import InputError
from ketadask.study import submit

ROOT = Path(__file__).parents[2]
MARKS = {"slurm": "#SBATCH", "pbs": "#PBS", "lsf": "#BSUB", "sge": "#$"}


def profile(kind="slurm", **job):
    given = {"partition": "long", "account": "lab", "walltime": "02:00:00", "memory": "3GiB"}
    return Profile(kind=kind, workers=4, dashboard=False, job=JobSettings(**{**given, **job}))


def script_of(one, folder):
    with made_cluster(one, name="keta-x", logs=folder, host="127.0.0.1", security=None) as made:
        return made.job_script()


@pytest.mark.parametrize("kind", list(_CLASSES))
def test_every_queue_gets_a_job_script_with_one_thread_per_worker(tmp_path, kind):
    before = signal.getsignal(signal.SIGINT)
    text = script_of(profile(kind, prologue=("module load python",)), tmp_path)
    assert signal.getsignal(signal.SIGINT) == before
    assert "module load python" in text
    assert "OMP_NUM_THREADS=1" in text
    assert "--nthreads 1" in text
    assert "--no-dashboard" in text
    assert "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False" in text
    if kind in MARKS:
        lines = [line for line in text.splitlines() if line.startswith(MARKS[kind])]
        assert any("long" in line for line in lines)
        assert any("lab" in line for line in lines)


def test_a_queue_without_a_place_for_logs_touches_nothing_that_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tls-mine").mkdir()

    def refuse(folder):
        raise InputError("no certificates today", file=folder)

    monkeypatch.setattr("ketadask.cluster.certificates.temporary", refuse)
    with pytest.raises(InputError, match="no certificates today"), connect(profile("pbs")):
        pass
    assert (tmp_path / "tls-mine").is_dir()


def test_a_slurm_job_asks_for_what_the_profile_says(tmp_path):
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


def test_the_memory_of_a_worker_leaves_room_for_its_nanny():
    assert worker_memory(profile()) == 3 * 2**30 - 100 * 2**20
    assert worker_memory(profile(workers=3)) == 2**30 - 100 * 2**20
    assert worker_memory(profile().model_copy(update={"memory_limit": "1GiB"})) == 2**30


def test_a_stage_gets_jobs_of_its_own(tmp_path):
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


def test_the_words_hold_no_secret_and_no_public_dashboard(tmp_path):
    words = job_words(profile(), name="keta-x", logs=tmp_path)
    assert words["worker_extra_args"] == ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: slurm\n", ["needs a number of workers", "workers: 4"]),
        ("kind: slurm\nworkers: 2\njob: {walltime: 14:00:00}\n", ["walltime", "quotes"]),
        ("kind: slurm\nworkers: 2\njob: {walltime: four hours}\n", ["walltime", "must match"]),
        ("kind: slurm\nworkers: 2\njob: {memory: lots}\n", ["memory", "4GiB"]),
        ("kind: slurm\nworkers: 2\njob: {memory: 10MiB}\n", ["memory", "300MiB"]),
        ("kind: slurm\nworkers: 2\njob: {partiton: x}\n", ["partiton", "'job.partition'"]),
        ("kind: local\njob: {memory: 4GiB}\n", ["takes no job", "slurm"]),
    ],
)
def test_a_wrong_profile_is_told(tmp_path, text, words):
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_settings(path, Profile)
    for word in words:
        assert word in str(caught.value)


def test_every_key_of_a_job_is_documented():
    for model in (JobSettings, HeadJobSettings, Resources, Stages):
        for name, field in model.model_fields.items():
            assert field.description, name


@pytest.mark.parametrize(
    ("death", "own", "words"),
    [
        (Death("OUT_OF_MEMORY", "0:125", "n1"), True, "more memory than it asked for"),
        (Death("FAILED", "0:9", "n1"), True, "most likely too much memory"),
        (Death("FAILED", "1:0", "n1"), False, "exit code 1:0"),
        (Death("TIMEOUT", "0:15", "n1"), False, "its walltime ended"),
        (Death("PREEMPTED", "0:15", "n1"), False, "another job took its place"),
        (Death("NODE_FAIL", "0:0", "n1"), False, "its node failed"),
        (Death("CANCELLED", "0:15", "n1"), False, "it was cancelled"),
    ],
)
def test_only_memory_and_crashes_are_held_against_a_task(death, own, words):
    assert death.own == own
    assert words in str(death)
    assert "on n1" in str(death)


def test_spans_of_slurm():
    assert parse_duration("2-00:00:01") == 172801
    assert parse_duration("04:00:00") == 14400
    assert parse_duration("INVALID") is None


def test_the_head_job_asks_for_its_own_and_warns_before_its_end(tmp_path):
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
    made = replace(study, profile=one)
    lines = submit.head_script(made, RunFolder(tmp_path / "x"), ["a b.yaml"]).splitlines()
    for line in ("--partition=service", "--account=lab", "--signal=B:USR1@90", "--qos=long"):
        assert f"#SBATCH {line}" in lines
    assert "#SBATCH --requeue" in lines
    assert lines[-1].endswith("-m ketadask head 'a b.yaml'")


def test_only_a_slurm_study_can_be_submitted(tmp_path):
    from ketadask.study.study import Study

    study = Study.read(ROOT / "config" / "demo.yaml", out=tmp_path)
    with pytest.raises(InputError, match=r"kind: only a study .* found 'local'"):
        submit.submit_study(study, ["demo.yaml"])
