"""Every fault at every stage: a sentence says what happened, and the next run gives the same bytes.

Each cell forks a process that runs a small study until the stage writes a file. Then the fault
happens. The next run must give the bytes of a study without faults, and keep every part that was
complete before. ``pytest tests/study/test_fault_matrix.py -m slow -s`` prints the table.

Losses of workers and of the scheduler are in ``test_faults.py`` of this folder and of the folder
``cluster``; flipped bits in ``test_damage.py``.
"""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ketadask.cluster.profile import Profile
from ketadask.pipeline.interrupts import interrupt
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from ketadask.store.parts import defects
from ketadask.study.study import Study
from tests.study.test_damage import results as all_results

pytestmark = pytest.mark.slow
STUDY = """
name: small
seed: {seed}
data: {{folder: study}}
features: {{modalities: [demographic, scale, volume], include: [age, sex, bdi_10, "wm-lh-p*"]}}
search: {{max_literals: 2, keep: 20}}
splits: {{count: 6}}
null: {{relabellings: 19, calibration_studies: 2, calibration_splits: 4}}
predict:
  {{repeats: 1, folds: 2, inner_repeats: 1, inner_folds: 2, costs: [1.0], covariates: [age]}}
execution: {{block: 3}}
"""
# By stage: what the path of its files contains.
STAGES = {
    "extract": "cohort.zarr",
    "search": "/hits/",
    "null": "/nulls/",
    "calibrate": "/calibrations/",
    "evaluate": "/evaluations/",
    "judge": "/verdicts.parquet",
    "predict": "/predict/",
    "report": "/report.html",
}
TABLE: dict[tuple[str, str], str] = {}


def results(run):
    """Return the files of a run, without hidden ones that a fault left behind."""
    return {name: content for name, content in all_results(run).items() if name[0] != "."}


class Place:
    """A folder with a study, its data and its runs."""

    def __init__(self, folder):
        self.folder, self.runs = folder, folder / "runs"

    def study(self, console, seed=3):
        (self.folder / "study.yaml").write_text(STUDY.format(seed=seed))
        progress = Progress(Console(file=console, width=400))
        study = Study.read(self.folder / "study.yaml", out=self.runs, progress=progress)
        return replace(study, profile=Profile(kind="synchronous"))

    def run(self, **options):
        """Run the study to its end; return its folder and what it printed."""
        code, text = self._fork(lambda console: self._run(console, **options))
        assert code == 0, text
        return Path((self.folder / "path").read_text()), text

    def run_with_fault(self, stage, fault):
        """Run the study with a fault when a stage names its first file; return code and text."""
        return self._fork(lambda console: self._run_with_fault(console, stage, fault))

    def _fork(self, work):
        """Do all work in forked processes: this one starts no threads, so that it can fork."""
        read_end, write_end = os.pipe()  # a full disk does not fill a pipe
        process = os.fork()
        if process == 0:
            os.close(read_end)
            code = 1
            with open(write_end, "w") as console:
                try:
                    code = work(console)
                except KeyboardInterrupt:
                    code = 130
                except InputError as error:
                    print(error, file=console)
                    code = 2
                except BaseException as error:
                    print(f"failed: {error}", *getattr(error, "__notes__", ()), file=console)
                console.flush()
            os._exit(code)
        os.close(write_end)
        with open(read_end) as console:
            text = console.read()
        status = os.waitpid(process, 0)[1]
        return os.waitstatus_to_exitcode(status), text

    def simulate(self):
        assert self._fork(self._simulate)[0] == 0

    def _simulate(self, console):
        simulate_study(self.folder / "study", participants=44, seed=11)
        return 0

    def _run(self, console, **options):
        run = self.study(console, **options).run().folder
        (self.folder / "path").write_text(str(run))
        return 0

    def _run_with_fault(self, console, stage, fault):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)
        happened = []

        def watch(event, arguments):
            if event == "os.rename" and STAGES[stage] in f"{arguments[1]}" and not happened:
                happened.append(stage)
                fault(self, Path(arguments[1]))

        sys.addaudithook(watch)
        self.study(console).run()
        return 0 if happened else 99

    def run_folder(self):
        return next(iter(self.runs.glob("small-*")), None)


def parts_of(run):
    """Return inode and time of every complete part, by path."""
    folders = [path for path in run.rglob("*") if path.is_dir() and path.suffix != ".zarr"]
    kept = {}
    for folder in folders:
        receipts = list(folder.glob("0*.json"))
        if receipts and folder.name not in ("damaged", "other-key"):
            bad = {name.partition(".")[0] for name in defects(folder)[1]}
            for path in receipts:
                if path.stem not in bad:
                    kept[path.relative_to(run)] = path.stat().st_mtime_ns
    return kept


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
    with pytest.raises(InputError, match="process"):
        place.study(io.StringIO()).run()


def move_folder(place, path):
    run = place.run_folder()
    run.rename(run.with_name("moved"))


def make_read_only(place, path):
    run = str(place.run_folder())
    subprocess.run(["mount", "--bind", run, run], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", run], check=True)


def change_input(place, path):
    table = place.folder / "study" / "participants.tsv"
    (place.folder / "before.tsv").write_bytes(table.read_bytes())
    header, first, *rows = table.read_text().splitlines()
    cells = first.split("\t")
    cells[header.split("\t").index("age")] = "64"
    table.write_text("\n".join([header, "\t".join(cells), *rows, ""]))


# By fault: what happens, the possible exit codes, words of the sentence, what removes the fault.
FAULTS = {
    "driver killed": (kill, {-9}, "", None),
    "SIGTERM": (terminate, {130}, "interrupted; finished parts are kept", None),
    "SIGHUP": (hang_up, {130}, "interrupted; finished parts are kept", None),
    "disk full": (fill_disk, {1, 2}, "cannot write", None),
    "part truncated": (truncate_part, {-9}, "", None),
    "clock set back": (set_clock_back, {0}, "", None),
    "two runs": (run_twice, {0}, "", None),
    "folder moved": (move_folder, {1, 2}, "No such file|cannot|missing|not a run", "move back"),
    "read-only": (make_read_only, {1, 2}, "read-only|Read-only", "unmount"),
    "input changed": (change_input, {0, 2}, "an input changed|", "restore"),
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("reference"))
    place.simulate()
    run, _ = place.run()
    return place, results(run)


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    faults = list(dict.fromkeys(fault for fault, _ in TABLE))
    print("\n" + f"{'':18}" + "".join(f"{stage:>11}" for stage in STAGES))
    for fault in faults:
        print(f"{fault:18}" + "".join(f"{TABLE.get((fault, s), '-'):>11}" for s in STAGES))


def remove_fault(place, remedy):
    if remedy == "move back":
        for path in place.runs.glob("small-*"):
            shutil.rmtree(path)
        moved = place.runs / "moved"
        manifest = (moved / "manifest.json").read_text()
        key = manifest.split('"key": "')[1][:12]
        moved.rename(place.runs / f"small-{key}")
    elif remedy == "unmount":
        subprocess.run(["umount", str(place.run_folder())], check=True)
    elif remedy == "restore":
        table = place.folder / "study" / "participants.tsv"
        table.write_bytes((place.folder / "before.tsv").read_bytes())


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_no_number_and_no_part(reference, tmp_path, fault, stage):
    happen, codes, words, remedy = FAULTS[fault]
    if remedy == "unmount" and os.getuid() != 0:
        pytest.skip("only root can make a folder read-only for itself")
    original, expected = reference
    shutil.copytree(original.folder / "study", tmp_path / "study")
    place = Place(tmp_path)
    code, text = place.run_with_fault(stage, happen)
    remove_fault(place, remedy)
    TABLE[fault, stage] = "?"
    assert code in codes, (code, text)
    if words:
        assert any(word in text for word in words.split("|")), text
    before = parts_of(place.run_folder())
    run, printed = place.run()
    assert results(run) == expected
    after = parts_of(run)
    assert {path: after.get(path) for path in before} == before
    if code == -9:
        assert "ended without finishing" in printed
    TABLE[fault, stage] = f"{len(before)} kept"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("change", ["input", "configuration"])
def test_a_change_between_two_runs_gives_another_study(reference, tmp_path, change, stage):
    original, expected = reference
    shutil.copytree(original.folder / "study", tmp_path / "study")
    place = Place(tmp_path)
    assert place.run_with_fault(stage, kill)[0] == -9
    first = place.run_folder()
    if change == "input":
        change_input(place, first)
        run, _ = place.run()
        remove_fault(place, "restore")
    else:
        run, _ = place.run(seed=4)
    assert run != first
    assert results(run) != expected
    run, _ = place.run()
    assert run == first
    assert results(run) == expected
    TABLE[f"{change} between", stage] = "own folder"
