"""One recording from its path to its features, its quality and its spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ketadask.features.meg.cardiac import ArtefactRemoval, remove_cardiac
from ketadask.features.meg.measures import Spectrum, recording_features, spectrum
from ketadask.features.meg.quality import FLAT, Quality, assess_quality
from ketadask.features.meg.registry import features
from ketadask.features.meg.settings import BAD_FLAG, CLEAN_FLAG, LINE_FLAG, MegSettings
from ketadask.features.meg.stream import Decimated, decimated
from ketadask.kernels.spectra import in_band
from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import Channels
from ketadask.sources.meg.collection import RecordingFile, check_rate, check_spans
from ketadask.sources.meg.recording import Recording
from ketadask.sources.meg.sidecars import merge_spans

_SHOWN = 120.0


@dataclass(frozen=True, eq=False)
class RecordingFeatures:
    """What is kept of a recording.

    Attributes
    ----------
    features
        One row per feature: feature, value.
    quality
        One row: how long, how clean, which flags.
    channels
        One row per sensor: channel, region, hemisphere, bad (the reason, or empty).
    spectrum
        frequency, and the mean density of all good sensors in fT2/Hz.
    parcels
        parcel, band, value; empty without anatomy.
    """

    features: pd.DataFrame
    quality: pd.DataFrame
    channels: pd.DataFrame
    spectrum: pd.DataFrame
    parcels: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables that have rows by name, as a part holds them."""
        return {name: table for name, table in vars(self).items() if len(table)}


def extract(found: RecordingFile, settings: MegSettings | None = None) -> RecordingFeatures:
    """Read, clean and measure one recording; of one that cannot be used an InputError says why."""
    settings = settings or MegSettings()
    if found.problem:
        raise InputError(found.problem, file=found.path)
    wanted = features(settings.features)
    recording = Recording.at(found.path)
    header = recording.header
    check_rate(found, header.rate)
    check_spans(found, header.length / header.rate)
    # Who writes BIDS from annotations leaves them in both places.
    spans = merge_spans((*header.bad_spans, *found.bad_spans))
    channels = header.channels.with_bads(found.bads)
    mains = found.mains or settings.mains
    made = decimated(recording, settings)
    quality = assess_quality(
        made.field,
        made.rate,
        made.extent,
        groups=[str(region) for region in channels.region[made.rows]],
        named=channels.bad[made.rows],
        mains=mains,
        settings=settings,
        breaks=made.breaks,
        bad_spans=spans,
    )
    check_usable(found.path, made, quality, settings)
    names = [channels.names[row] for row in made.rows]
    cleaning = remove_cardiac(made, quality, names, settings.cardiac_artefact)
    density = spectrum(made, quality)
    values = recording_features(made, quality, density, wanted, channels, mains)
    return RecordingFeatures(
        features=pd.DataFrame(
            {"feature": [each.name for each in wanted], "value": [values[each] for each in wanted]}
        ),
        quality=pd.DataFrame(
            [
                quality_row(made, quality, density, channels, mains, cleaning)
                | {"called_bad": len(spans)}
            ]
        ),
        channels=pd.DataFrame(
            {
                "channel": names,
                "region": channels.region[made.rows].astype(object),
                "hemisphere": channels.hemisphere[made.rows].astype(object),
                "bad": list(quality.reasons),
            }
        ),
        spectrum=_shown(density),
        parcels=_parcels(found, made, quality, names, mains, settings),
    )


def _parcels(
    found: RecordingFile,
    made: Decimated,
    quality: Quality,
    names: list[str],
    mains: float,
    settings: MegSettings,
) -> pd.DataFrame:
    if not settings.parcels or found.anatomy is None:
        return pd.DataFrame({"parcel": [], "band": [], "value": []})
    from ketadask.features.meg.parcels import parcel_power

    return parcel_power(made, quality, names, found.anatomy, mains)


def check_usable(path: str, made: Decimated, quality: Quality, settings: MegSettings) -> None:
    """Say so where too little of a recording is left."""
    sensors = len(quality.reasons)
    dead = quality.reasons.count(FLAT)
    if dead == sensors:
        raise InputError("all sensors are flat", file=path, remedy="find another recording")
    bad = sensors - int(quality.good.sum())
    if bad > settings.most_bad * sensors:
        raise InputError(
            f"{bad} of {sensors} sensors are bad, {dead} of them flat",
            file=path,
            remedy="look at the recording, or raise most_bad",
        )
    clean = clean_seconds(made, quality)
    whole = made.field.shape[1] / made.rate
    least = min(settings.least_seconds, whole / 2)
    if clean < least:
        raise InputError(
            f"only {clean:g} of {whole:g} seconds are clean",
            file=path,
            remedy="look at the recording, or raise bad_segment",
        )


def clean_seconds(made: Decimated, quality: Quality) -> float:
    """Return the seconds in clean segments."""
    return float(quality.clean.sum() * quality.length / made.rate)


def quality_row(
    made: Decimated,
    quality: Quality,
    density: Spectrum,
    channels: Channels,
    mains: float,
    cleaning: ArtefactRemoval,
) -> dict[str, Any]:
    """Return what a reader of the quality page sees of a recording."""
    bad = [
        f"{channels.names[row]} ({reason})"
        for row, reason in zip(made.rows, quality.reasons, strict=True)
        if reason
    ]
    seconds = made.field.shape[1] / made.rate
    clean, line = clean_seconds(made, quality), line_ratio(density, mains)
    flags = []
    if line > LINE_FLAG:
        flags.append("mains")
    if clean < CLEAN_FLAG * seconds:
        flags.append("few clean seconds")
    if len(bad) > BAD_FLAG * len(made.rows):
        flags.append("many bad sensors")
    return {
        "seconds": seconds,
        "clean_seconds": clean,
        "sensors": len(made.rows),
        "bad_sensors": len(bad),
        "bad": ", ".join(bad),
        "bad_segments": int((~quality.clean).sum()),
        "mains": mains,
        "line_ratio": line,
        "grade": made.grade,
        "heart_removed": cleaning.removed,
        "pulse": cleaning.pulse,
        "flags": ", ".join(flags),
    }


def line_ratio(density: Spectrum, mains: float) -> float:
    """Return the median over sensors of the power at the mains over that around it."""
    at = in_band(density.frequency, mains - 0.5, mains + 0.5)
    around = in_band(density.frequency, mains - 6, mains + 6, without=[mains], gap=2)
    if not at.any() or not around.any():
        return float("nan")
    ratio = density.density[:, at].max(axis=1) / np.median(density.density[:, around], axis=1)
    return float(np.median(ratio))


def _shown(density: Spectrum) -> pd.DataFrame:
    shown = density.frequency <= _SHOWN
    return pd.DataFrame(
        {
            "frequency": density.frequency[shown],
            "density": density.density[:, shown].mean(axis=0),
        }
    )
