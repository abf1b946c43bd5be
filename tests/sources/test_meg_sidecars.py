"""What events beside a recording call bad is believed; two recordings of one name are refused."""

from __future__ import annotations

import json
import shutil

import mne
import pytest

import ketadask as kd
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.graph import band_power
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.table import part_name
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.bids import write_recordings
from ketadask.sources.meg.collection import find_recordings
from ketadask.sources.meg.sidecars import read_bad_segments
from ketadask.study.inputs import SIDECARS

HEADER = "onset\tduration\ttrial_type\n"
SETTINGS = MegSettings(features="power", min_seconds=2.0)


@pytest.fixture
def study(tmp_path):
    """Return a BIDS folder with one participant of two recordings of eight seconds."""
    write_recordings(tmp_path, ["sub-01"], seconds=8, sensors=10, rate=300)
    return tmp_path


def folder_of(study):
    return study / "sub-01" / "ses-p1d0" / "meg"


def events_of(study, rows, header=HEADER):
    path = folder_of(study) / "sub-01_ses-p1d0_task-rest_events.tsv"
    path.write_text(header + rows, encoding="utf-8")
    return path


def test_rows_that_begin_with_bad_cost_their_segments_and_are_counted(study):
    rows = "0.1\t0.2\tblink\n3.5\t1.0\tBAD_jump\n4.2\t0.5\tbad\n6.5\t0\tBad muscle\n-3\t1\tBAD\n"
    before = extract_features(find_recordings(study)[0], SETTINGS)
    assert before.quality["called_bad"].item() == 0
    path = events_of(study, rows)
    file, other = find_recordings(study)
    assert file.bad_spans == ((3.5, 4.5), (4.2, 4.7), (6.5, 6.5))
    assert other.bad_spans == (), "it has no events of its own"
    after = extract_features(file, SETTINGS)
    row = after.quality.iloc[0]
    # Segments of two seconds: that of 2 to 4, of 4 to 6 and of 6 to 8.
    assert (row["called_bad"], row["bad_segments"]) == (2, 3)
    assert row["clean_seconds"] == before.quality["clean_seconds"].item() - 6
    assert path in {file_path for pattern in SIDECARS for file_path in study.glob(pattern)}


def test_events_of_the_annotations_of_the_file_are_counted_once(study):
    file = find_recordings(study)[0]
    raw = mne.io.read_raw_fif(file.path, verbose="error").crop(1.0).load_data()
    raw.set_annotations(mne.Annotations([2.5], [0.5], ["BAD_jump"]))
    raw.save(file.path, overwrite=True, verbose="error")
    # Annotations count from the first value of a file that was cut, and so do events.
    events_of(study, "2.5\t0.5\tBAD_jump\n")
    row = extract_features(find_recordings(study)[0], SETTINGS).quality.iloc[0]
    assert (row["called_bad"], row["bad_segments"]) == (1, 1)


def test_other_events_make_another_part_and_the_lazy_way_sees_them(study):
    before, at_first = part_name(find_recordings(study)[0]), band_power(kd.open_recordings(study))
    events_of(study, "2.0\t5.9\tBAD\n")
    file = find_recordings(study)[0]
    assert part_name(file) != before
    tree = kd.open_recordings(study)
    node = tree["sub-01/ses-p1d0/sub-01_ses-p1d0_task-rest"]
    assert node["bad_seconds"].values.tolist() == [[2.0, 7.9]]
    settings = MegSettings(features="power", min_seconds=1.0)
    lazily = band_power(tree, settings=settings)["value"].compute()
    assert (lazily.values[0] == extract_features(file, settings).features["value"]).all()
    assert (lazily.values[0] != at_first["value"].compute().values[0]).any()


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (
            "1\t2\tgo\nn/a\t2\tBAD\n",
            HEADER,
            r"row 3, column onset: the onset of an event is not a number, found 'n/a'; write",
        ),
        ("1,5\t2\tbad\n", HEADER, r"row 2, column onset: .* found '1,5'; write seconds, with a p"),
        ("1\tn/a\tBAD_\n", HEADER, r"row 2, column duration: .* is not a number, found 'n/a'; wr"),
        ("1\tinf\tBAD_\n", HEADER, r"row 2, column duration: .* is not a number, found 'inf'"),
        ("1\t-2\tBAD_\n", HEADER, r"row 2, column duration: .* before it begins, found '-2'; wr"),
        ("1\tBAD\n", "onset\ttrial_type\n", r"row 2: has events and no column dura"),
        ("1\tBAD\n", HEADER, r"row 2: has 2 cells where the header has 3; write every cell"),
        ("", "", r"the file is empty; export it again"),
        ("1,2,BAD\n", "onset,duration,trial_type\n", r"header: .* separated by comma; save it w"),
        ("20000\t10\tBAD\n", HEADER, r"after its end at 8 seconds, found 20000.0; write onset"),
    ],
)
def test_malformed_events_name_file_row_value_and_remedy(study, rows, header, message):
    path = events_of(study, rows, header)
    file, other = find_recordings(study)
    with pytest.raises(InputError, match=message) as error:
        extract_features(file, SETTINGS)
    culprit = file.path if "after its end" in message else str(path)
    assert culprit in str(error.value)
    assert not other.problem, "the others go on"
    tree = kd.open_recordings(study)
    assert tree.attrs["failures"] == {file.name: str(error.value)}


def test_events_that_call_nothing_bad_may_lack_what_only_bad_rows_need(study):
    assert read_bad_segments(events_of(study, "1\tgo\n", "onset\tvalue\n")) == ()
    assert read_bad_segments(events_of(study, "n/a\tn/a\tgo\n")) == ()
    assert read_bad_segments(events_of(study, "", "\ufeff" + HEADER)) == ()


@pytest.mark.parametrize("other", ["_meg.ds", "_split-01_meg.fif"])
def test_two_recordings_of_one_name_are_refused_by_both_paths(study, other):
    first = folder_of(study) / "sub-01_ses-p1d0_task-rest_meg.fif"
    second = folder_of(study) / f"sub-01_ses-p1d0_task-rest{other}"
    second.mkdir() if other.endswith("ds") else shutil.copy(first, second)
    file, sound = find_recordings(study)
    assert (file.name, sound.problem) == ("sub-01_ses-p1d0_task-rest", None)
    with pytest.raises(InputError, match="has the name of another recording") as error:
        extract_features(file, SETTINGS)
    message = str(error.value)
    assert str(first) in message
    assert str(second) in message
    assert "keep one of them and move the others out of the study, or give each a run-" in message
    assert list(kd.open_recordings(study).attrs["failures"].values()) == [message]


@pytest.mark.parametrize("naming", ["bids", "neuromag"])
def test_a_split_recording_is_one_whole_recording(study, naming):
    path = folder_of(study) / "sub-01_ses-p1d0_task-rest_meg.fif"
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error")
    raw = mne.concatenate_raws([raw.copy() for _ in range(60)], verbose="error")
    path.unlink()
    raw.save(path, split_size="2MB", split_naming=naming, verbose="error")
    assert len(list(path.parent.glob("*.fif"))) > 1
    file = find_recordings(study)[0]
    assert (file.name, file.problem) == ("sub-01_ses-p1d0_task-rest", None)
    (tree,) = [n for n in kd.open_recordings(study).leaves if n.attrs["session"] == "ses-p1d0"]
    assert tree.sizes["time"] == 60 * 8 * 300


def test_what_was_made_of_recordings_is_no_second_recording(study):
    folder = study / "derivatives" / "clean" / "sub-01" / "ses-p1d0" / "meg"
    folder.mkdir(parents=True)
    for name in ("task-rest_meg.fif", "task-rest_proc-tsss_meg.fif"):
        source = folder_of(study) / "sub-01_ses-p1d0_task-rest_meg.fif"
        shutil.copy(source, folder / f"sub-01_ses-p1d0_{name}")
    file = find_recordings(study)
    assert [file_path.name for file_path in file] == [
        "sub-01_ses-p1d0_task-rest",
        "sub-01_ses-p2d0_task-rest",
    ]
    assert not any(file_path.problem for file_path in file)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "PowerLineFrequency",
            -1,
            r"PowerLineFrequency: not a frequency, found -1; write 50",
        ),
        ("PowerLineFrequency", "50", r"not a frequency, found '50'; write 50 or 60 without quotes"),
        ("SamplingFrequency", "300", r"not a frequency, found '300'; write time points per second"),
    ],
)
def test_frequencies_of_a_sidecar_are_numbers(study, key, value, message):
    sidecar = folder_of(study) / "sub-01_ses-p1d0_task-rest_meg.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {key: value}))
    with pytest.raises(InputError, match=message):
        extract_features(find_recordings(study)[0], SETTINGS)


def test_channels_that_cannot_be_read_are_named_by_row(study):
    path = folder_of(study) / "sub-01_ses-p1d0_task-rest_channels.tsv"
    path.write_text(path.read_text() + "MLX\n")
    with pytest.raises(InputError, match=r"_channels.tsv: row 18: has 1 cells where the header"):
        extract_features(find_recordings(study)[0], SETTINGS)


def test_an_empty_recording_says_so_without_the_words_of_a_library(study):
    path = folder_of(study) / "sub-01_ses-p1d0_task-rest_meg.fif"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"complete recording \(its header makes no sense\); copy"):
        extract_features(find_recordings(study)[0], SETTINGS)
