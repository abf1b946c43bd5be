"""What a study needs of this machine, tried out: what would fail, and the remedy."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ketadask.cluster import Profile, TaskFailure, connect
from ketadask.cluster.connect import ONE_THREAD, cores
from ketadask.cluster.profile import QUEUES
from ketadask.config import read
from ketadask.schema import InputError

_OLDEST = {"numpy": 2, "zarr": 3, "pandas": 2, "pydantic": 2}
_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing tried: whether it is well, what was found, and what to do otherwise."""

    what: str
    well: bool
    found: str
    remedy: str = ""


def examine(cluster: Path | None, out: Path) -> list[Finding]:
    """Try everything a study needs, the cluster of a profile included."""
    profile = Profile() if cluster is None else read(cluster, Profile)
    if profile.kind == "slurm":
        from ketadask.study.doctor_queue import examine_queue

        here = [_python(), *_libraries(), _disk(out), _locks(out)]
        there = examine_queue(profile, out)
        well = all(each.well for each in (*here, *there))
        return [*here, *there, *([_cluster(profile, out)] if well else [])]
    return [
        _python(),
        *_libraries(),
        _memory(profile),
        _disk(out),
        _locks(out),
        _threads(),
        _cluster(profile, out),
    ]


def _python() -> Finding:
    well = sys.version_info >= (3, 11)
    return Finding("python", well, platform.python_version(), "" if well else "install 3.11 or up")


def _libraries() -> list[Finding]:
    found = []
    for name, oldest in _OLDEST.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(Finding(name, False, "not installed", f"pip install '{name}>={oldest}'"))
            continue
        well = int(version.split(".")[0]) >= oldest
        remedy = "" if well else f"pip install --upgrade '{name}>={oldest}'"
        found.append(Finding(name, well, version, remedy))
    return found


def _memory(profile: Profile) -> Finding:
    workers = profile.workers or cores()
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable"))
        free = int(available.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pass
    each = free / workers
    well = each >= 0.4 * _GIB
    text = f"{free / _GIB:.1f} GiB free, {each / _GIB:.1f} GiB for each of {workers} workers"
    return Finding("memory", well, text, "" if well else "set fewer workers in the profile")


def _disk(out: Path) -> Finding:
    place = out.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=place) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(place).free
    except OSError as error:
        text = f"{place} cannot be written ({error.strerror})"
        return Finding("disk", False, text, "choose another folder with --out")
    well = free > _GIB
    remedy = "" if well else "free space, or choose another folder with --out"
    return Finding("disk", well, f"{free / _GIB:.1f} GiB free in {place}", remedy)


def _locks(out: Path) -> Finding:
    from ketadask.store.locks import locked

    place = out.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryDirectory(dir=place) as folder, locked(Path(folder) / "lock"):
            return Finding("locks", True, f"work in {place}")
    except (InputError, OSError) as error:
        return Finding("locks", False, str(error), "choose another folder with --out")


def _threads() -> Finding:
    many = {name: os.environ[name] for name in ONE_THREAD if os.environ.get(name, "1") != "1"}
    text = ", ".join(f"{name}={value}" for name, value in many.items())
    return Finding(
        "threads",
        True,
        text or f"{cores()} cores, one thread per task",
        "workers of kind local use one thread whatever these say" if many else "",
    )


def _cluster(profile: Profile, out: Path) -> Finding:
    from ketadask.study.graph import probes

    begun, place = time.monotonic(), out / f"doctor-{os.getpid()}"
    try:
        with connect(profile, logs=place / "logs" if profile.kind in QUEUES else None) as executor:
            results = [result for _, result in executor.compute(probes(4))]
            failed = [str(each) for each in results if isinstance(each, TaskFailure)]
            text = f"{profile.kind}, {executor.workers} workers, 4 tasks in "
            text += f"{time.monotonic() - begun:.1f} s"
    except InputError as error:
        return Finding("cluster", False, error.problem, error.remedy or "")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if failed:
        return Finding("cluster", False, failed[0], "see the log of the workers")
    return Finding("cluster", True, text)
