"""Simulated recordings hold what was planted, the same however they are reached."""

from __future__ import annotations

import json

import mne
import numpy as np
import pytest
from scipy import signal

from ketadask.features.meg.extraction import extract_features
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.bids import draw_flaws, draw_person, write_recordings
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth, draw_sources, simulated_field
from ketadask.simulate.study import simulate_study
from ketadask.simulate.trial import generator
from ketadask.sources.meg.channels import sensor_region
from ketadask.sources.meg.collection import find_recordings

RATE = 600.0


def density(rows, rate=RATE):
    """Return the spectrum of rows of fT."""
    return signal.welch(rows, rate, nperseg=round(4 * rate))


@pytest.mark.parametrize("sensors", [1, 10, 30, 100, 273, 275])
def test_a_helmet_has_so_many_sensors_in_all_groups_it_can(sensors):
    head = helmet(sensors)
    assert len(set(head.names)) == sensors
    assert head.weights.shape == (sensors, 28)
    groups = {sensor_region(name, (0, 0, 0)) for name in head.names}
    assert len(groups) >= min(sensors, 14)
    assert len(head.references) == len(set(head.references)) == 28


def test_sensors_lie_where_their_names_say():
    head = helmet(275)
    x, y, z = head.position.T
    side = np.array([name[1] for name in head.names])
    region = np.array([name[2] for name in head.names])
    assert y[side == "L"].mean() > 0.03 > -0.03 > y[side == "R"].mean()
    assert np.abs(y[side == "Z"]).max() < 0.01
    assert x[region == "F"].mean() > 0.04 > -0.04 > x[region == "O"].mean()
    assert z[region == "C"].mean() > z[region == "T"].mean()


@pytest.mark.parametrize(("start", "stop"), [(0, 50), (590, 1210), (1800, 3000)])
def test_a_window_is_part_of_the_whole(start, stop):
    planted = MegTruth(bursts=((1.0, 0.7),), noisy=("MLC11",))
    made = simulated_field(helmet(10, references=3), planted, seconds=5, rate=RATE, seed=1)
    np.testing.assert_array_equal(made.window(start, stop), made.window(0, 3000)[:, start:stop])


def test_seeds_differ_and_repeat():
    one, same, other = (
        simulated_field(helmet(5), MegTruth(), seconds=2, rate=RATE, seed=seed).window(0, 100)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1


@pytest.mark.parametrize("exponent", [0.7, 1.5])
def test_sources_have_the_planted_spectrum(exponent):
    planted = MegTruth(exponent=exponent, alpha=9.0, level=50.0)
    sources = draw_sources(planted, 120 * 600, RATE, generator(1, 1))
    frequency, power = density(sources)
    aperiodic = 50.0**2 * frequency[8:] ** -exponent
    ratio = power[:, 8:] / aperiodic
    away = (np.abs(frequency[8:] - 9) > 5) & (frequency[8:] < 200)
    np.testing.assert_allclose(ratio[:, away].mean(axis=1), 1.0, atol=0.05)
    at = np.abs(frequency[8:] - 9.0) < 0.3
    np.testing.assert_allclose(
        ratio[:, at].mean(axis=1), 1 + np.repeat(planted.alpha_power, 2), rtol=0.4
    )


def test_flat_and_noisy_and_bursts_are_where_they_were_planted():
    head = helmet(30, references=0)
    planted = MegTruth(flat=head.names[3:4], noisy=head.names[5:6], bursts=((2.0, 1.0),))
    made = simulated_field(head, planted, seconds=5, rate=RATE).window(0, 3000)
    assert np.abs(made[3]).max() == 0
    spread = made.std(axis=1)
    assert spread[5] > 5 * np.median(spread)
    frontal = [k for k, name in enumerate(head.names) if name[2] == "F"]
    course = made[frontal].reshape(len(frontal), 5, 600).std(axis=2).mean(axis=0)
    assert course.argmax() == 2
    assert course[2] > 2 * np.delete(course, 2).max()


def test_what_the_references_see_is_removed_by_grade_3(tmp_path):
    path = write_recording(tmp_path / "a_meg.fif", helmet(20), seconds=8, rate=RATE)
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error")
    assert raw.compensation_grade == 0
    frequency, before = density(raw.get_data("mag") * 1e15)
    after = density(raw.apply_gradient_compensation(3, verbose="error").get_data("mag") * 1e15)[1]
    mains = np.abs(frequency - 60) < 0.2
    near = np.abs(np.abs(frequency - 60) - 5) < 2
    assert np.median(before[:, mains]) > 100 * np.median(before[:, near])
    assert np.median(after[:, mains]) < 2 * np.median(after[:, near])


def test_a_study_gets_recordings_and_sidecars_that_agree(tmp_path):
    paths = write_recordings(tmp_path, ["sub-1", "sub-2"], seconds=2, sensors=10, rate=300)
    assert [path.name for path in paths] == [
        f"{who}_{when}_task-rest_meg.fif"
        for who in ("sub-1", "sub-2")
        for when in ("ses-p1d0", "ses-p2d0")
    ]
    raw = mne.io.read_raw_fif(paths[0], verbose="error")
    said = json.loads(paths[0].with_suffix(".json").read_text())
    assert said["SamplingFrequency"] == raw.info["sfreq"] == 300
    assert said["RecordingDuration"] == raw.n_times / 300
    table = paths[0].with_name(paths[0].name.replace("meg.fif", "channels.tsv")).read_text()
    assert [line.split("\t")[0] for line in table.splitlines()[1:]] == raw.ch_names


def test_a_person_does_not_depend_on_how_many_there_are(tmp_path):
    few = write_recordings(tmp_path / "few", ["sub-1"], seconds=1, sensors=5, rate=300)
    many = write_recordings(tmp_path / "many", ["sub-1", "sub-2"], seconds=1, sensors=5, rate=300)
    fields = [
        mne.io.read_raw_fif(path, verbose="error").get_data()
        for path in (few[0], many[0], many[1], many[2])
    ]
    np.testing.assert_array_equal(fields[0], fields[1])
    assert np.abs(fields[1] - fields[2]).max() > 0, "the second recording is another one"
    assert np.abs(fields[1] - fields[3]).max() > 0


def test_people_differ_within_what_is_plausible():
    people = [draw_person(generator(0, k, 3)) for k in range(300)]
    alpha = np.array([person.alpha for person in people])
    assert (alpha.min() >= 8.2, alpha.max() <= 12.2, alpha.std() > 0.6) == (True, True, True)
    assert 0.1 < np.std([person.exponent for person in people]) < 0.2


def test_flaws_of_a_study_are_addressed_and_found(tmp_path):
    """Broken sensors and mains of a simulated study are what the quality of each recording says."""
    people = [f"sub-{k:02d}" for k in range(14)]
    paths = write_recordings(
        tmp_path / "all", people, ["ses-p1d0"], seconds=8, sensors=30, rate=300, seed=7, flaws=True
    )
    alone = write_recordings(
        tmp_path / "alone", people[:2], ["ses-p1d0"], seconds=8, rate=300, seed=7, flaws=True
    )
    assert [path.read_bytes() for path in alone] == [path.read_bytes() for path in paths[:2]]
    head = helmet(30, references=6)
    kinds = set()
    for number, each in enumerate(find_recordings(tmp_path / "all")):
        flaws = draw_flaws(generator(7, number, 3, 0, 1), head, 8.0)
        made = extract_features(each)
        bad = made.channels.set_index("channel")["bad"]
        expected = {n: kind for kind in ("noisy", "flat") for n in flaws.get(kind, ())}
        assert bad[bad != ""].to_dict() == expected, each.name
        flags = made.quality["flags"].item().split(", ")
        assert ("mains" in flags) == ("mains_left" in flaws), each.name
        kinds |= set(flaws)
    assert len(kinds) >= 3


def test_members_of_the_persona_of_meg_have_its_features(tmp_path):
    """Slow alpha and a steep spectrum are measured in members, and together in no other."""
    folder = simulate_study(tmp_path / "study", participants=10, persona="meg", meg_seconds=20)
    truth = json.loads((folder / "truth.json").read_text())
    peak, slope = (literal["feature"] for literal in truth["persona"])
    assert (peak, slope) == ("meg_peak_all", "meg_exponent_all")
    agreement = []
    for file in find_recordings(folder):
        if not file.session.endswith("p1d0"):
            continue
        values = extract_features(file).features.set_index("feature")["value"]
        inside = values[peak] <= truth["persona"][0]["cut"]
        inside &= values[slope] > truth["persona"][1]["cut"]
        agreement.append(bool(inside) == (file.participant in truth["members"]))
    assert len(agreement) == 10
    assert len(truth["members"]) in (3, 4)
    assert sum(agreement) >= 9
    with pytest.raises(InputError, match="a persona of MEG needs recordings"):
        simulate_study(tmp_path / "none", persona="meg")
    with pytest.raises(InputError, match=r"unknown persona.*found 'megg'.*meg"):
        simulate_study(tmp_path / "none", persona="megg")
