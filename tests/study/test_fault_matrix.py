"""Every fault at every stage: a sentence says what happened, and the next run gives the same bytes.

In each cell a process runs a small study until the stage writes a file. Then the fault happens. The
next run must give the bytes of a study without faults, and keep every part that was complete
before. A sixth of the cells, of every fault and every stage, is in the full suite. All of them:
``pytest tests/study/test_fault_matrix.py -m "slow or matrix" -s``, which prints the table;
docs/integrity.md holds one. Faults on SLURM are in ``tests/cluster``.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from ketadask.cluster.profile import Profile
from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from ketadask.store.checksums import CHECKSUMS, verify_folder
from tests.study.fault_place import LOCAL, STAGES, SYNCHRONOUS, Place, run_in_this_process

TABLE: dict[tuple[str, str], str] = {}
WITHOUT_WORKERS = ("extract", "judge", "report")  # computed by the driver
STOPPED_SECONDS = 60


def kill(place, path):
    os.kill(os.getpid(), signal.SIGKILL)


def terminate(place, path):
    os.kill(os.getpid(), signal.SIGTERM)


def hang_up(place, path):
    os.kill(os.getpid(), signal.SIGHUP)


def fill_disk(place, path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def truncate_part(place, path):
    """Cut the newest table of the run folder in half, then die."""
    tables = sorted(path.parents[0].rglob("*.parquet"), key=lambda file: file.stat().st_mtime_ns)
    tables = tables or sorted(place.runs.rglob("*.parquet"))
    if tables:
        os.truncate(tables[-1], tables[-1].stat().st_size // 2)
    kill(place, path)


def set_clock_back(place, path):
    now = time.time
    time.time = lambda: now() - 3 * 86_400
    for file in place.runs.rglob("*"):
        os.utime(file, (time.time(), time.time()))


def run_twice(place, path):
    """Start the study again while it runs: the second says who writes, and ends."""
    with pytest.raises(InputError, match="is being written by process"):
        place.compute(place.study(io.StringIO()))


def move_folder(place, path):
    run = place.run_folder()
    run.rename(run.with_name("moved"))


def move_folder_back(place):
    for path in place.runs.glob("small-*"):
        shutil.rmtree(path)
    moved = place.runs / "moved"
    key = json.loads((moved / "manifest.json").read_text())["key"]
    moved.rename(place.runs / f"small-{key[:12]}")


def make_read_only(place, path):
    runs = str(place.runs)
    subprocess.run(["mount", "--bind", runs, runs], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", runs], check=True)


def make_writable(place):
    subprocess.run(["umount", str(place.runs)], check=True)


def change_input(place, path):
    table = place.data / "participants.tsv"
    shutil.copy(table, place.folder / "before.tsv")
    header, first, *rows = table.read_text().splitlines()
    cells = first.split("\t")
    cells[header.split("\t").index("age")] = "64"
    table.write_text("\n".join([header, "\t".join(cells), *rows, ""]))


def restore_input(place):
    shutil.copy(place.folder / "before.tsv", place.data / "participants.tsv")


def flip_every_file(place):
    """Change one bit of every file of the run folder; `verify` names each of them."""
    run = place.run_folder()
    files = [path for path in run.rglob("*") if path.is_file() and path.name != "lock"]
    for path in files:
        content = bytearray(path.read_bytes())
        if content:
            content[len(content) // 2] ^= 4
            path.write_bytes(bytes(content))
    assert verify_folder(run)[1]


def kill_a_worker(place, path):
    place.workers()[0].kill()


def kill_all_workers(place, path):
    for worker in place.workers():
        worker.kill()


def stop_a_worker(place, path):
    worker = place.workers()[0]
    worker.suspend()
    time.sleep(STOPPED_SECONDS)
    worker.resume()


def kill_scheduler(place, path):
    os.kill(int((place.folder / "scheduler.pid").read_text()), signal.SIGKILL)


@dataclass(frozen=True)
class Fault:
    """A fault, the possible exit codes, a part of the sentence about it, and its removal."""

    happen: Callable[[Place, Path], None]
    codes: tuple[int, ...]
    words: str = ""
    remove: Callable[[Place], None] = lambda place: None
    profile: Profile = SYNCHRONOUS


INTERRUPTED = "interrupted; finished parts are kept"
ADDRESS = Profile(kind="address", address="tcp://127.0.0.1:0")
FAULTS = {
    "worker killed": Fault(kill_a_worker, (0,), "lost worker", profile=LOCAL),
    "all workers killed": Fault(kill_all_workers, (0,), "lost worker", profile=LOCAL),
    "worker stopped 60 s": Fault(stop_a_worker, (0,), profile=LOCAL),
    "scheduler killed": Fault(kill_scheduler, (1, 2), "scheduler", profile=ADDRESS),
    "driver killed": Fault(kill, (-9,)),
    "driver of workers killed": Fault(kill, (-9,), profile=LOCAL),
    "SIGTERM": Fault(terminate, (130,), INTERRUPTED),
    "SIGHUP": Fault(hang_up, (130,), INTERRUPTED),
    "disk full": Fault(fill_disk, (1, 2), "cannot write"),
    "part truncated": Fault(truncate_part, (-9,)),
    "bit of every file flipped": Fault(kill, (-9,), remove=flip_every_file),
    "clock set back": Fault(set_clock_back, (0,)),
    "two runs": Fault(run_twice, (0,)),
    "folder moved": Fault(move_folder, (2,), "moved or deleted", move_folder_back),
    "read-only": Fault(make_read_only, (1, 2), "read-only", make_writable),
    "input changed in the run": Fault(change_input, (0, 2), remove=restore_input),
}


def cells(names):
    """Return the cells of some rows: a sixth of them slow, the others of the whole matrix."""
    return [
        pytest.param(name, stage, marks=pytest.mark.matrix if (i + j) % 6 else pytest.mark.slow)
        for i, name in enumerate(names)
        for j, stage in enumerate(STAGES)
        if name not in FAULTS or has_stage(FAULTS[name], stage)
    ]


def has_stage(fault, stage):
    """Return whether a fault can happen at a stage: some are faults of workers."""
    return fault.profile is SYNCHRONOUS or stage not in WITHOUT_WORKERS


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """Return a place with its results, of a study with recordings and of one without."""
    folder = tmp_path_factory.mktemp("reference")
    simulate_study(folder / "study", participants=44, seed=11)
    simulate_study(folder / "meg", participants=11, seed=11, meg_seconds=2.0)
    results = {}
    for stage in ("recordings", "report"):
        place = Place(folder, stage)
        run_in_this_process(place)
        results[place.has_recordings] = place.results()
        place.runs.rename(folder / f"runs of {place.data.name}")
    return folder, results


@pytest.fixture
def cell(references, tmp_path):
    """Return a function that gives a place for a stage, and its results without a fault."""
    folder, results = references

    def make(stage):
        place = Place(tmp_path, stage)
        source = folder / place.data.name
        shutil.copytree(source, place.data)
        return place, results[place.has_recordings]

    return make


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    faults = list(dict.fromkeys(fault for fault, _ in TABLE))
    print("\n" + f"{'':26}" + "".join(f"{stage:>11}" for stage in STAGES))
    for fault in faults:
        print(f"{fault:26}" + "".join(f"{TABLE.get((fault, s), '-'):>11}" for s in STAGES))


@contextlib.contextmanager
def scheduler(place):
    """Start a scheduler with two workers; yield the profile with its address."""
    address = place.folder / "scheduler.json"
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]"}
    dask, options = [sys.executable, "-m", "dask"], ["--host", "127.0.0.1", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    file = ["--scheduler-file", str(address)]
    commands = [
        [*dask, "scheduler", "--port", "0", *file, *options],
        [*dask, "worker", *file, *options, "--no-nanny", "--nworkers", "2", "--nthreads", "1"],
    ]
    processes = [subprocess.Popen(commands[0], **quiet)]
    try:
        (place.folder / "scheduler.pid").write_text(str(processes[0].pid))
        while not address.exists():
            assert processes[0].poll() is None
            time.sleep(0.1)
        processes.append(subprocess.Popen(commands[1], **quiet))
        content = json.loads(address.read_text())
        yield Profile(kind="address", address=content["address"])
    finally:
        for process in processes[::-1]:
            process.kill()
            process.wait()


def run_with_workers(place, fault):
    """Bring a study to the stage, then run it with workers until the fault."""
    assert place.run_with_fault(kill)[0] == -9
    if fault.profile is ADDRESS:
        with scheduler(place) as profile:
            return place.run_with_fault(fault.happen, profile)
    try:
        return place.run_with_fault(fault.happen, fault.profile)
    finally:
        for worker in place.workers():  # of a killed driver: they end by themselves
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.resume()
            worker.wait(60)


@pytest.mark.parametrize(("name", "stage"), cells(FAULTS))
def test_a_fault_costs_no_number_and_no_part(cell, name, stage):
    fault = FAULTS[name]
    if fault.remove is make_writable and os.getuid() != 0:
        pytest.skip("only root can make a folder read-only for itself")
    place, expected = cell(stage)
    TABLE[name, stage] = "?"
    if fault.profile is SYNCHRONOUS:
        code, text = place.run_with_fault(fault.happen)
    else:
        code, text = run_with_workers(place, fault)
    fault.remove(place)
    assert code in fault.codes, (code, text)
    assert fault.words in text, text
    if fault.happen is change_input:
        assert ("an input changed" in text) == (code == 2), text
    before = place.parts()
    _, printed = place.run()
    assert place.results() == expected
    after = place.parts()
    assert {path: after.get(path) for path in before} == before
    if code == -9:
        assert "ended without finishing" in printed
    if fault.remove is flip_every_file:
        assert "is damaged" in printed
    TABLE[name, stage] = f"{len(before)} kept"


@pytest.mark.parametrize(("change", "stage"), cells(["input", "configuration"]))
def test_a_change_between_two_runs_gives_another_study(cell, change, stage):
    place, expected = cell(stage)
    assert place.run_with_fault(kill)[0] == -9
    first = place.run_folder()
    if change == "input":
        change_input(place, first)
        run, _ = place.run()
        restore_input(place)
    else:
        run, _ = place.run(seed=4)
    assert run != first
    run, _ = place.run()
    assert run == first
    assert place.results(run) == expected
    TABLE[f"{change} changed between", stage] = "own folder"


@pytest.mark.parametrize("data", ["study", "meg"])
@pytest.mark.parametrize(
    "n_positions",
    [pytest.param(50, marks=pytest.mark.slow), pytest.param(200, marks=pytest.mark.matrix)],
)
def test_a_flip_of_any_byte_of_any_file_of_a_finished_run_is_found(
    references, tmp_path, n_positions, data
):
    """`verify` reads changed copies of every file, each beside what it is compared with."""
    (run,) = (references[0] / f"runs of {data}").glob("small-*")
    assert verify_folder(run)[1] == {}
    files = [path for path in run.rglob("*") if path.is_file() and path.name != "lock"]
    draw, n_flips = np.random.default_rng(21), 0
    for k, path in enumerate(files):
        copy = tmp_path / str(k)
        for source in {run / CHECKSUMS, *neighbours(run, path)}:
            (copy / source.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy / source.relative_to(run))
        intact, target = verify_folder(copy)[1], copy / path.relative_to(run)
        content = path.read_bytes()
        for position in draw.integers(0, max(len(content), 1), n_positions if content else 0):
            changed = bytearray(content)
            changed[position] ^= int(draw.integers(1, 256))
            target.write_bytes(bytes(changed))
            assert verify_folder(copy)[1].keys() - intact.keys(), f"{path}, byte {position}"
            n_flips += 1
        shutil.rmtree(copy)
    print(f"{n_flips:,} flips in {len(files):,} files of a finished run, all found")


def neighbours(run, path):
    """Return the files that have their checksum in common with a file: dataset or part."""
    for parent in path.relative_to(run).parents:
        if parent.suffix == ".zarr":
            return [file for file in (run / parent).rglob("*") if file.is_file()]
    return path.parent.glob(f"{path.name.partition('.')[0]}.*")
