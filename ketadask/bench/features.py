"""MEG features measured: CPU seconds and peak memory per step, beside mne in memory.

``ketadask bench features`` simulates one recording of five minutes and 273 sensors and computes the
same features in two fresh processes of one thread each: streamed, as a study does, and with the
whole recording in memory, as a script with mne does. It says how far the features agree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ketadask.features.meg.registry import FAMILIES, Feature, features
from ketadask.features.meg.settings import CORE, FULL, MegSettings

_SEED = 3
OURS, MNE = "streamed", "mne"
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")}
_Steps = Iterator[tuple[str, Any]]


def main(words: Sequence[str]) -> int:
    """Run the measurement; see ``ketadask bench features --help``."""
    parser = argparse.ArgumentParser(prog="ketadask bench features", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="length of the recording")
    parser.add_argument("--sensors", type=int, default=273, help="how many of the helmet")
    parser.add_argument("--set", default=FULL, choices=(CORE, FULL), help="features")
    parser.add_argument("--recording", type=Path, help="a FIF file of yours instead")
    parser.add_argument("--json", action="store_true", help="numbers only, as JSON")
    parser.add_argument("--pipeline", choices=(OURS, MNE), help=argparse.SUPPRESS)
    asked = parser.parse_args(list(words))
    if asked.pipeline:
        print(json.dumps(one_pipeline(asked.pipeline, str(asked.recording), asked.set)))
        return 0
    with tempfile.TemporaryDirectory(prefix="ketadask-bench-") as folder:
        path = asked.recording or _simulated(Path(folder), asked.seconds, asked.sensors)
        found = {name: _in_process(name, path, asked.set) for name in (OURS, MNE)}
    result = compare(found, asked.set)
    print(json.dumps(result) if asked.json else _as_text(result))
    return 0


def one_pipeline(name: str, path: str, which: str) -> dict[str, Any]:
    """Run one way in this process: what every step costs, and the features."""
    wanted = features(which)
    # Compiling is paid once per machine, not per recording.
    with tempfile.TemporaryDirectory(prefix="ketadask-bench-") as folder:
        for _ in _pipeline(name, str(_simulated(Path(folder), 12.0, 12)), wanted):
            pass
    made, values = [], {}
    cpu = begun = time.process_time()
    for step, result in _pipeline(name, path, wanted):
        now = time.process_time()
        made.append({"step": step, "cpu_s": round(now - cpu, 3), "peak_mb": round(_peak())})
        cpu, values = now, result or values
    total = round(time.process_time() - begun, 3)
    return {"steps": made, "cpu_s": total, "peak_mb": round(_peak()), "values": values}


def compare(found: dict[str, dict[str, Any]], which: str) -> dict[str, Any]:
    """Return both costs, their ratios, and the largest difference per family of features."""
    ours, theirs = found[OURS], found[MNE]
    away: dict[str, list[float]] = {family: [] for family in FAMILIES}
    for each in features(which):
        if each.name in theirs["values"]:
            pair = ours["values"][each.name], theirs["values"][each.name]
            away[each.family].append(abs(pair[0] - pair[1]))
    costs = {
        name: {key: value for key, value in each.items() if key != "values"}
        for name, each in found.items()
    }
    return {
        **costs,
        "cpu_ratio": round(ours["cpu_s"] / theirs["cpu_s"], 3),
        "peak_ratio": round(ours["peak_mb"] / theirs["peak_mb"], 3),
        "largest_difference": {
            family: float(np.nanmax(values)) for family, values in away.items() if values
        },
    }


def _pipeline(name: str, path: str, wanted: Sequence[Feature]) -> _Steps:
    run: Callable[..., _Steps] = _streamed
    if name == MNE:
        from tests.benchmarks.mne_in_memory import steps as run
    return run(path, wanted, _BROKEN)


def _streamed(path: str, wanted: Sequence[Feature], bad: Sequence[str]) -> _Steps:
    from ketadask.features.meg.measures import recording_features, spectrum
    from ketadask.features.meg.quality import assess_quality
    from ketadask.features.meg.registry import COUPLING, COURSE
    from ketadask.features.meg.stream import decimated
    from ketadask.sources.meg.recording import Recording

    settings = MegSettings()
    recording = Recording.at(path)
    channels = recording.header.channels.with_bads(bad)
    made = decimated(recording, settings)
    yield "read, compensate, decimate", None
    rows = made.rows
    quality = assess_quality(
        made.field, made.rate, made.extent, groups=channels.region[rows].tolist(),
        named=channels.bad[rows], mains=60.0, settings=settings,
        breaks=made.breaks, bad_spans=recording.header.bad_spans,
    )  # fmt: skip
    yield "quality", None
    density = spectrum(made, quality)
    yield "spectrum", None
    values: dict[Feature, float] = {}
    stages = {
        "hjorth and lempel-ziv": [w for w in wanted if FAMILIES[w.family].needs == COURSE],
        "coupling": [w for w in wanted if FAMILIES[w.family].needs == COUPLING],
        "average": [w for w in wanted if FAMILIES[w.family].needs not in (COURSE, COUPLING)],
    }
    for stage, part in stages.items():
        values |= recording_features(made, quality, density, part, channels, 60.0)
        named = {each.name: value for each, value in values.items()}
        yield stage, named if stage == "average" else None


_BROKEN = ("MLT21", "MRC31")


def _simulated(folder: Path, seconds: float, sensors: int) -> Path:
    from ketadask.simulate.meg.fif import write_recording
    from ketadask.simulate.meg.helmet import helmet
    from ketadask.simulate.meg.signals import MegTruth

    planted = MegTruth(noisy=_BROKEN[:1], flat=_BROKEN[1:])
    path = folder / "sub-01_task-rest_meg.fif"
    return write_recording(path, helmet(sensors), planted, seconds=seconds, seed=_SEED)


def _in_process(name: str, path: Path, which: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "ketadask.bench.features", "--pipeline", name, "--set", which]
    done = subprocess.run(
        [*words, "--recording", str(path)],
        env={**os.environ, **_ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the pipeline {name} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _peak() -> float:
    """Return the largest memory of this process so far, in MB."""
    import resource

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1e6 if sys.platform == "darwin" else 1e3)


def _as_text(result: dict[str, Any]) -> str:
    lines = []
    for name in (OURS, MNE):
        lines.append(f"{name}: {result[name]['cpu_s']} CPU-s, peak {result[name]['peak_mb']} MB")
        lines += [
            f"    {each['step']:28} {each['cpu_s']:8.2f} s  {each['peak_mb']:6} MB"
            for each in result[name]["steps"]
        ]
    lines.append(f"CPU {result['cpu_ratio']}, peak memory {result['peak_ratio']} of mne's")
    away = ", ".join(f"{k} {v:.2g}" for k, v in result["largest_difference"].items())
    lines.append(f"largest difference of any feature: {away}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
