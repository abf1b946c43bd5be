"""All measures of a cleaned recording per sensor, and their values over areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketadask.features.meg import registry
from ketadask.features.meg.quality import Quality
from ketadask.features.meg.registry import ALL, Feature
from ketadask.features.meg.stream import Decimated
from ketadask.features.meg.time_courses import COURSE_MEASURES, compute_courses
from ketadask.kernels.coupling import coupling
from ketadask.kernels.spectra import aperiodic, in_band, peak_frequency, spectral_entropy, welch
from ketadask.sources.meg.channels import Channels

_COUPLING = ("aec", "wpli", "imcoh")
_WELCH_SEGMENTS = 2
_Key = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Power spectral density of the good sensors: (sensor, frequency) in fT2/Hz."""

    frequency: np.ndarray
    density: np.ndarray


def spectrum(made: Decimated, quality: Quality) -> Spectrum:
    """Return Welch's spectrum over the clean stretches, in windows of two segments."""
    few = quality.longest(_WELCH_SEGMENTS)
    length = few * quality.length
    field = made.field if quality.good.all() else made.field[quality.good]
    density = welch(field, quality.starts(few), length, made.rate)
    return Spectrum(np.fft.rfftfreq(length, 1 / made.rate), density)


def recording_features(
    made: Decimated,
    quality: Quality,
    found: Spectrum,
    wanted: Sequence[Feature],
    channels: Channels,
    mains: float,
) -> dict[Feature, float]:
    """Return the value of every wanted feature, NaN where an area has no good sensor.

    Parameters
    ----------
    made, quality, found
        The field, what is bad in it, and its spectrum.
    wanted
        Features; only what they need is computed.
    channels
        All channels of the recording.
    mains
        Hz; frequencies near it and its multiples are not used.
    """
    rows = made.rows[quality.good]
    areas = {each.area: area_rows(channels, rows, each.area) for each in wanted}
    keys = list(dict.fromkeys((each.family, each.band) for each in wanted))
    values = spectral_measures(found, keys, mains)
    values |= _course_measures(made, quality, keys)
    flat = values.pop(("flat", ""), None)
    result = {}
    for each in wanted:
        inside = areas[each.area]
        if not inside.size:
            result[each] = float("nan")
        elif each.family == "peak":
            assert flat is not None
            frequency = found.frequency[in_band(found.frequency, *registry.APERIODIC)]
            result[each] = peak_frequency(frequency, flat[inside].mean(axis=0), *registry.PEAK)
        else:
            result[each] = float(np.mean(values[each.family, each.band][inside]))
    return result


def area_rows(channels: Channels, rows: np.ndarray, area: str) -> np.ndarray:
    """Return which of some sensors lie in an area, for example ``frontal_left``."""
    if area == ALL:
        return np.arange(len(rows))
    region, _, side = area.partition("_")
    inside = channels.region[rows] == region
    if side:
        inside &= channels.hemisphere[rows] == side
    return np.flatnonzero(inside)


def spectral_measures(
    found: Spectrum, keys: Sequence[_Key], mains: float
) -> dict[_Key, np.ndarray]:
    """Return measures of spectra (sensor,); the entry ``flat`` holds whole spectra for peaks."""
    frequency, density = found.frequency, found.density
    lines = [mains * k for k in range(1, 6)]
    names = {name for name, _ in keys}
    made: dict[_Key, np.ndarray] = {}
    broad = in_band(frequency, *registry.BROAD)
    for name, band in keys:
        if name == "power":
            inside = in_band(frequency, *registry.BANDS[band], without=lines)
            made[name, band] = np.log10(density[:, inside].mean(axis=1))
        elif name == "relative":
            inside = in_band(frequency, *registry.ENIGMA_BANDS[band])
            share = density[:, inside].sum(axis=1) / density[:, broad].sum(axis=1)
            made[name, band] = np.log10(share)
        elif name == "entropy":
            made[name, band] = spectral_entropy(density[:, broad])
    if names & {"exponent", "offset", "peak"}:
        fitted = in_band(frequency, *registry.APERIODIC)
        exponent, offset, flat = aperiodic(frequency[fitted], density[:, fitted])
        made |= {("exponent", ""): exponent, ("offset", ""): offset, ("flat", ""): flat}
    return made


def _course_measures(
    made: Decimated, quality: Quality, keys: Sequence[_Key]
) -> dict[_Key, np.ndarray]:
    measures = [name for name, _ in keys if name in COURSE_MEASURES]
    bands = list(dict.fromkeys(band for name, band in keys if name in _COUPLING))
    if not measures and not bands:
        return {}
    highest = max([registry.COUPLING_BANDS[band][1] for band in bands], default=0.0) + 1.0
    found = compute_courses(
        made.field, made.rate, quality, broad=registry.BROAD, highest=highest, measures=measures
    )
    values = {(name, ""): found.measures[name] for name in measures}
    if ("activity", "") in values:
        values["activity", ""] = np.log10(values["activity", ""])
    for band in bands:
        pairs = coupling(found.analytic(registry.COUPLING_BANDS[band], quality))
        others = max(1, len(pairs[0]) - 1)
        for name, matrix in zip(_COUPLING, pairs, strict=True):
            values[name, band] = matrix.sum(axis=1) / others
    return values
