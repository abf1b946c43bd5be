"""One recording, from its path to its features, its quality and its spectrum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.meg.cardiac import ArtefactRemoval, remove_cardiac
from ketadask.features.meg.measures import Spectrum, compute_spectrum, recording_features
from ketadask.features.meg.quality import FLAT, FLAT_EXTENT, FLAT_POTENTIAL, Quality, assess_quality
from ketadask.features.meg.registry import HIGHEST_BAND, Feature, feature_set
from ketadask.features.meg.settings import (
    BAD_FLAG,
    CLEAN_FLAG,
    COUPLING_FLAG,
    LINE_FLAG,
    RATE_FLAG,
    MegSettings,
)
from ketadask.features.meg.stream import DecimatedField, decimate_recording
from ketadask.features.meg.time_courses import coupling_seconds
from ketadask.kernels.spectra import in_band
from ketadask.schema.errors import InputError
from ketadask.sources.meg.collection import RecordingFile, check_rate, check_spans
from ketadask.sources.meg.events import event_windows
from ketadask.sources.meg.headers import RecordingHeader
from ketadask.sources.meg.recording import Recording
from ketadask.sources.meg.sidecars import merge_spans

_HIGHEST_FREQUENCY = 120.0
_SECONDS_AT_ONCE = 10.0


@dataclass(frozen=True, eq=False)
class RecordingFeatures:
    """The results of one recording.

    Attributes
    ----------
    features
        One row per feature: feature, value.
    quality
        One row: duration, clean seconds, bad sensors, flags.
    channels
        One row per sensor: channel, region, hemisphere, bad (the reason, or empty).
    spectrum
        frequency, and the mean density of all good sensors in fT2/Hz.
    parcels
        group, parcel, band, value; empty where they are not asked for or the head is not known.
    """

    features: pd.DataFrame
    quality: pd.DataFrame
    channels: pd.DataFrame
    spectrum: pd.DataFrame
    parcels: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables that have rows, by name."""
        return {name: table for name, table in vars(self).items() if len(table)}


def extract_features(file: RecordingFile, settings: MegSettings | None = None) -> RecordingFeatures:
    """Read, clean and measure one recording; an InputError says why it cannot be used."""
    settings = settings or MegSettings()
    if file.problem:
        raise InputError(file.problem, file=file.path)
    recording = Recording.at(file.path, settings.modality)
    header = recording.header
    check_rate(file, header.rate)
    check_spans(file, header.length / header.rate)
    data = decimate_recording(recording, settings, ecg=file.ecg)
    return measure_recording(file, header, data, settings)


def measure_recording(
    file: RecordingFile, header: RecordingHeader, data: DecimatedField, settings: MegSettings
) -> RecordingFeatures:
    """Clean and measure a field at the lower rate; an InputError says why it cannot be used."""
    features = feature_set(settings.features, settings.modality)
    # Software that writes BIDS from annotations leaves them in both files.
    spans = merge_spans((*header.bad_spans, *file.bad_spans))
    channels = header.channels.with_bads(file.bads)
    mains = file.mains or header.mains or settings.mains
    is_eeg = settings.modality == nm.EEG
    if is_eeg:  # whatever the reference was; broken electrodes hardly move a median
        change_reference(data, np.arange(len(data.rows)), np.median)
    quality = assess_quality(
        data.field,
        data.rate,
        data.extent,
        groups=[str(region) for region in channels.region[data.rows]],
        bads=channels.bad[data.rows],
        mains=mains,
        settings=settings,
        position=channels.position[data.rows],
        breaks=data.breaks,
        bad_spans=spans,
        windows=event_windows(file, header),
        flat_extent=FLAT_POTENTIAL if is_eeg else FLAT_EXTENT,
    )
    if is_eeg:
        change_reference(data, np.flatnonzero(quality.good), np.mean)
    check_usable(file.path, data, quality, settings)
    names = [channels.names[row] for row in data.rows.tolist()]
    removal = remove_cardiac(data, quality, names, settings.cardiac_artefact)
    spectrum = compute_spectrum(data, quality)
    values = recording_features(data, quality, spectrum, features, channels, mains)
    row = quality_row(data, quality, spectrum, names, mains, removal)
    row |= comparability_row(header, data, quality, values, settings)
    parcels = pd.DataFrame()
    if settings.parcels:
        from ketadask.features.meg.parcels import parcel_features

        parcels, row["head"] = parcel_features(data, quality, names, header, file.anatomy, mains)
        if not row["head"]:
            row["other_flags"] = ", ".join(filter(None, (row["other_flags"], "no fiducials")))
    row["flags"] = ", ".join(flag for flag in (row["flags"], row.pop("other_flags")) if flag)
    return RecordingFeatures(
        features=pd.DataFrame(
            {
                "feature": [feature.name for feature in features],
                "value": [values[feature] for feature in features],
            }
        ),
        quality=pd.DataFrame([row | {"called_bad": len(spans)}]),
        channels=pd.DataFrame(
            {
                "channel": names,
                "region": channels.region[data.rows].astype(object),
                "hemisphere": channels.hemisphere[data.rows].astype(object),
                "bad": list(quality.reasons),
            }
        ),
        spectrum=_mean_spectrum(spectrum),
        parcels=parcels,
    )


def change_reference(
    data: DecimatedField, rows: np.ndarray, middle: Callable[..., np.ndarray]
) -> None:
    """Subtract from all electrodes the middle of some, in place: mean or median at each time.

    Examples
    --------
    >>> field = np.array([[1.0, 2.0], [3.0, 6.0]], dtype=np.float32)
    >>> data = DecimatedField(field, 300.0, np.arange(2), np.ptp(field, axis=1), 0)
    >>> change_reference(data, np.arange(2), np.mean)
    >>> data.field.tolist()
    [[-1.0, -2.0], [1.0, 2.0]]
    """
    step = round(_SECONDS_AT_ONCE * data.rate)
    for first in range(0, data.field.shape[1] if rows.size else 0, step):
        window = data.field[:, first : first + step]
        window -= middle(window[rows], axis=0)


def check_usable(path: str, data: DecimatedField, quality: Quality, settings: MegSettings) -> None:
    """Raise an InputError where too few sensors or seconds of a recording are good."""
    n_sensors = len(quality.reasons)
    n_flat = quality.reasons.count(FLAT)
    if n_flat == n_sensors:
        raise InputError("all sensors are flat", file=path, remedy="find another recording")
    n_bad = n_sensors - int(quality.good.sum())
    if n_bad > settings.max_bad_sensors * n_sensors:
        raise InputError(
            f"{n_bad} of {n_sensors} sensors are bad, {n_flat} of them flat",
            file=path,
            remedy="look at the recording, or raise features.recordings.max_bad_sensors",
        )
    clean, seconds = clean_seconds(data, quality), measured_seconds(data, quality)
    if clean < min(settings.min_seconds, seconds / 2):
        raise InputError(
            f"only {clean:g} of {seconds:g} seconds are clean",
            file=path,
            remedy="look at the recording, or raise features.recordings.bad_segment",
        )


def clean_seconds(data: DecimatedField, quality: Quality) -> float:
    """Return the seconds in clean segments."""
    return float(quality.clean.sum() * quality.length / data.rate)


def measured_seconds(data: DecimatedField, quality: Quality) -> float:
    """Return the seconds of a recording, or of its windows."""
    points = quality.clean.size * quality.length if quality.windows else data.field.shape[1]
    return points / data.rate


def quality_row(
    data: DecimatedField,
    quality: Quality,
    spectrum: Spectrum,
    names: list[str],
    mains: float,
    removal: ArtefactRemoval,
) -> dict[str, Any]:
    """Return the row of a recording in the table of quality."""
    bad = [
        f"{name} ({reason})" for name, reason in zip(names, quality.reasons, strict=True) if reason
    ]
    seconds = measured_seconds(data, quality)
    clean, line = clean_seconds(data, quality), line_ratio(spectrum, mains)
    flags = {
        "mains": line > LINE_FLAG,
        "few clean seconds": clean < CLEAN_FLAG * seconds,
        "many bad sensors": len(bad) > BAD_FLAG * len(names),
    }
    return {
        "seconds": seconds,
        "clean_seconds": clean,
        "sensors": len(names),
        "bad_sensors": len(bad),
        "bad": ", ".join(bad),
        "bad_segments": int((~quality.clean).sum()),
        "mains": mains,
        "line_ratio": line,
        "grade": data.grade,
        "heart_removed": removal.n_components,
        "pulse": removal.pulse,
        "flags": ", ".join(flag for flag, is_set in flags.items() if is_set),
    }


def comparability_row(
    header: RecordingHeader,
    data: DecimatedField,
    quality: Quality,
    values: Mapping[Feature, float],
    settings: MegSettings,
) -> dict[str, Any]:
    """Return what distinguishes a recording from those of other laboratories, and its flags."""
    seconds = coupling_seconds(data.field.shape[1], data.rate, quality)
    n_good = int(quality.good.sum())
    rank = n_good if header.rank is None else min(n_good, header.rank)
    missing = [
        feature.name
        for feature, value in values.items()
        if feature.group != "peak" and not np.isfinite(value)
    ]
    flags = {
        "grade not reached": header.is_ctf and data.grade != settings.grade,
        "rate": abs(data.rate / settings.rate - 1) > RATE_FLAG,
        "low-pass": header.low_pass < HIGHEST_BAND,
        "rank": rank < n_good,
        "little data for coupling": seconds < COUPLING_FLAG,
        "missing features": bool(missing),
    }
    row = data.rows[0]
    return {
        "recorded_rate": header.rate,
        "rate": data.rate,
        "sensor_kind": str(header.channels.kind[row]),
        "measurement_unit": str(header.channels.measurement_unit[row]),
        "rank": rank,
        "coupling_seconds": seconds,
        "missing": ", ".join(missing),
        "other_flags": ", ".join(flag for flag, is_set in flags.items() if is_set),
    }


def line_ratio(spectrum: Spectrum, mains: float) -> float:
    """Return the median over sensors of the power at the mains over that around it."""
    at = in_band(spectrum.frequency, mains - 0.5, mains + 0.5)
    around = in_band(spectrum.frequency, mains - 6, mains + 6, without=[mains], gap=2)
    if not at.any() or not around.any():
        return float("nan")
    ratio = spectrum.density[:, at].max(axis=1) / np.median(spectrum.density[:, around], axis=1)
    return float(np.median(ratio))


def _mean_spectrum(spectrum: Spectrum) -> pd.DataFrame:
    inside = spectrum.frequency <= _HIGHEST_FREQUENCY
    density = spectrum.density[:, inside].mean(axis=0)
    return pd.DataFrame({"frequency": spectrum.frequency[inside], "density": density})
