"""A study gives the same bytes wherever, however and however often interrupted it is run."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from ketadask.cluster.profile import Profile
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.stage import StudyError
from ketadask.schema.errors import InputError
from ketadask.store.run_folder import RunFolder
from ketadask.study.study import Study
from ketadask.study.submit import queue_lines

ROOT = Path(__file__).parents[2]
STUDY = """
name: small
seed: 3
data: {simulate: {participants: 44, seed: 11}}
features: {include: [age, sex, bdi_10, "wm-*posteriorcingulate", "wm-*inferiorparietal"]}
search: {max_literals: 2, keep: 20}
splits: {count: 24}
null: {relabellings: 19, calibration_studies: 0}
"""
RESULTS = ("verdicts.parquet", "verdicts.csv", "summary.json", "literals.parquet")
MORE = ("stability.parquet", "personas.parquet", "explained.parquet", "risk_coverage.parquet")
ONE = Profile(kind="synchronous")


def study(folder: Path, *changes: str, profile: Profile = ONE, out: str = "runs") -> Study:
    path = folder / "study.yaml"
    if not path.exists():
        path.write_text(STUDY)
    made = Study.read(
        path,
        changes=changes,
        out=folder / out,
        progress=Progress(Console(file=io.StringIO(), width=200)),
    )
    return Study(made.settings, made.out, profile, made.progress, made.command)


def results(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in (*RESULTS, *MORE)}


def said(one: Study) -> str:
    return one.progress.console.file.getvalue()


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    """The study, run plainly in one go."""
    return study(tmp_path_factory.mktemp("reference")).run().folder


@pytest.mark.parametrize(
    ("kind", "workers", "block"),
    [
        ("synchronous", 1, 1),
        ("synchronous", 1, 50),
        ("threads", 2, 5),
        pytest.param("local", 1, 50, marks=pytest.mark.slow),
        ("local", 2, 1),
        pytest.param("local", 2, None, marks=pytest.mark.slow),
    ],
)
def test_same_bytes_on_every_executor_and_block(tmp_path, reference, kind, workers, block):
    profile = Profile(kind=kind, workers=workers, dashboard=False)
    changes = [] if block is None else [f"execution.block={block}"]
    ending = study(tmp_path, *changes, profile=profile).run()
    assert ending.folder.name == reference.name
    assert results(ending.folder) == results(reference)
    assert ending.report.stat().st_size > 10_000


def test_same_bytes_with_searches_split_and_literals_in_a_file(tmp_path, reference, monkeypatch):
    monkeypatch.setattr("ketadask.search.persona_search.LITERALS_FRACTION", 1e-9)
    profile = Profile(kind="threads", workers=2)
    changes = ["execution.task_seconds=0.001", "execution.memory=400MB"]
    ending = study(tmp_path, *changes, profile=profile).run()
    assert ending.folder.name == reference.name
    assert results(ending.folder) == results(reference)
    assert (ending.folder / "literals.bits").is_file()
    stages = json.loads((ending.folder / "provenance.json").read_text())["runs"][-1]["stages"]
    pieces = {stage["stage"]: stage["pieces"] for stage in stages}
    assert min(pieces["search"], pieces["null"]) > 1
    assert pieces["evaluate"] == 1


def test_same_bytes_where_workers_share_the_searches_of_a_few_splits(tmp_path, monkeypatch):
    monkeypatch.setattr("ketadask.pipeline.executor.Threads.distributes", True)
    made = {}
    for workers, pieces in ((1, {"search": 1, "null": 1}), (16, {"search": 6, "null": 3})):
        profile = Profile(kind="threads", workers=workers)
        one = study(tmp_path, "splits.count=3", profile=profile, out=f"of {workers}")
        assert {e.name: e.pieces for e in one.search().stages} == pieces
        place = one.paths
        for table, parts, n in (("hits", place.hits(), 3), ("nulls", place.nulls(), 19)):
            found = parts.read_all(table, n)
            number = found.columns[0]
            found = found.sort_values([number, "polarity", "rank"], ignore_index=True)
            pd.testing.assert_frame_equal(made.setdefault(table, found), found, check_exact=True)


def test_the_run_folder_holds_what_a_reader_needs(reference):
    for name in (*RESULTS, "provenance.json", "report.html", "study.log"):
        assert (reference / name).is_file(), name
    for name in ("cohort.zarr", "splits.zarr", "hits", "nulls", "evaluations"):
        assert (reference / name).is_dir(), name
    provenance = json.loads((reference / "provenance.json").read_text())
    assert {"versions", "commit", "settings", "inputs", "seeds", "machine", "runs"} <= set(
        provenance
    )
    assert provenance["command"][:2] == ["ketadask", "run"]
    assert len(provenance["inputs"]["participants.tsv"]) == 64
    summary = json.loads((reference / "summary.json").read_text())
    assert summary["splits"] == 24
    assert summary["relabellings"] == 19
    assert not [key for key in str(summary).split() if "second" in key]


def test_a_second_run_computes_nothing_and_says_so(tmp_path):
    study(tmp_path).run()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.parquet")}
    again = study(tmp_path)
    ending = again.run()
    assert sum(each.new for each in ending.stages) == 0
    assert sum(each.present for each in ending.stages) == 24 + 19
    assert "all 24 splits already complete" in said(again)
    assert "verdicts already complete" in said(again)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.parquet")} == before


def test_more_splits_compute_only_the_new_ones_and_equal_a_fresh_study(tmp_path):
    study(tmp_path, "splits.count=10").run()
    ending = study(tmp_path).run()
    made = {each.name: (each.new, each.present) for each in ending.stages}
    assert made["search"] == (14, 10)
    assert made["null"] == (0, 19)
    fresh = study(tmp_path, out="elsewhere").run()
    assert results(fresh.folder) == results(ending.folder)
    fewer = study(tmp_path, "splits.count=10").run()
    small = study(tmp_path, "splits.count=10", out="third").run()
    assert results(small.folder) == results(fewer.folder)


def test_other_words_for_the_same_searches_are_judged_anew_in_place(tmp_path):
    first = study(tmp_path).run()
    stricter = study(tmp_path, "verdict.alpha=0.06", "report.title=Stricter").run()
    assert stricter.folder == first.folder
    assert sum(each.new for each in stricter.stages if each.name != "evaluate") == 0
    assert "Stricter" in stricter.report.read_text()


def test_a_report_is_of_the_verdicts_that_are_asked_for(tmp_path):
    other = ["verdict.alpha=0.06", "verdict.suggestive=0.95"]
    study(tmp_path).run()
    early = study(tmp_path, *other).report()
    assert early.verdicts is None
    assert "There is no verdict yet." in early.report.read_text()
    whole = study(tmp_path, *other).run()
    assert "There is no verdict yet." not in whole.report.read_text()


def test_killed_while_verdicts_are_written_they_are_written_anew(tmp_path, monkeypatch, reference):
    study(tmp_path).run()
    write = RunFolder.write_json

    def killed(run, name, thing):
        if name == "summary.json":
            raise KeyboardInterrupt
        return write(run, name, thing)

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path, "verdict.alpha=0.06", "verdict.suggestive=0.95").run()
    assert results(study(tmp_path).run().folder) == results(reference)


def test_search_then_judge_then_report(tmp_path, reference):
    with pytest.raises(InputError, match="has not been run"):
        study(tmp_path).report()
    with pytest.raises(InputError, match=r"24 of 24 splits .* `ketadask search`"):
        study(tmp_path).judge()
    early = study(tmp_path).report()
    assert early.verdicts is None
    page = early.report.read_text()
    assert "There is no verdict yet." in page
    assert 'id="stages"' in page
    assert "24</data> of" in page or ">24</data></td>" in page
    assert study(tmp_path).search().verdicts is None
    ending = study(tmp_path).judge()
    assert results(ending.folder) == results(reference)
    whole = study(tmp_path).report().report.read_text()
    assert 'id="stages"' not in whole
    assert 'id="courses"' in whole


def test_a_damaged_part_is_set_aside_and_made_anew(tmp_path, reference):
    folder = study(tmp_path, "execution.block=6").search().folder
    victim = next((folder / "hits").glob("000006-*.hits.parquet"))
    victim.write_bytes(victim.read_bytes()[:-9])
    again = study(tmp_path, "execution.block=6")
    ending = again.run()
    assert results(ending.folder) == results(reference)
    assert next(e for e in ending.stages if e.name == "search").new == 6
    assert "damaged" in said(again)


def test_two_processes_cannot_write_one_run(tmp_path):
    one = study(tmp_path)
    with one.open_run():
        assert queue_lines(one.paths.path)[0].startswith(f"written by process {os.getpid()} on ")
        with pytest.raises(InputError, match="being written by"):
            study(tmp_path).run()
    assert queue_lines(one.paths.path) == []
    assert study(tmp_path).search().folder.is_dir()


def test_leaving_trials_out_makes_as_many_splits_as_there_are_trials(tmp_path):
    asked = study(tmp_path, "data.simulate.trials=2", "splits.scheme=leave-trial-out")
    asked.search()
    present = {each.stage: (each.present, each.total) for each in asked.status()}
    assert present["search"] == (2, 2)


def test_failed_tasks_are_named_and_the_rest_is_kept(tmp_path, monkeypatch, reference):
    from ketadask.search import block

    solve = block.compare

    def sometimes(*args, **named):
        if sometimes.calls == 30:
            sometimes.calls += 1
            raise FloatingPointError("bad luck")
        sometimes.calls += 1
        return solve(*args, **named)

    sometimes.calls = 0
    monkeypatch.setattr(block, "compare", sometimes)
    with pytest.raises(StudyError, match=r"search: 4 of 24 splits failed \(4-7\)") as caught:
        study(tmp_path, "execution.block=4").run()
    assert "bad luck" in str(caught.value)
    ending = study(tmp_path).run()
    assert next(e for e in ending.stages if e.name == "search").new == 4
    assert results(ending.folder) == results(reference)


def test_simulated_tables_that_were_changed_are_refused(tmp_path):
    one = study(tmp_path)
    one.search()
    table = one.paths.data / "participants.tsv"
    table.write_text(table.read_text().replace("sub-K00001", "sub-K00099"))
    with pytest.raises(InputError, match="changed after its simulation; delete the folder"):
        study(tmp_path).run()


FIRST_PART, CLUSTER_START = "runs/small-*/hits/*.json", "tmp/ketadask-*/tls/key.pem"


@pytest.mark.parametrize(
    ("kind", "number", "moment"),
    [
        pytest.param("synchronous", signal.SIGINT, FIRST_PART, marks=pytest.mark.slow),
        ("threads", signal.SIGINT, FIRST_PART),
        pytest.param("local", signal.SIGINT, FIRST_PART, marks=pytest.mark.slow),
        pytest.param("local", signal.SIGINT, CLUSTER_START, marks=pytest.mark.slow),
        pytest.param("local", signal.SIGTERM, FIRST_PART, marks=pytest.mark.slow),
        pytest.param("local", signal.SIGHUP, FIRST_PART, marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_is_quiet_and_keeps_what_is_complete(tmp_path, kind, number, moment):
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "profile.yaml").write_text(f"kind: {kind}\n")
    words = [sys.executable, "-m", "ketadask", "run", str(tmp_path / "study.yaml")]
    words += ["--out", str(tmp_path / "runs"), "--cluster", str(tmp_path / "profile.yaml")]
    words += ["--set", "execution.block=1", "--set", "splits.count=5000"]
    (tmp_path / "tmp").mkdir()
    # A shell that starts the tests in the background makes them and their children ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(moment)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # The terminal interrupts the whole group; kill and a closing terminal the process.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    told = process.communicate(timeout=240)[1]
    assert process.returncode == 130
    assert "interrupted; finished parts are kept, run again to continue" in told
    assert "Traceback" not in told
    assert "leaked" not in told  # semaphores
    assert not list((tmp_path / "tmp").rglob("*.pem"))
    (run,) = (tmp_path / "runs").glob("small-*")
    assert "interrupted" in (run / "provenance.json").read_text()
