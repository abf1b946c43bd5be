"""MEG features streamed and with mne in memory, side by side.

``python -m tests.benchmarks.mne_in_memory`` computes the same features of one recording in two
fresh processes of one thread each: streamed, as in a study, and with the whole recording in memory,
as a user of mne would write it. It prints the costs and the largest differences. Lempel-Ziv is the
usual algorithm of Kaspar and Schuster, compiled; coupling is computed seed by seed as in
mne-connectivity, on analytic signals decimated to what their band needs, in complex64, as an expert
would. Only bad sensors are removed, so that both see the same values.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numba import njit

from ketadask.bench.features import (
    BAD_SENSORS,
    Steps,
    feature_options,
    format_costs,
    measure_steps,
    recording_path,
    run_in_process,
)
from ketadask.features.meg import registry
from ketadask.features.meg.registry import FEATURE_GROUPS, Feature, feature_set
from ketadask.kernels.spectra import aperiodic, in_band, peak_frequency, spectral_entropy
from ketadask.sources.meg.channels import sensor_region

STREAMED, MNE = "streamed", "mne"
_MODULES = {STREAMED: "ketadask.bench.features", MNE: "tests.benchmarks.mne_in_memory"}
Measures = dict[tuple[str, str], np.ndarray]
_LZ_SECONDS, _HJORTH_SECONDS, _EDGE = 10, 2, 0.5
_VALUES_PER_HERTZ, _BLOCKS, _FEWEST_VALUES = 3, 64, 16


def main(words: Sequence[str]) -> int:
    """Measure and print; see ``python -m tests.benchmarks.mne_in_memory --help``."""
    options = feature_options("tests.benchmarks.mne_in_memory", __doc__).parse_args(list(words))
    if options.part:
        print(json.dumps(measure_steps(mne_features, str(options.recording), options.set)))
        return 0
    with tempfile.TemporaryDirectory(prefix="ketadask-bench-") as folder:
        path = recording_path(options, Path(folder))
        costs = {
            name: run_in_process(module, path, options.set) for name, module in _MODULES.items()
        }
    result = compare_costs(costs, options.set)
    print(json.dumps(result) if options.json else _as_text(result))
    return 0


def compare_costs(costs: dict[str, dict[str, Any]], set_name: str) -> dict[str, Any]:
    """Return both costs, their ratios, and the largest difference per group of features."""
    stream, reference = costs[STREAMED], costs[MNE]
    differences: dict[str, list[float]] = {family: [] for family in FEATURE_GROUPS}
    for feature in feature_set(set_name):
        if feature.name in reference["values"]:
            pair = stream["values"][feature.name], reference["values"][feature.name]
            differences[feature.group].append(abs(pair[0] - pair[1]))
    return {
        **{
            name: {key: value for key, value in cost.items() if key != "values"}
            for name, cost in costs.items()
        },
        "cpu_ratio": round(stream["cpu_s"] / reference["cpu_s"], 3),
        "peak_ratio": round(stream["peak_mb"] / reference["peak_mb"], 3),
        "largest_difference": {
            family: float(np.nanmax(values)) for family, values in differences.items() if values
        },
    }


def _as_text(result: dict[str, Any]) -> str:
    differences = ", ".join(f"{k} {v:.2g}" for k, v in result["largest_difference"].items())
    lines = [format_costs(name, result[name]) for name in _MODULES]
    lines.append(f"CPU {result['cpu_ratio']}, peak memory {result['peak_ratio']} of mne's")
    return "\n".join([*lines, f"largest difference of any feature: {differences}"])


def mne_features(path: str, selection: Sequence[Feature]) -> Steps:
    """Yield the name of every step with mne; the last one with the features."""
    raw = mne.io.read_raw_fif(path, preload=True, verbose="error")
    yield "read", None
    raw.apply_gradient_compensation(3, verbose="error")
    yield "compensate", None
    raw.pick("mag", exclude=[]).resample(300.0, method="polyphase", verbose="error")
    yield "decimate", None
    raw.info["bads"] = [name for name in BAD_SENSORS if name in raw.ch_names]
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
    for band in dict.fromkeys(f.band for f in selection if f.group == "aec"):
        narrow = good.copy().filter(*registry.COUPLING_BANDS[band], verbose="error")
        narrow.apply_hilbert(verbose="error")
        low, high = registry.COUPLING_BANDS[band]
        edge, step = round(_EDGE * 300.0), int(300.0 / (_VALUES_PER_HERTZ * (high - low + 2)))
        analytic = narrow.get_data()[:, edge:-edge:step].astype(np.complex64)
        for name, matrix in _coupling(analytic).items():
            values[name, band] = matrix.sum(axis=1) / (len(matrix) - 1)
        yield f"coupling {band}", None
    yield "average", _over_areas(values, good.ch_names, selection)


def _spectral(density: np.ndarray, frequency: np.ndarray, values: Measures) -> None:
    broad = in_band(frequency, *registry.BROAD)
    lines = [60.0, 120.0]
    for band, edges in registry.BANDS.items():
        inside = in_band(frequency, *edges, without=lines)
        values["power", band] = np.log10(density[:, inside].mean(axis=1))
    for band, edges in registry.ENIGMA_BANDS.items():
        inside = in_band(frequency, *edges)
        relative = density[:, inside].sum(axis=1) / density[:, broad].sum(axis=1)
        values["relative", band] = np.log10(relative)
    values["entropy", ""] = spectral_entropy(density[:, broad])
    range_of_fit = in_band(frequency, *registry.APERIODIC)
    fits = [aperiodic(frequency[range_of_fit], row[None, range_of_fit]) for row in density]
    values["exponent", ""] = np.array([fit[0][0] for fit in fits])
    values["offset", ""] = np.array([fit[1][0] for fit in fits])
    values["flat", ""] = np.array([fit[2][0] for fit in fits])
    values["frequency", ""] = frequency[range_of_fit]


def _hjorth(broad: np.ndarray, values: Measures) -> None:
    size = round(_HJORTH_SECONDS * 300.0)
    count = broad.shape[1] // size
    windows = broad[:, : count * size].reshape(len(broad), count, size)
    power = [np.diff(windows, k, axis=2).var(axis=2).mean(axis=1) for k in range(3)]
    values["activity", ""] = np.log10(power[0])
    values["mobility", ""] = np.sqrt(power[1] / power[0])
    values["complexity", ""] = np.sqrt(power[2] / power[1]) / values["mobility", ""]


def _coupling(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the coupling of all pairs as mne-connectivity computes it: seed by seed."""
    envelope = np.abs(x)
    unit = x.conj() / envelope
    deviation = envelope - envelope.mean(axis=1, keepdims=True)
    spread = np.linalg.norm(deviation, axis=1)
    matrices = {name: np.zeros((len(x), len(x))) for name in ("aec", "wpli", "imcoh")}
    power = (np.abs(x) ** 2).mean(axis=1)
    block = max(_FEWEST_VALUES, -(-x.shape[1] // _BLOCKS))
    starts = np.arange(0, x.shape[1], block)
    counts = np.diff(starts, append=x.shape[1])
    for seed in range(len(x)):
        orthogonal = (x * unit[seed]).imag
        product = orthogonal * envelope[seed]
        square = _pairs_of_blocks(np.add.reduceat(product, starts, axis=1))
        absolute = _pairs_of_blocks(np.add.reduceat(np.abs(product), starts, axis=1))
        matrices["imcoh"][seed] = square / (_pairs_of_blocks(counts) * power * power[seed])
        matrices["wpli"][seed] = square / np.where(absolute > 0, absolute, 1)
        np.abs(orthogonal, out=orthogonal)
        orthogonal -= orthogonal.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(orthogonal, axis=1) * spread[seed]
        matrices["aec"][seed] = orthogonal @ deviation[seed] / np.where(norm > 0, norm, 1)
    for matrix in matrices.values():
        np.fill_diagonal(matrix, 0.0)
    matrices["aec"] = (matrices["aec"] + matrices["aec"].T) / 2
    return matrices


def _pairs_of_blocks(sums: np.ndarray) -> np.ndarray:
    """Return the sum over products of blocks (..., block) that are neither one nor neighbours."""
    near = (sums**2).sum(axis=-1) + 2 * (sums[..., 1:] * sums[..., :-1]).sum(axis=-1)
    return np.asarray(sums.sum(axis=-1) ** 2 - near)


def _over_areas(
    values: Measures, names: Sequence[str], selection: Sequence[Feature]
) -> dict[str, float]:
    areas = [sensor_region(name, (0.0, 0.0, 0.0)) for name in names]
    means = {}
    for feature in selection:
        rows = [k for k, (r, s) in enumerate(areas) if feature.area in ("all", f"{r}_{s}")]
        if feature.group == "peak":
            flat = values["flat", ""][rows].mean(axis=0)
            means[feature.name] = peak_frequency(values["frequency", ""], flat, *registry.PEAK)
        elif (feature.group, feature.band) in values:
            means[feature.name] = float(values[feature.group, feature.band][rows].mean())
    return means


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
