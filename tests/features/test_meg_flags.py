"""What distinguishes a recording from others is a flag in the quality table."""

from __future__ import annotations

from dataclasses import replace

import mne
import pytest

from ketadask.features.meg.extraction import extract_features
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.sources.meg.collection import RecordingFile
from tests.features.test_meg_rates import noise_of_megin


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return a recording of 24 seconds without references, which is not flagged for its rate."""
    path = tmp_path_factory.mktemp("meg") / "sub-1_task-rest_meg.fif"
    write_recording(path, helmet(30), seconds=24, rate=300, seed=5)
    return RecordingFile(str(path), "sub-1", "", "sub-1_task-rest")


def flags_of(file):
    return set(extract_features(file).quality["flags"].item().split(", "))


def test_few_clean_seconds_and_bad_sensors_are_flagged(file):
    frontal = tuple(name for name in helmet(30).names if name[2] == "F")
    usual = flags_of(file)
    assert usual == {"little data for coupling"}
    assert flags_of(replace(file, bad_spans=((0.0, 13.0),))) == usual | {"few clean seconds"}
    assert flags_of(replace(file, bads=frontal)) == usual | {"many bad sensors", "missing features"}


def test_a_rank_that_signal_space_separation_reduced_is_flagged(tmp_path):
    raw = mne.preprocessing.maxwell_filter(
        noise_of_megin(300.0, 3600), coord_frame="meg", verbose="error"
    )
    path = tmp_path / "sub-1_task-rest_proc-sss_meg.fif"
    raw.save(path, verbose="error")
    row = extract_features(RecordingFile(str(path), "sub-1", "", "sub-1_proc-sss")).quality.iloc[0]
    assert row["rank"] == raw.info["proc_history"][0]["max_info"]["sss_info"]["nfree"] < 102
    assert "rank" in row["flags"].split(", ")
