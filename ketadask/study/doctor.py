"""Checks of the machine and the cluster, with a remedy for each failure."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import QUEUES, Profile
from ketadask.cluster.queue_checks import SystemCheck, check_queue
from ketadask.config.reading import read_settings
from ketadask.pipeline.executor import collect
from ketadask.schema.errors import InputError
from ketadask.store.environment import ONE_THREAD, cores

_OLDEST = {"numpy": 2, "zarr": 3, "pandas": 2, "pydantic": 2}
_GIB = 2**30


def check_system(cluster: Path | None, out: Path) -> list[SystemCheck]:
    """Check Python, packages, memory, disk, locks, threads and the cluster of a profile."""
    profile = Profile() if cluster is None else read_settings(cluster, Profile)
    if profile.kind == "slurm":
        checks = [_python(), *_libraries(), _disk(out), _locks(out), *check_queue(profile, out)]
        return [*checks, *([_cluster(profile, out)] if all(check.ok for check in checks) else [])]
    return [
        _python(),
        *_libraries(),
        _memory(profile),
        _disk(out),
        _locks(out),
        _threads(),
        _cluster(profile, out),
    ]


def compile_search() -> SystemCheck:
    """Compile the search for small and larger trials; later runs on this machine read it."""
    import numpy as np

    from ketadask.search.top_personas import top_personas

    start, rng = time.perf_counter(), np.random.default_rng(7)
    for n_units in (60, 130):
        X, score = rng.normal(size=(n_units, 6)), rng.normal(size=n_units)
        for strategy in ("exact", "beam"):
            top_personas(X, score, max_literals=3, keep=5, strategy=strategy)
    return SystemCheck("compiled search", True, f"{time.perf_counter() - start:.1f} s", "")


def _python() -> SystemCheck:
    ok = sys.version_info >= (3, 11)
    return SystemCheck(
        "python", ok, platform.python_version(), "" if ok else "install 3.11 or later"
    )


def _libraries() -> list[SystemCheck]:
    checks = []
    for name, oldest in _OLDEST.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            checks.append(
                SystemCheck(name, False, "not installed", f"pip install '{name}>={oldest}'")
            )
            continue
        ok = int(version.split(".")[0]) >= oldest
        remedy = "" if ok else f"pip install --upgrade '{name}>={oldest}'"
        checks.append(SystemCheck(name, ok, version, remedy))
    return checks


def _memory(profile: Profile) -> SystemCheck:
    workers = profile.workers or cores()
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable"))
        free = int(available.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pass
    per_worker = free / workers
    ok = per_worker >= 0.4 * _GIB
    text = f"{free / _GIB:.1f} GiB free, {per_worker / _GIB:.1f} GiB for each of {workers} workers"
    return SystemCheck("memory", ok, text, "" if ok else "set fewer workers in the profile")


def _disk(out: Path) -> SystemCheck:
    parent = _existing_parent(out)
    try:
        with tempfile.NamedTemporaryFile(dir=parent) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(parent).free
    except OSError as error:
        text = f"{parent} cannot be written ({error.strerror})"
        return SystemCheck("disk", False, text, "choose another folder with --out")
    ok = free > _GIB
    remedy = "" if ok else "free space, or choose another folder with --out"
    return SystemCheck("disk", ok, f"{free / _GIB:.1f} GiB free in {parent}", remedy)


def _existing_parent(path: Path) -> Path:
    path = path.absolute()
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _locks(out: Path) -> SystemCheck:
    from ketadask.store.locks import hold_lock

    parent = _existing_parent(out)
    try:
        with tempfile.TemporaryDirectory(dir=parent) as folder, hold_lock(Path(folder) / "lock"):
            return SystemCheck("locks", True, f"work in {parent}")
    except (InputError, OSError) as error:
        return SystemCheck("locks", False, str(error), "choose another folder with --out")


def _threads() -> SystemCheck:
    many = {name: os.environ[name] for name in ONE_THREAD if os.environ.get(name, "1") != "1"}
    text = ", ".join(f"{name}={value}" for name, value in many.items())
    return SystemCheck(
        "threads",
        True,
        text or f"{cores()} cores, one thread per task",
        "workers of kind local use one thread each and ignore these" if many else "",
    )


def _cluster(profile: Profile, out: Path) -> SystemCheck:
    from ketadask.cluster.graph import probes

    start, folder = time.monotonic(), out / f"doctor-{os.getpid()}"
    try:
        with connect(profile, logs=folder / "logs" if profile.kind in QUEUES else None) as executor:
            collect(probes(4), executor)
            text = f"{profile.kind}, {executor.workers} workers, 4 tasks in "
            text += f"{time.monotonic() - start:.1f} s"
    except InputError as error:
        return SystemCheck("cluster", False, error.problem, error.remedy or "")
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return SystemCheck("cluster", False, text, "see the log of the workers")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return SystemCheck("cluster", True, text)
