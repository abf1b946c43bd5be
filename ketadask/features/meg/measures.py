"""All measures of a clean recording per sensor, and their means over areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketadask.features.meg import registry
from ketadask.features.meg.quality import Quality
from ketadask.features.meg.registry import ALL, Feature
from ketadask.features.meg.stream import DecimatedField
from ketadask.features.meg.time_courses import COURSE_MEASURES, compute_courses
from ketadask.kernels.coupling import coupling
from ketadask.kernels.spectra import aperiodic, in_band, peak_frequency, spectral_entropy, welch
from ketadask.sources.meg.channels import PLANAR, Channels

_COUPLING = ("aec", "wpli", "imcoh")
_WELCH_SEGMENTS = 2
_Key = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Power spectral density of the good sensors: (sensor, frequency) in fT2/Hz."""

    frequency: np.ndarray
    density: np.ndarray


def compute_spectrum(data: DecimatedField, quality: Quality) -> Spectrum:
    """Return Welch's spectrum over the clean windows of two segments."""
    segments = quality.longest(_WELCH_SEGMENTS)
    length = segments * quality.length
    field = data.field if quality.good.all() else data.field[quality.good]
    density = welch(field, quality.starts(segments), length, data.rate)
    return Spectrum(np.fft.rfftfreq(length, 1 / data.rate), density)


def recording_features(
    data: DecimatedField,
    quality: Quality,
    spectrum: Spectrum,
    features: Sequence[Feature],
    channels: Channels,
    mains: float,
) -> dict[Feature, float]:
    """Return the value of every feature, NaN where an area has no good sensor.

    Parameters
    ----------
    data, quality, spectrum
        The field, its bad sensors and segments, and its spectrum.
    features
        Only what these need is computed.
    channels
        All channels of the recording.
    mains
        Hz; frequencies near it and its multiples are not used.
    """
    rows = data.rows[quality.good]
    spectrum, locations = combine_planars(spectrum, channels, rows)
    keys = list(dict.fromkeys((feature.group, feature.band) for feature in features))
    measures = spectral_measures(spectrum, keys, mains) | _course_measures(data, quality, keys)
    flat = measures.pop(("flat", ""), np.empty((0, 0)))
    values = {}
    for feature in features:
        is_spectral = registry.FEATURE_GROUPS[feature.group].needs == registry.SPECTRUM
        sensors = area_sensors(channels, locations if is_spectral else rows, feature.area)
        if not sensors.size:
            values[feature] = float("nan")
        elif feature.group == "peak":
            frequency = spectrum.frequency[in_band(spectrum.frequency, *registry.APERIODIC)]
            mean = flat[sensors].mean(axis=0)
            values[feature] = peak_frequency(frequency, mean, *registry.PEAK)
        else:
            values[feature] = float(np.mean(measures[feature.group, feature.band][sensors]))
    return values


def combine_planars(
    spectrum: Spectrum, channels: Channels, rows: np.ndarray
) -> tuple[Spectrum, np.ndarray]:
    """Return the spectra of the locations of planar gradiometers, and the first sensor of each.

    The density of a location is the sum over both directions of the gradient, or twice that of one
    where the other is bad. Other sensors are locations of their own.
    """
    if not rows.size or (channels.kind[rows] != PLANAR).any():
        return spectrum, rows
    places = np.round(channels.position[rows], 3)
    _, first, index = np.unique(places, axis=0, return_index=True, return_inverse=True)
    counts = np.bincount(index.ravel())
    if not np.isfinite(places).all() or counts.max() > 2:
        return spectrum, rows  # positions are not known
    density = np.zeros((len(first), spectrum.density.shape[1]))
    np.add.at(density, index.ravel(), spectrum.density)
    return Spectrum(spectrum.frequency, 2 * density / counts[:, None]), rows[first]


def area_sensors(channels: Channels, rows: np.ndarray, area: str) -> np.ndarray:
    """Return which of the rows lie in an area, for example ``frontal_left``."""
    if area == ALL:
        return np.arange(len(rows))
    region, _, hemisphere = area.partition("_")
    inside = channels.region[rows] == region
    if hemisphere:
        inside &= channels.hemisphere[rows] == hemisphere
    return np.flatnonzero(inside)


def spectral_measures(
    spectrum: Spectrum, keys: Sequence[_Key], mains: float
) -> dict[_Key, np.ndarray]:
    """Return measures of spectra (sensor,); the entry ``flat`` holds flattened spectra."""
    frequency, density = spectrum.frequency, spectrum.density
    lines = [mains * k for k in range(1, 6)]
    groups = {group for group, _ in keys}
    measures: dict[_Key, np.ndarray] = {}
    broad = in_band(frequency, *registry.BROAD)
    for group, band in keys:
        if group == "power":
            inside = in_band(frequency, *registry.BANDS[band], without=lines)
            measures[group, band] = np.log10(density[:, inside].mean(axis=1))
        elif group == "relative":
            inside = in_band(frequency, *registry.ENIGMA_BANDS[band])
            fraction = density[:, inside].sum(axis=1) / density[:, broad].sum(axis=1)
            measures[group, band] = np.log10(fraction)
        elif group == "entropy":
            measures[group, band] = spectral_entropy(density[:, broad])
    if groups & {"exponent", "offset", "peak"}:
        inside = in_band(frequency, *registry.APERIODIC)
        exponent, offset, flat = aperiodic(frequency[inside], density[:, inside])
        measures |= {("exponent", ""): exponent, ("offset", ""): offset, ("flat", ""): flat}
    return measures


def _course_measures(
    data: DecimatedField, quality: Quality, keys: Sequence[_Key]
) -> dict[_Key, np.ndarray]:
    names = [group for group, _ in keys if group in COURSE_MEASURES]
    bands = list(dict.fromkeys(band for group, band in keys if group in _COUPLING))
    if not names and not bands:
        return {}
    highest = max([registry.COUPLING_BANDS[band][1] for band in bands], default=0.0) + 1.0
    courses = compute_courses(
        data.field, data.rate, quality, broad=registry.BROAD, highest=highest, measures=names
    )
    measures = {(name, ""): courses.measures[name] for name in names}
    if ("activity", "") in measures:
        measures["activity", ""] = np.log10(measures["activity", ""])
    for band in bands:
        pairs = coupling(courses.analytic(registry.COUPLING_BANDS[band], quality))
        n_others = max(1, len(pairs[0]) - 1)
        for group, matrix in zip(_COUPLING, pairs, strict=True):
            measures[group, band] = matrix.sum(axis=1) / n_others
    return measures
