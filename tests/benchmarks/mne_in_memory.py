"""The straightforward way to the same MEG features: a whole recording in memory, through mne.

Written as a user of mne would write it. Lempel-Ziv is the usual algorithm of Kaspar and Schuster,
compiled; envelope correlation is that of mne-connectivity, seed by seed. The recording is not
cleaned beyond its bad sensors, so that both ways see the same values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import mne
import numpy as np
from numba import njit

from ketadask.features.meg import registry
from ketadask.features.meg.registry import Feature
from ketadask.kernels.spectra import aperiodic, in_band, peak_frequency, spectral_entropy
from ketadask.sources.meg.channels import place_of

Measures = dict[tuple[str, str], np.ndarray]
_LZ_SECONDS, _HJORTH_SECONDS, _EDGE = 10, 2, 0.5


def steps(path: str, wanted: Sequence[Feature], bad: Sequence[str]) -> Iterator[tuple[str, object]]:
    """Yield the name of every step when it is done; the last one comes with the features."""
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error")
    yield "read", None
    raw.apply_gradient_compensation(3, verbose="error")
    yield "compensate", None
    raw.pick("mag", exclude=[]).resample(300.0, method="polyphase", verbose="error")
    yield "decimate", None
    raw.info["bads"] = [name for name in bad if name in raw.ch_names]
    raw.apply_function(lambda x: x * 1e15, picks="mag", channel_wise=False, verbose="error")
    good = raw.copy().pick("mag", exclude="bads")
    values: Measures = {}
    density = good.compute_psd(
        "welch", fmin=0, fmax=150, n_fft=1200, n_overlap=600, verbose="error"
    )
    _spectral(density.get_data(), density.freqs, values)
    yield "spectrum", None
    broad = good.copy().filter(*registry.BROAD, verbose="error").get_data()
    _hjorth(broad, values)
    yield "hjorth", None
    size = round(_LZ_SECONDS * 300.0)
    starts = range(0, broad.shape[1] - size + 1, size)
    counts = [
        np.mean([_kaspar_schuster(_binary(row[s : s + size])) for s in starts]) for row in broad
    ]
    values["lz", ""] = np.array(counts) * np.log2(size) / size
    yield "lempel-ziv", None
    for band in dict.fromkeys(each.band for each in wanted if each.family == "aec"):
        narrow = good.copy().filter(*registry.COUPLING_BANDS[band], verbose="error")
        narrow.apply_hilbert(verbose="error")
        edge = round(_EDGE * 300.0)
        for name, matrix in _coupling(narrow.get_data()[:, edge:-edge]).items():
            values[name, band] = matrix.sum(axis=1) / (len(matrix) - 1)
        yield f"coupling {band}", None
    yield "average", _over_areas(values, good.ch_names, wanted)


def _spectral(density: np.ndarray, frequency: np.ndarray, values: Measures) -> None:
    broad = in_band(frequency, *registry.BROAD)
    lines = [60.0, 120.0]
    for band, edges in registry.BANDS.items():
        inside = in_band(frequency, *edges, without=lines)
        values["power", band] = np.log10(density[:, inside].mean(axis=1))
    for band, edges in registry.ENIGMA_BANDS.items():
        inside = in_band(frequency, *edges)
        share = density[:, inside].sum(axis=1) / density[:, broad].sum(axis=1)
        values["relative", band] = np.log10(share)
    values["entropy", ""] = spectral_entropy(density[:, broad])
    fitted = in_band(frequency, *registry.APERIODIC)
    found = [aperiodic(frequency[fitted], row[None, fitted]) for row in density]
    values["exponent", ""] = np.array([each[0][0] for each in found])
    values["offset", ""] = np.array([each[1][0] for each in found])
    values["flat", ""] = np.array([each[2][0] for each in found])
    values["frequency", ""] = frequency[fitted]


def _hjorth(broad: np.ndarray, values: Measures) -> None:
    size = round(_HJORTH_SECONDS * 300.0)
    count = broad.shape[1] // size
    pieces = broad[:, : count * size].reshape(len(broad), count, size)
    power = [np.diff(pieces, k, axis=2).var(axis=2).mean(axis=1) for k in range(3)]
    values["activity", ""] = np.log10(power[0])
    values["mobility", ""] = np.sqrt(power[1] / power[0])
    values["complexity", ""] = np.sqrt(power[2] / power[1]) / values["mobility", ""]


def _coupling(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the coupling of all pairs as mne-connectivity computes it: seed by seed."""
    envelope = np.abs(x)
    unit = x.conj() / envelope
    centred = envelope - envelope.mean(axis=1, keepdims=True)
    spread = np.linalg.norm(centred, axis=1)
    made = {name: np.zeros((len(x), len(x))) for name in ("aec", "wpli", "imcoh")}
    size = np.linalg.norm(x, axis=1)
    for seed in range(len(x)):
        orthogonal = (x * unit[seed]).imag
        product = orthogonal * envelope[seed]
        sums, absolute = product.sum(axis=1), np.abs(product).sum(axis=1)
        made["imcoh"][seed] = np.abs(sums) / (size * size[seed])
        made["wpli"][seed] = np.abs(sums) / np.where(absolute > 0, absolute, 1)
        np.abs(orthogonal, out=orthogonal)
        orthogonal -= orthogonal.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(orthogonal, axis=1) * spread[seed]
        made["aec"][seed] = np.abs(orthogonal @ centred[seed]) / np.where(norm > 0, norm, 1)
    for matrix in made.values():
        np.fill_diagonal(matrix, 0.0)
    made["aec"] = (made["aec"] + made["aec"].T) / 2
    return made


def _over_areas(
    values: Measures, names: Sequence[str], wanted: Sequence[Feature]
) -> dict[str, float]:
    places = [place_of(name, (0.0, 0.0, 0.0)) for name in names]
    made = {}
    for each in wanted:
        rows = [k for k, (r, s) in enumerate(places) if each.area in ("all", f"{r}_{s}")]
        if each.family == "peak":
            flat = values["flat", ""][rows].mean(axis=0)
            made[each.name] = peak_frequency(values["frequency", ""], flat, *registry.PEAK)
        elif (each.family, each.band) in values:
            made[each.name] = float(values[each.family, each.band][rows].mean())
    return made


def _binary(window: np.ndarray) -> np.ndarray:
    return (window > window.mean()).astype(np.uint8)


@njit(cache=True)
def _kaspar_schuster(s: np.ndarray) -> int:
    """Count components by searching (Kaspar & Schuster 1987, Phys Rev A 36:842)."""
    n = s.size
    i, k, start, longest, count = 0, 1, 1, 1, 1
    while True:
        if s[i + k - 1] == s[start + k - 1]:
            k += 1
            if start + k > n:
                return count + 1
        else:
            longest = max(longest, k)
            i += 1
            if i == start:
                count += 1
                start += longest
                if start + 1 > n:
                    return count
                i, k, longest = 0, 1, 1
            else:
                k = 1
