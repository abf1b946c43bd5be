"""Power of parcels through a spherical head: the planted source is found where it was planted."""

from __future__ import annotations

import shutil
from dataclasses import replace

import mne
import numpy as np
import pandas as pd
import pytest
from scipy import signal

from ketadask.features.graph import extract_recordings
from ketadask.features.meg import registry
from ketadask.features.meg.parcels import numeric_rank, parcel_features, parcel_weights
from ketadask.features.meg.quality import Quality
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.stream import DecimatedField
from ketadask.features.meg.table import part_name, read_recordings
from ketadask.kernels.covariance import band_covariance
from ketadask.kernels.spectra import welch
from ketadask.schema.errors import InputError
from ketadask.simulate.meg.helmet import helmet
from ketadask.sources.meg.anatomy import Anatomy, find_anatomy, read_parcels, write_parcels
from ketadask.sources.meg.collection import find_recordings

RATE = 300.0
HEAD = helmet(100)
SIDES, LOBES = ("left", "right"), ("front", "middle", "back")
PARCELS = tuple(f"{side}_{lobe}" for side in SIDES for lobe in LOBES)


def measurement(names=HEAD.names):
    """Return what mne knows of the helmet: axial gradiometers that look at the middle."""
    info = mne.create_info(list(names), RATE, "mag", verbose="error")
    to_nose, to_left, up = HEAD.position.T
    for channel, position in zip(
        info["chs"], np.column_stack([-to_left, to_nose, up]), strict=True
    ):
        outward = position / np.linalg.norm(position)
        first = np.cross(outward, [0.0, 1.0, 0.1])
        first /= np.linalg.norm(first)
        channel["loc"][:] = [*position, *first, *np.cross(outward, first), *outward]
        channel["coil_type"] = 5001
    with info._unlock():
        info["dev_head_t"] = mne.transforms.Transform("meg", "head", np.eye(4))
    return info


@pytest.fixture(scope="module")
def forward():
    sphere = mne.make_sphere_model((0, 0, 0), 0.09, verbose="error")
    sources = mne.setup_volume_source_space(
        pos=14.0, sphere=sphere, mindist=8.0, exclude=35.0, verbose="error"
    )
    return mne.make_forward_solution(
        measurement(), None, sources, sphere, eeg=False, verbose="error"
    )


def parcel_of(position):
    """Return the parcel of a source, None close to the middle."""
    right, nose, _ = position
    if abs(right) < 0.012:
        return None
    lobe = LOBES[0] if nose > 0.025 else LOBES[2] if nose < -0.025 else LOBES[1]
    return f"{SIDES[int(right > 0)]}_{lobe}"


@pytest.fixture(scope="module")
def anatomy(forward, tmp_path_factory):
    folder = tmp_path_factory.mktemp("anatomy") / "derivatives" / "mne" / "sub-1" / "meg"
    folder.mkdir(parents=True)
    mne.write_forward_solution(folder / "sub-1_task-rest_fwd.fif", forward, verbose="error")
    parcels = [parcel_of(position) for position in forward["source_rr"]]
    table = pd.DataFrame({"source": range(len(parcels)), "parcel": parcels})
    table.to_csv(folder / "sub-1_task-rest_parcels.tsv", sep="\t", index=False, na_rep="n/a")
    anatomy = find_anatomy(folder.parents[3], "sub-1", "ses-p1d0")
    assert anatomy is not None
    return anatomy


def field_of(forward, parcel, seed=0, seconds=30.0):
    """Return a field (sensor, time) in fT: an alpha source in a parcel among thirty others."""
    rng = np.random.default_rng(seed)
    length = round(seconds * RATE)
    gain = forward["sol"]["data"].reshape(len(HEAD.names), -1, 3)
    members = [
        k for k, position in enumerate(forward["source_rr"]) if parcel_of(position) == parcel
    ]
    deep = np.linalg.norm(forward["source_rr"], axis=1)
    source_row = max(rng.choice(members, 3, replace=False), key=lambda k: deep[k])

    def topography(source):
        toward = np.cross(forward["source_rr"][source], rng.normal(size=3))
        return gain[:, source] @ (toward / np.linalg.norm(toward))

    alpha = signal.sosfilt(
        signal.butter(2, (9, 11), "bandpass", fs=RATE, output="sos"), rng.normal(size=length)
    )
    others = np.array([topography(s) for s in rng.choice(gain.shape[1], 30, replace=False)])
    courses = np.cumsum(rng.normal(size=(30, length)), axis=1)
    courses = signal.sosfilt(signal.butter(1, 1, "highpass", fs=RATE, output="sos"), courses)
    field = 100e-9 * np.outer(topography(source_row), alpha / alpha.std())
    field += 5e-9 * others.T @ (courses / courses.std(axis=1, keepdims=True))
    field = 1e15 * field + 40 * rng.normal(size=field.shape)
    return field.astype(np.float32)


def clean_data(field, bad=()):
    """Return a field as it comes from a recording, some sensors of it bad."""
    reasons = tuple("noisy" if row in bad else "" for row in range(len(field)))
    quality = Quality(reasons, np.ones(field.shape[1] // 600, dtype=bool), 600)
    return DecimatedField(field, RATE, np.arange(len(field)), np.ptp(field, axis=1), 0), quality


def power_of(data, quality, anatomy):
    """Return parcel, band, value of the power of parcels of a head."""
    table, head = parcel_features(data, quality, HEAD.names, None, anatomy, 60.0)
    assert head == "own"
    return table[table["group"] == registry.PARCEL]


@pytest.mark.parametrize("parcel", PARCELS)
def test_the_planted_source_is_found_in_its_parcel(forward, anatomy, parcel):
    data, quality = clean_data(field_of(forward, parcel, seed=PARCELS.index(parcel)), bad=(3, 50))
    power = power_of(data, quality, anatomy)
    table = power.pivot(index="parcel", columns="band", values="value")
    assert set(table.index) == set(PARCELS)
    assert set(table.columns) == set(registry.BANDS)
    excess = table["alpha"] - (table["theta"] + table["beta"]) / 2
    assert excess.idxmax() == parcel, excess


def test_power_is_that_of_the_course_of_the_parcel(forward, anatomy):
    """What is never made is made here: the time course of each parcel, and its spectrum."""
    field = field_of(forward, "left_back")
    data, quality = clean_data(field)
    power = power_of(data, quality, anatomy)
    frequency = np.fft.rfftfreq(600, 1 / RATE)
    starts = quality.disjoint_starts(1)

    def masks(*bands):
        lines = np.min([np.abs(frequency - 60 * k) for k in range(1, 6)], axis=0) > 2
        return [(frequency >= low) & (frequency <= high) & lines for low, high in bands]

    broad = band_covariance(field, starts, 600, RATE, masks(registry.BROAD))[0]
    weights = parcel_weights(anatomy, broad, HEAD.names)
    (alpha,) = masks(registry.BANDS["alpha"])
    alpha_power = power[power["band"] == "alpha"].set_index("parcel")["value"]
    for parcel, weight in weights.items():
        course = (weight @ field.astype(float)).astype(np.float32)[None]
        density = welch(course, starts, 600, RATE)[0, alpha].mean()
        assert alpha_power[parcel] == pytest.approx(np.log10(density), abs=1e-3)
        assert np.linalg.norm(weight) == pytest.approx(1.0)


def test_a_band_without_a_frequency_has_no_power(forward, anatomy):
    """Where a recording was stopped again and again, segments may be as short as a fifth second."""
    data, quality = clean_data(field_of(forward, "left_back", seconds=6.0))
    short = replace(quality, clean=np.ones(30, dtype=bool), length=60)
    power = power_of(data, short, anatomy)
    assert set(power.loc[power["value"].isna(), "band"]) == {"delta"}
    assert power["value"].notna().sum() == len(PARCELS) * (len(registry.BANDS) - 1)


def test_weights_are_the_first_component_of_the_beamformer_of_mne(forward, anatomy):
    field = field_of(forward, "right_front")
    _, quality = clean_data(field)
    frequency = np.fft.rfftfreq(600, 1 / RATE)
    mask = (frequency >= 1) & (frequency <= 45)
    broad = band_covariance(field, quality.disjoint_starts(1), 600, RATE, [mask])[0]
    info = measurement()
    data = mne.Covariance(broad * 1e-30, list(HEAD.names), [], [], nfree=1)
    filters = mne.beamformer.make_lcmv(
        info, forward, data, reg=0.05, pick_ori="max-power", weight_norm="unit-noise-gain",
        reduce_rank=True, rank={"mag": len(HEAD.names)}, verbose="error",
    )  # fmt: skip
    for parcel, weight in parcel_weights(anatomy, broad, HEAD.names).items():
        members = [k for k, at in enumerate(forward["source_rr"]) if parcel_of(at) == parcel]
        courses = filters["weights"][members] @ np.linalg.cholesky(broad)
        first = np.linalg.svd(courses)[0][:, 0] @ filters["weights"][members]
        assert abs(first @ weight) / np.linalg.norm(first) == pytest.approx(1.0, abs=1e-6)


def test_power_is_that_of_mne_where_the_rank_is_reduced(forward, anatomy):
    """Signal space separation leaves some seventy dimensions of a hundred sensors."""
    field = field_of(forward, "right_front")
    _, vectors = np.linalg.eigh(np.cov(field))
    field = (vectors[:, 30:] @ vectors[:, 30:].T @ field).astype(np.float32)
    data, quality = clean_data(field)
    frequency = np.fft.rfftfreq(600, 1 / RATE)
    mask = (frequency >= 1) & (frequency <= 45)
    broad = band_covariance(field, quality.disjoint_starts(1), 600, RATE, [mask])[0]
    assert numeric_rank(broad) == 70
    info = measurement()
    covariance = mne.Covariance(broad * 1e-30, list(HEAD.names), [], [], nfree=1)
    filters = mne.beamformer.make_lcmv(
        info, forward, covariance, reg=0.05, pick_ori="max-power", weight_norm="unit-noise-gain",
        reduce_rank=True, rank={"mag": 70}, verbose="error",
    )  # fmt: skip
    table = power_of(data, quality, anatomy)
    power = table[table["band"] == "alpha"].set_index("parcel")["value"]
    (alpha,) = band_covariance(
        field, quality.disjoint_starts(1), 600, RATE, [(frequency >= 8) & (frequency <= 13)]
    )
    for parcel in PARCELS:
        members = [k for k, at in enumerate(forward["source_rr"]) if parcel_of(at) == parcel]
        own = filters["weights"][members]
        _, vectors = np.linalg.eigh(own @ broad @ own.T)
        weight = vectors[:, -1] @ own
        weight /= np.linalg.norm(weight)
        assert power[parcel] == pytest.approx(np.log10(weight @ alpha @ weight), abs=1e-4)


def test_covariances_add_up_and_have_the_spectrum_on_their_diagonal():
    field = np.random.default_rng(0).normal(size=(5, 6000)).astype(np.float32)
    starts = np.arange(0, 6000, 600)
    frequency = np.fft.rfftfreq(600, 1 / RATE)
    masks = [(frequency >= 8) & (frequency <= 13), (frequency >= 30) & (frequency <= 58)]
    complete = band_covariance(field, starts, 600, RATE, masks)
    halves = [band_covariance(field, part, 600, RATE, masks) for part in (starts[:4], starts[4:])]
    np.testing.assert_allclose(0.4 * halves[0] + 0.6 * halves[1], complete, rtol=1e-12)
    density = welch(field, starts, 600, RATE)
    for band, mask in zip(complete, masks, strict=True):
        np.testing.assert_allclose(np.diag(band), density[:, mask].mean(axis=1), rtol=1e-5)


def write_recording_of(folder, forward, who, session, parcel):
    """Write a recording of a planted source into a study."""
    meg = folder / who / session / "meg"
    meg.mkdir(parents=True)
    raw = mne.io.RawArray(field_of(forward, parcel) * 1e-15, measurement(), verbose="error")
    raw.save(meg / f"{who}_{session}_task-rest_meg.fif", verbose="error")


def test_parcels_become_features_where_anatomy_exists(forward, anatomy, tmp_path):
    study = tmp_path / "study"
    for who in ("sub-1", "sub-2"):
        write_recording_of(study, forward, who, "ses-p1d0", "left_front")
    home = study / "derivatives" / "mne" / "sub-1" / "meg"
    home.mkdir(parents=True)
    for path in (anatomy.forward, anatomy.parcels):
        shutil.copy(path, home)
    settings = MegSettings(features="power", parcels=True)
    files = find_recordings(study, anatomy=True)
    parts = extract_recordings(files, tmp_path / "runs", settings)
    table, _, failures = read_recordings(files, parts, settings)
    assert failures == []
    names = [f"meg_parcel_{band}_{parcel}" for parcel in PARCELS for band in registry.BANDS]
    names += [f"meg_parcel_aec_beta_{parcel}" for parcel in PARCELS]
    assert set(names) <= set(table.values.columns)
    here, there = (table.values.loc[who, 1][names] for who in ("sub-1", "sub-2"))
    assert here.notna().all()
    assert there.isna().all()
    assert table.about.loc["meg_parcel_alpha_left_front", "label"] == (
        "MEG alpha parcel power, left_front"
    )
    (home / "sub-1_task-rest_fwd.fif").touch()
    (one, two), (later, *_) = files, find_recordings(study, anatomy=True)
    assert part_name(later) != part_name(one)
    assert part_name(two) in parts.verify()
    plain = MegSettings(features="power")
    other = find_recordings(study)
    again = extract_recordings(other, tmp_path / "runs", plain)
    assert not set(names) & set(read_recordings(other, again, plain)[0].values.columns)


def test_what_is_wrong_with_anatomy_is_said(forward, anatomy, tmp_path):
    broad = np.eye(3)
    with pytest.raises(InputError, match="has none of the recording's sensors"):
        parcel_weights(anatomy, broad, ["A", "B", "C"])
    table = tmp_path / "p.tsv"
    table.write_text("source\tparcel\n99999\tx\n")
    wrong = replace(anatomy, parcels=str(table))
    with pytest.raises(InputError, match=r"p\.tsv: source: .*found 99999; number sources as"):
        parcel_weights(wrong, np.eye(100), HEAD.names)
    for source in ("1.5", "", "x"):
        table.write_text(f"source\tparcel\n3\ty\n{source}\tx\n")
        with pytest.raises(InputError, match=r"p\.tsv: the parcels cannot be read"):
            read_parcels(wrong, 100)
    broken = Anatomy(str(table), str(table), (0, 0))
    with pytest.raises(InputError, match="the forward solution cannot be read"):
        parcel_weights(broken, np.eye(100), HEAD.names)
    home = tmp_path / "derivatives" / "x" / "sub-1"
    home.mkdir(parents=True)
    (home / "sub-1_fwd.fif").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"has no table of parcels beside it; add sub-1_parcels\.tsv"
    ):
        find_anatomy(tmp_path, "sub-1", "")
    assert find_anatomy(tmp_path, "sub-2", "ses-1") is None


def test_the_anatomy_of_a_session_comes_before_that_of_the_person(tmp_path):
    home = tmp_path / "derivatives" / "mne" / "sub-1"
    home.mkdir(parents=True)
    for stem in ("sub-1", "sub-1_ses-2_task-rest", "sub-1_ses-3", "sub-10"):
        (home / f"{stem}-fwd.fif").write_bytes(b"")
        (home / f"{stem}_parcels.tsv").write_text("")
    anatomies = {s: find_anatomy(tmp_path, "sub-1", s) for s in ("", "ses-1", "ses-2", "ses-3")}
    names = {session: one and one.forward for session, one in anatomies.items()}
    assert names == {
        "": str(home / "sub-1-fwd.fif"),
        "ses-1": str(home / "sub-1-fwd.fif"),
        "ses-2": str(home / "sub-1_ses-2_task-rest-fwd.fif"),
        "ses-3": str(home / "sub-1_ses-3-fwd.fif"),
    }
    (home / "sub-1-fwd.fif").unlink()
    assert find_anatomy(tmp_path, "sub-1", "ses-1") is None


def test_labels_of_mne_become_parcels(forward, anatomy, tmp_path):
    """Any source space is ordered by its vertices; here they are a volume's."""
    path = tmp_path / "sub-1_task-rest_fwd.fif"
    shutil.copy(anatomy.forward, path)
    vertices = forward["src"][0]["vertno"]
    labels = [
        mne.Label(vertices[10:20], hemi="lh", name="one-lh", verbose="error"),
        mne.Label(vertices[15:30], hemi="lh", name="two-lh", verbose="error"),
        mne.Label(vertices[:5], hemi="rh", name="other-rh", verbose="error"),
    ]
    table = write_parcels(path, labels)
    parcels = read_parcels(replace(anatomy, parcels=str(table)), len(vertices))
    assert {name: rows.tolist() for name, rows in parcels.items()} == {
        "one-lh": list(range(10, 20)),
        "two-lh": list(range(20, 30)),
    }
    with pytest.raises(InputError, match=r"let it end with _fwd\.fif"):
        write_parcels(tmp_path / "forward.fif", labels)
