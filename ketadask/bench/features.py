"""CPU time and peak memory of MEG features, step by step.

``ketadask bench features`` simulates one recording of five minutes and 273 sensors, or takes
yours, and computes its features in a fresh process of one thread, streamed as in a study.
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

from ketadask.features.meg.registry import FEATURE_GROUPS, Feature, feature_set
from ketadask.features.meg.settings import CORE, FULL, MegSettings
from ketadask.store.environment import ONE_THREAD, peak_memory

_SEED = 3
BAD_SENSORS = ("MLT21", "MRC31")
Steps = Iterator[tuple[str, dict[str, float] | None]]


def main(words: Sequence[str]) -> int:
    """Measure and print; see ``ketadask bench features --help``."""
    parser = feature_options("ketadask bench features", __doc__)
    options = parser.parse_args(list(words))
    if options.part:
        print(json.dumps(measure_steps(stream_features, str(options.recording), options.set)))
        return 0
    with tempfile.TemporaryDirectory(prefix="ketadask-bench-") as folder:
        path = recording_path(options, Path(folder))
        costs = run_in_process("ketadask.bench.features", path, options.set)
    print(json.dumps(costs) if options.json else format_costs("streamed", costs))
    return 0


def feature_options(program: str, text: str | None) -> argparse.ArgumentParser:
    """Return the parser of the options of a feature benchmark."""
    parser = argparse.ArgumentParser(prog=program, description=text)
    parser.add_argument("--seconds", type=float, default=300.0, help="length of the recording")
    parser.add_argument("--sensors", type=int, default=273, help="number of sensors")
    parser.add_argument("--set", default=FULL, choices=(CORE, FULL), help="features")
    parser.add_argument("--recording", type=Path, help="a FIF file instead of a simulated one")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--part", action="store_true", help=argparse.SUPPRESS)
    return parser


def measure_steps(
    pipeline: Callable[[str, Sequence[Feature]], Steps], path: str, set_name: str
) -> dict[str, Any]:
    """Run a pipeline in this process; return the cost of every step, and the features."""
    selection = feature_set(set_name)
    # Compilation is paid once per machine, not per recording.
    with tempfile.TemporaryDirectory(prefix="ketadask-bench-") as folder:
        for _ in pipeline(str(simulate_recording(Path(folder), 12.0, 12)), selection):
            pass
    steps: list[dict[str, Any]] = []
    values: dict[str, float] = {}
    start = previous = time.process_time()
    for step, result in pipeline(path, selection):
        now = time.process_time()
        steps.append(
            {"step": step, "cpu_s": round(now - previous, 3), "peak_mb": round(peak_memory() / 1e6)}
        )
        previous, values = now, result or values
    total = round(time.process_time() - start, 3)
    return {"steps": steps, "cpu_s": total, "peak_mb": round(peak_memory() / 1e6), "values": values}


def stream_features(path: str, selection: Sequence[Feature]) -> Steps:
    """Yield the name of every step of the streamed pipeline; the last one with the features."""
    from ketadask.features.meg.measures import compute_spectrum, recording_features
    from ketadask.features.meg.quality import assess_quality
    from ketadask.features.meg.registry import COUPLING, COURSE
    from ketadask.features.meg.stream import decimate_recording
    from ketadask.sources.meg.recording import Recording

    settings = MegSettings()
    recording = Recording.at(path)
    channels = recording.header.channels.with_bads(BAD_SENSORS)
    stream = decimate_recording(recording, settings)
    yield "read, compensate, decimate", None
    rows = stream.rows
    quality = assess_quality(
        stream.field, stream.rate, stream.extent, groups=channels.region[rows].tolist(),
        bads=channels.bad[rows], mains=60.0, settings=settings,
        position=channels.position[rows],
        breaks=stream.breaks, bad_spans=recording.header.bad_spans,
    )  # fmt: skip
    yield "quality", None
    density = compute_spectrum(stream, quality)
    yield "spectrum", None
    values: dict[Feature, float] = {}
    stages = {
        "hjorth and lempel-ziv": [f for f in selection if FEATURE_GROUPS[f.group].needs == COURSE],
        "coupling": [f for f in selection if FEATURE_GROUPS[f.group].needs == COUPLING],
        "average": [
            f for f in selection if FEATURE_GROUPS[f.group].needs not in (COURSE, COUPLING)
        ],
    }
    for stage, part in stages.items():
        values |= recording_features(stream, quality, density, part, channels, 60.0)
        by_name = {feature.name: value for feature, value in values.items()}
        yield stage, by_name if stage == "average" else None


def recording_path(options: argparse.Namespace, folder: Path) -> Path:
    """Return the recording of the options, simulated in the folder if none is given."""
    return options.recording or simulate_recording(folder, options.seconds, options.sensors)


def simulate_recording(folder: Path, seconds: float, sensors: int) -> Path:
    """Write a simulated recording with a noisy and a flat sensor; return its path."""
    from ketadask.simulate.meg.fif import write_recording
    from ketadask.simulate.meg.helmet import helmet
    from ketadask.simulate.meg.signals import MegTruth

    truth = MegTruth(noisy=BAD_SENSORS[:1], flat=BAD_SENSORS[1:])
    path = folder / "sub-01_task-rest_meg.fif"
    return write_recording(path, helmet(sensors), truth, seconds=seconds, seed=_SEED)


def run_in_process(module: str, path: Path, set_name: str) -> dict[str, Any]:
    """Run the pipeline of a module in a fresh process of one thread; return its costs."""
    words = [sys.executable, "-m", module, "--part", "--set", set_name]
    process = subprocess.run(
        [*words, "--recording", str(path)],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise RuntimeError(f"the pipeline of {module} failed:\n{process.stderr}")
    costs: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return costs


def format_costs(name: str, costs: dict[str, Any]) -> str:
    """Return the costs of a pipeline as text, a line per step."""
    lines = [f"{name}: {costs['cpu_s']} CPU-s, peak {costs['peak_mb']} MB"]
    lines += [
        f"    {step['step']:28} {step['cpu_s']:8.2f} s  {step['peak_mb']:6} MB"
        for step in costs["steps"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
