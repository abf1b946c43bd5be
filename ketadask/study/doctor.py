"""What a study needs of this machine, tried out: what would fail, and the remedy."""

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
    """Try everything a study needs, the cluster of a profile included."""
    profile = Profile() if cluster is None else read_settings(cluster, Profile)
    if profile.kind == "slurm":
        here = [_python(), *_libraries(), _disk(out), _locks(out)]
        there = check_queue(profile, out)
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


def _python() -> SystemCheck:
    well = sys.version_info >= (3, 11)
    return SystemCheck(
        "python", well, platform.python_version(), "" if well else "install 3.11 or up"
    )


def _libraries() -> list[SystemCheck]:
    found = []
    for name, oldest in _OLDEST.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(
                SystemCheck(name, False, "not installed", f"pip install '{name}>={oldest}'")
            )
            continue
        well = int(version.split(".")[0]) >= oldest
        remedy = "" if well else f"pip install --upgrade '{name}>={oldest}'"
        found.append(SystemCheck(name, well, version, remedy))
    return found


def _memory(profile: Profile) -> SystemCheck:
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
    return SystemCheck("memory", well, text, "" if well else "set fewer workers in the profile")


def _disk(out: Path) -> SystemCheck:
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
        return SystemCheck("disk", False, text, "choose another folder with --out")
    well = free > _GIB
    remedy = "" if well else "free space, or choose another folder with --out"
    return SystemCheck("disk", well, f"{free / _GIB:.1f} GiB free in {place}", remedy)


def _locks(out: Path) -> SystemCheck:
    from ketadask.store.locks import hold_lock

    place = out.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryDirectory(dir=place) as folder, hold_lock(Path(folder) / "lock"):
            return SystemCheck("locks", True, f"work in {place}")
    except (InputError, OSError) as error:
        return SystemCheck("locks", False, str(error), "choose another folder with --out")


def _threads() -> SystemCheck:
    many = {name: os.environ[name] for name in ONE_THREAD if os.environ.get(name, "1") != "1"}
    text = ", ".join(f"{name}={value}" for name, value in many.items())
    return SystemCheck(
        "threads",
        True,
        text or f"{cores()} cores, one thread per task",
        "workers of kind local use one thread whatever these say" if many else "",
    )


def _cluster(profile: Profile, out: Path) -> SystemCheck:
    from ketadask.cluster.graph import probes

    begun, place = time.monotonic(), out / f"doctor-{os.getpid()}"
    try:
        with connect(profile, logs=place / "logs" if profile.kind in QUEUES else None) as executor:
            collect(probes(4), executor)
            text = f"{profile.kind}, {executor.workers} workers, 4 tasks in "
            text += f"{time.monotonic() - begun:.1f} s"
    except InputError as error:
        return SystemCheck("cluster", False, error.problem, error.remedy or "")
    except Exception as error:  # of a task
        return SystemCheck("cluster", False, str(error), "see the log of the workers")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return SystemCheck("cluster", True, text)
