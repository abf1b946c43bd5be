"""Recordings through the graph: one part each, nothing twice, broken ones listed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import dask
import numpy as np
import pandas as pd
import pytest

import ketadask as kd
from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.features.graph import extract_recordings, recordings_stage
from ketadask.features.meg.graph import band_power
from ketadask.features.meg.registry import Feature, feature_set
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.table import (
    empty_meg_table,
    meg_table,
    part_name,
    read_recordings,
    recording_parts,
)
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.bids import write_recordings
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth
from ketadask.sources.meg.collection import find_recordings
from ketadask.sources.visits import ARMS

SETTINGS = MegSettings(min_seconds=4.0)


@pytest.fixture
def study(tmp_path):
    """Return a study of three participants with two recordings each."""
    folder = tmp_path / "study"
    write_recordings(folder, ["sub-1", "sub-2", "sub-3"], seconds=6, sensors=12, rate=300)
    return folder


def recording_of(study, who, session="ses-p1d0"):
    """Return the path of one recording."""
    return study / who / session / "meg" / f"{who}_{session}_task-rest_meg.fif"


def test_every_recording_becomes_one_part_and_is_never_computed_again(study, tmp_path):
    files = find_recordings(study)
    parts = extract_recordings(files, tmp_path / "runs", SETTINGS)
    assert set(parts.verify()) == {part_name(entry) for entry in files}
    before = {file: file.stat().st_mtime_ns for file in parts.folder.iterdir()}
    assert recordings_stage(files, SETTINGS, parts).missing() == []
    assert extract_recordings(files, tmp_path / "runs", SETTINGS) == parts
    assert {file: file.stat().st_mtime_ns for file in parts.folder.iterdir()} == before
    table, quality, failures = read_recordings(files, parts, SETTINGS)
    assert failures == []
    assert table.values.index.tolist() == [(f"sub-{k}", p) for k in (1, 2, 3) for p in (1, 2)]
    assert table.values.columns.tolist() == [entry.name for entry in feature_set("core")]
    assert quality["recording"].tolist() == [entry.name for entry in files]
    assert set(table.about["modality"]) == {"meg"}
    receipt = parts.verify()[part_name(files[0])]
    assert receipt.facts["quality"]["clean_seconds"] == 6.0
    assert receipt.facts["quality"]["pulse"] is None
    assert "NaN" not in (parts.folder / f"{receipt.name}.json").read_text()
    assert set(receipt.rows) == {"features", "quality", "channels", "spectrum"}


def test_other_settings_and_other_files_are_computed_anew(study, tmp_path):
    files = find_recordings(study)
    parts = extract_recordings(files, tmp_path, SETTINGS)
    other = MegSettings(min_seconds=4.0, bad_sensor=6.0)
    assert recording_parts(tmp_path, other).key != parts.key
    path = recording_of(study, "sub-2")
    write_recording(path, helmet(12, references=6), seconds=8, rate=300)
    stage = recordings_stage(find_recordings(study), SETTINGS, parts)
    ((first, last),) = stage.missing()
    assert first == last
    assert stage.part_names[first].startswith("sub-2_ses-p1d0_task")


def test_results_do_not_depend_on_the_executor(study, tmp_path):
    files = find_recordings(study)
    tables = []
    for kind in ("synchronous", "threads"):
        parts = recording_parts(tmp_path / kind, SETTINGS)
        stage = recordings_stage(files, SETTINGS, parts)
        with connect(Profile(kind=kind, workers=3)) as executor:
            result = run_stage(stage, lambda executor=executor: executor, Progress.silent())
        assert result.new == len(files)
        tables.append(read_recordings(files, parts, SETTINGS)[0].values)
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def break_recordings(study, real):
    """Break four recordings, each in another way, and return who says what."""
    cut = recording_of(study, "sub-1")
    cut.write_bytes(cut.read_bytes()[:60_000])
    slow = recording_of(study, "sub-2")
    write_recording(slow, helmet(12), seconds=4, rate=250)
    flat = recording_of(study, "sub-3")
    head = helmet(12)
    write_recording(flat, head, MegTruth(flat=head.names), seconds=4, rate=300)
    ctf_folder = study / "sub-4" / "ses-p1d0" / "meg" / "sub-4_ses-p1d0_task-rest_meg.ds"
    ctf_folder.mkdir(parents=True)
    for file in real.iterdir():
        if file.suffix != ".meg4":
            shutil.copy(file, ctf_folder / file.name.replace(real.stem, ctf_folder.stem))
    (ctf_folder.parent / "sub-4_ses-p1d0_task-rest_meg.json").write_text("{}")
    return {
        "sub-1_ses-p1d0_task-rest": "the recording is cut off; copy it again",
        "sub-2_ses-p1d0_task-rest": "has 250 time points per second, its sidecar says 300",
        "sub-3_ses-p1d0_task-rest": "all sensors are flat",
        "sub-4_ses-p1d0_task-rest": "the folder has no .meg4",
    }


def test_broken_recordings_are_listed_with_their_reason_and_the_others_go_on(
    study, tmp_path, real_data
):
    expected = break_recordings(study, real_data / "meg" / "testdata_ctf_short_discontinuous.ds")
    files = find_recordings(study)
    parts = extract_recordings(files, tmp_path / "runs", SETTINGS)
    table, quality, failures = read_recordings(files, parts, SETTINGS)
    reasons = {entry["recording"]: entry["reason"] for entry in failures}
    assert set(reasons) == set(expected)
    for name, text in expected.items():
        assert text in reasons[name]
    assert len(quality) == len(table.values) == 3
    assert recordings_stage(files, SETTINGS, parts).missing() == [], "a failure is final"
    write_recording(recording_of(study, "sub-1"), helmet(12), seconds=6, rate=300)
    assert recordings_stage(find_recordings(study), SETTINGS, parts).missing() == [(0, 0)]


@pytest.mark.slow
def test_broken_recordings_stop_no_worker_of_a_local_cluster(study, tmp_path, real_data):
    """Two worker processes meet the same four broken recordings; each is listed, none retried."""
    expected = break_recordings(study, real_data / "meg" / "testdata_ctf_short_discontinuous.ds")
    files = find_recordings(study)
    here = read_recordings(files, extract_recordings(files, tmp_path / "here", SETTINGS), SETTINGS)
    parts = recording_parts(tmp_path / "there", SETTINGS)
    stage = recordings_stage(files, SETTINGS, parts)
    with connect(Profile(kind="local", workers=2, dashboard=False)) as executor:
        result = run_stage(stage, lambda: executor, Progress.silent())
        assert executor.workers == 2
    assert result.complete, result.failure_summary()
    table, quality, failures = read_recordings(files, parts, SETTINGS)
    assert {entry["recording"] for entry in failures} == set(expected)
    assert failures == here[2]
    pd.testing.assert_frame_equal(table.values, here[0].values, check_exact=True)
    pd.testing.assert_frame_equal(quality, here[1], check_exact=True)
    assert recordings_stage(files, SETTINGS, parts).missing() == [], "a failure is final"


def test_band_power_is_lazy_and_equals_the_parts(study, tmp_path):
    def refuse(graph, keys, **options):
        raise AssertionError("something was computed")

    with dask.config.set(scheduler=refuse):
        power = kd.band_power(kd.open_recordings(study))
    assert power.sizes == {"recording": 6, "feature": 66}
    assert power["session"].values.tolist() == ["ses-p1d0", "ses-p2d0"] * 3
    values = power["value"].compute(scheduler="threads")
    settings = MegSettings(features="power")
    files = find_recordings(study)
    table = read_recordings(files, extract_recordings(files, tmp_path, settings), settings)[0]
    np.testing.assert_array_equal(values.values, table.values.to_numpy())


def test_band_power_of_a_recording_that_cannot_be_used_is_missing(study):
    head = helmet(12)
    write_recording(
        recording_of(study, "sub-3"), head, MegTruth(flat=head.names), seconds=4, rate=300
    )
    power = band_power(kd.open_recordings(study)).compute()
    missing = power["value"].isnull().all("feature").values
    assert power["recording"].values[missing].tolist() == ["sub-3_ses-p1d0_task-rest"]


def test_meg_enters_the_cohort(tmp_path):
    from ketadask.simulate.study import simulate_study

    folder = simulate_study(tmp_path / "study", participants=3)
    people = pd.read_csv(folder / "participants.tsv", sep="\t")["participant_id"].tolist()
    write_recordings(folder, people, seconds=4, sensors=12, rate=300)
    power = kd.band_power(kd.open_recordings(folder))
    cohort = kd.assemble(
        kd.read_phenotype(folder), power, modalities=["demographic", "meg"]
    ).dataset
    meg = cohort.isel(feature=cohort["modality"].values == "meg")
    assert meg.sizes["feature"] == 66
    assert np.isfinite(meg["value"].values).all()
    assert (meg["kind"].values == "continuous").all()


def rows(*sessions, who="sub-1"):
    """Return a table of recordings whose value is their number."""
    return pd.DataFrame(
        {"participant": who, "session": sessions, "meg_peak_all": np.arange(1.0, 1 + len(sessions))}
    )


PEAK = [Feature("peak", "", "all")]


def test_what_came_after_the_infusion_does_not_count():
    table = meg_table(rows("ses-p1d0", "ses-p1d7", "ses-p2d0", "ses-p2d0"), PEAK)
    assert table.values["meg_peak_all"].to_dict() == {("sub-1", 1): 1.0, ("sub-1", 2): 3.5}


def test_sessions_named_by_their_arm_lie_where_it_was_given():
    by_arm, sequences = rows("ses-d0", "ses-p0", "ses-d1"), {"sub-1": "control-active"}
    table = meg_table(by_arm, PEAK, session_pattern=ARMS, sequences=sequences)
    assert table.values["meg_peak_all"].to_dict() == {("sub-1", 1): 2.0, ("sub-1", 2): 1.0}
    both_periods = meg_table(
        rows("ses-b3", "ses-d2"), PEAK, session_pattern=ARMS, sequences=sequences
    )
    assert both_periods.at(["sub-1"] * 2, [1, 2]).ravel().tolist() == [1, 1]
    nobody_knows = meg_table(by_arm, PEAK, session_pattern=ARMS)
    assert nobody_knows.values.empty


def test_one_recording_counts_for_both_periods():
    assert meg_table(rows("ses-01"), PEAK).at(["sub-1"] * 2, [1, 2]).ravel().tolist() == [1, 1]
    assert meg_table(rows(""), PEAK).at(["sub-1"] * 2, [1, 2]).ravel().tolist() == [1, 1]
    with pytest.raises(InputError, match="session does not match the pattern"):
        meg_table(rows("ses-01", "ses-02"), PEAK)


DRIVER = """
import sys
from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from pathlib import Path
from ketadask.features.graph import recordings_stage
from ketadask.features.meg.settings import MegSettings
from ketadask.sources.meg.collection import find_recordings
from ketadask.store.parts import Parts
if __name__ == "__main__":
    settings = MegSettings(min_seconds=4.0)
    found = find_recordings(sys.argv[1])
    parts = Parts(Path(sys.argv[2]), sys.argv[3])
    stage = recordings_stage(found, settings, parts)
    missing = [(i, i) for first, last in stage.missing() for i in range(first, last + 1)]
    tasks = stage.build_graph(missing)
    print("tasks", len(tasks), flush=True)
    with connect(Profile(kind="local", workers=2, dashboard=False)) as executor:
        for _, result in executor.compute(tasks):
            print("done", getattr(result, "name", result), flush=True)
"""


@pytest.mark.slow
def test_63_recordings_killed_and_resumed_are_computed_once(tmp_path):
    """Two workers are killed with their driver again and again; every part is written once."""
    study = tmp_path / "study"
    write_recordings(
        study, [f"sub-{k:02d}" for k in range(63)], ["ses-p1d0"], seconds=6, sensors=12, rate=300
    )
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    files = find_recordings(study)
    parts = recording_parts(tmp_path / "runs", SETTINGS)
    part_times: dict[str, int] = {}
    for attempt in range(12):
        process = subprocess.Popen(
            [sys.executable, str(driver), str(study), str(parts.folder), parts.key],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        left = int(process.stdout.readline().split()[1])
        assert left == len(files) - len(part_times), (
            f"attempt {attempt} asks for finished recordings"
        )
        for line in process.stdout:
            if line.startswith("done") and attempt < 11 and len(parts.receipts()) % 20 > 12:
                time.sleep(0.05 * attempt)
                break
        else:
            process.wait()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
        now = {name: file_time(parts, name) for name in parts.verify()}
        assert {name: now[name] for name in part_times} == part_times, "a part was written again"
        part_times = now
        if len(part_times) == len(files):
            break
    assert attempt > 0, "the driver was never killed"
    assert len(part_times) == 63
    table, quality, failures = read_recordings(files, parts, SETTINGS)
    assert (len(table.values), len(quality), failures) == (63, 63, [])


def file_time(parts, name):
    """Return when the features of a part were written."""
    return (parts.folder / f"{name}.features.parquet").stat().st_mtime_ns


def test_features_without_a_recording_are_missing():
    assert np.isnan(empty_meg_table(PEAK).at(["sub-1", "sub-2"], [1, 2])).all()
