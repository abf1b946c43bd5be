"""What MEG features promise, measured on simulated recordings.

``python -m tests.benchmarks.meg_limits`` prints how much the core features of one head differ
between sampling rates, coupling between 60 and 119 seconds, how many planted bad sensors are found
and how many good ones are called bad, how often 1/f noise has an alpha peak, and how much faster
two workers extract than one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import signal

from ketadask.bench.features import simulate_recording
from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.features.graph import recordings_stage
from ketadask.features.meg.quality import Quality
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.table import recording_parts
from ketadask.features.meg.time_courses import compute_courses
from ketadask.kernels.coupling import coupling
from ketadask.pipeline.progress import Progress
from ketadask.pipeline.run import run_stage
from ketadask.pipeline.stage import require
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth, simulated_field
from ketadask.sources.meg.collection import RecordingFile
from tests.features.test_meg_kernels import count_peaks, pink
from tests.features.test_meg_quality import bad_sensors
from tests.features.test_meg_rates import HEAD, SECONDS, features_at

RATE, ALPHA = 300.0, (8.0, 13.0)
SHORT, LONG = 60, 119
_RECORDINGS, _PEAKS, _PAIRS, _COPIES = 100, 200, 20, 8
# Spread of the log envelope that all sensors share, amplitude of the source that they share.
_DEPTH, _COMMON = 0.25, 0.6


def main(words: Sequence[str]) -> int:
    """Measure the named parts, or all of them."""
    parts = {"rates": rates, "seconds": seconds, "sensors": sensors, "peaks": peaks,
             "workers": workers}  # fmt: skip
    for name in words or parts:
        for line in parts[name]():
            print(line, flush=True)
    return 0


def rates() -> list[str]:
    """Compare the core features of one head at 1000 and 1017.25 Hz with those at 1200 Hz."""
    truth = MegTruth(mains_reference=0.0, drift=0.0, alpha=10.4)
    field = simulated_field(HEAD, truth, seconds=SECONDS, rate=1200.0, seed=11)
    low_pass = signal.firwin(201, 300.0, fs=1200.0)
    values = signal.fftconvolve(field.window(0, field.length), low_pass[None], "same", axes=1)
    with tempfile.TemporaryDirectory() as folder:
        features = {
            rate: features_at(
                Path(folder), values, rate, names=HEAD.names, coil=5001
            ).features.set_index("feature")["value"]
            for rate in (1200.0, 1000.0, 1017.25)
        }
    lines = []
    reference = features.pop(1200.0)
    pairs = reference.index.str.contains("aec|wpli")
    for rate, own in features.items():
        relative = (own / reference - 1).abs()
        away = (own - reference).abs()[pairs]
        lines.append(
            f"{rate:g} against 1200 Hz, {len(own)} core features: largest relative difference "
            f"{relative[~pairs].max():.2%} ({relative[~pairs].idxmax()}); coupling differs by at "
            f"most {away.max():.4f} ({relative[pairs].max():.1%})"
        )
    return lines


def seconds() -> list[str]:
    """Compare coupling of 60 and 119 seconds of a recording, planted and of noise."""
    lines = []
    for name, depth in (("planted", _DEPTH), ("noise", 0.0)):
        means = np.array([_coupling_of(depth, seed) for seed in range(_PAIRS)])
        for column, measure in enumerate(("AEC", "wPLI2")):
            short, long = means[:, 0, column], means[:, 1, column]
            away = short - long
            lines.append(
                f"{name} {measure}: {SHORT} s {short.mean():.4f}, {LONG} s {long.mean():.4f}; one "
                f"recording: difference {away[0]:+.4f} ({away[0] / long[0]:+.1%}), of {_PAIRS} "
                f"median {np.median(np.abs(away / long)):.1%}, sd {away.std(ddof=1):.4f}; mean "
                f"difference {away.mean():+.4f} +- {away.std(ddof=1) / np.sqrt(_PAIRS):.4f}"
            )
    return lines


def _coupling_of(depth: float, seed: int) -> list[list[float]]:
    """Return mean alpha AEC and squared wPLI of 60 and of 119 seconds of 30 sensors.

    All follow one alpha envelope to some extent, and a source whose phase differs by sensor.
    """
    rng = np.random.default_rng(seed)
    field = pink(1.0, 30, LONG, seed=seed).astype(np.float64)
    field /= field.std(axis=1, keepdims=True)
    band = signal.butter(2, ALPHA, "bandpass", fs=RATE, output="sos")
    slow = signal.butter(2, 1.0, fs=RATE, output="sos")
    envelope = np.exp(depth * _unit(signal.sosfilt(slow, rng.normal(size=field.shape[1]))))
    own = _unit(signal.sosfilt(band, rng.normal(size=field.shape)))
    common = signal.hilbert(_unit(signal.sosfilt(band, rng.normal(size=field.shape[1]))))
    shifts = np.exp(1j * rng.uniform(0, 2 * np.pi, size=(30, 1)))
    if depth:
        field += own * envelope + _COMMON * (common * shifts).real
    means = []
    for part in (SHORT, LONG):
        values = field[:, : round(part * RATE)].astype(np.float32)
        clean = np.ones(values.shape[1] // 600, dtype=bool)
        quality = Quality(("",) * 30, clean, 600)
        courses = compute_courses(values, RATE, quality, broad=(1, 45), highest=46, measures=())
        upper = np.triu_indices(30, 1)
        means.append([pair[upper].mean() for pair in coupling(courses.analytic(ALPHA, quality))])
    return means


def _unit(values: np.ndarray) -> np.ndarray:
    return values / values.std(axis=-1, keepdims=True)


def sensors() -> list[str]:
    """Count planted bad sensors that are found, and good ones that are called bad."""
    counts: Counter[str] = Counter()
    for seed in range(_RECORDINGS):
        planted, reasons = bad_sensors(seed)
        counts.update(reason for row, reason in reasons.items() if planted.get(row) == reason)
        counts["good"] += len(set(reasons) - set(planted))
    n_good = _RECORDINGS * (len(HEAD.names) - 2)
    return [
        f"of {_RECORDINGS} recordings: noise of 30 fT/rtHz found in {counts['noisy']}, gain 0.3 in "
        f"{counts['weak']}; {counts['good']} of {n_good} good sensors called bad"
    ]


def peaks() -> list[str]:
    """Count the alpha peaks of 1/f noise."""
    return [
        f"1/f noise of {length} s, {channels} sensors: a peak in "
        f"{count_peaks(length, channels, _PEAKS)} of {_PEAKS}"
        for channels in (1, 10)
        for length in (6, 20, 40, 120, 300)
    ]


def workers() -> list[str]:
    """Time the extraction of eight recordings of five minutes by one and by two workers."""
    wall = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        long = simulate_recording(folder, 300.0, 273)
        short = write_recording(folder / "short_meg.fif", helmet(12), seconds=12.0)
        for count in (1, 2):
            with connect(Profile(kind="local", workers=count, dashboard=False)) as executor:
                for name, path, copies in (("warm", short, count), ("timed", long, _COPIES)):
                    files = [
                        RecordingFile(str(path), f"sub-{k}", "", f"{name}-{k}")
                        for k in range(copies)
                    ]
                    settings = MegSettings(features="full")
                    parts = recording_parts(folder / f"{name}-{count}", settings)
                    stage = recordings_stage(files, settings, parts)
                    start = time.perf_counter()
                    require(run_stage(stage, lambda own=executor: own, Progress.silent()))
                    wall[name, count] = time.perf_counter() - start
    one, two = wall["timed", 1], wall["timed", 2]
    return [
        f"{_COPIES} recordings of 300 s and 273 sensors, full set: one worker {one:.1f} s, two "
        f"{two:.1f} s, {one / two:.2f} times as fast"
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
