"""A small study whose run meets a fault when a stage writes its first file."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
from rich.console import Console

from ketadask.cli.main import _interrupt
from ketadask.cluster.profile import Profile
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.store.fingerprints import fingerprint
from ketadask.store.parts import defects
from ketadask.study.study import Study
from tests.study.test_damage import results as all_results

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
RECORDINGS = """
name: small
seed: {seed}
data: {{folder: meg}}
features: {{modalities: [demographic, meg], include: [age, "meg_*"], max_missing: 1}}
"""
# By stage: what the path of its files contains.
STAGES = {
    "recordings": "/recordings/",
    "extract": "/cohort.zarr",
    "search": "/hits/",
    "null": "/nulls/",
    "calibrate": "/calibrations/",
    "evaluate": "/evaluations/",
    "judge": "/verdicts.parquet",
    "predict": "/predict/",
    "report": "/report.html",
}
SYNCHRONOUS = Profile(kind="synchronous")
# Other tests leave threads in this process, which a fork of it would wait for.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["ketadask.study.run", "ketadask.report.page", "ketadask.plot"])
LOCAL = Profile(kind="local", workers=2, dashboard=False)


class Place:
    """A folder with a study, its data and its runs; ``stage`` is the one that meets a fault."""

    def __init__(self, folder: Path, stage: str):
        self.folder, self.runs, self.stage = folder, folder / "runs", stage
        self.has_recordings = stage == "recordings"

    @property
    def data(self):
        return self.folder / ("meg" if self.has_recordings else "study")

    def study(self, console, seed=3, profile=SYNCHRONOUS):
        text = RECORDINGS if self.has_recordings else STUDY
        (self.folder / "study.yaml").write_text(text.format(seed=seed))
        progress = Progress(Console(file=console, width=400))
        study = Study.read(self.folder / "study.yaml", out=self.runs, progress=progress)
        return replace(study, profile=profile)

    def compute(self, study):
        """Run the study, or with recordings its first stage, which the others do not repeat."""
        return study.extract() if self.has_recordings else study.run()

    def run(self, **options):
        """Run the study to its end; return its folder and what it printed."""
        code, text = self._start(_run, options)
        assert code == 0, text
        return Path((self.folder / "path").read_text()), text

    def run_with_fault(self, fault, profile=SYNCHRONOUS):
        """Run the study with a fault when the stage names a file; return code and text."""
        return self._start(_run_with_fault, {"fault": fault, "profile": profile})

    def _start(self, work, options):
        """Do some work in a new process of a server that has no threads to lose; wait for it."""
        ours, theirs = SERVER.Pipe(duplex=False)
        process = SERVER.Process(target=_work, args=(work, self, options, theirs))
        process.start()
        theirs.close()
        try:
            text = ours.recv()
        except EOFError:  # it was killed
            text = ""
        process.join()
        return process.exitcode, text

    def _on_rename(self, fault, happened):
        def watch(event, arguments):
            if event == "os.rename" and STAGES[self.stage] in f"{arguments[1]}" and not happened:
                happened.append(self.stage)
                fault(self, Path(arguments[1]))

        sys.addaudithook(watch)

    def _on_new_file(self, fault, happened):
        """Call the fault in a thread: with workers, other processes write the files."""
        before = self.files()

        def watch():
            while not (new := self.files() - before):
                time.sleep(0.01)
            happened.append(self.stage)
            fault(self, new.pop())

        threading.Thread(target=watch, daemon=True).start()

    def files(self):
        """Return the files of the stage, those with temporary names too, but none set aside."""
        paths = (path for path in self.runs.rglob("*") if path.is_file())
        return {p for p in paths if STAGES[self.stage] in str(p) and "damaged" not in p.parts}

    def run_folder(self):
        return next(iter(self.runs.glob("small-*")), None)

    def workers(self):
        """Return the local workers of the run, which have a log each."""
        logs = self.runs.glob("small-*/logs/worker-*.log")
        processes = []
        for path in logs:
            try:
                process = psutil.Process(int(path.stem.rpartition("-")[2]))
                if process.status() != psutil.STATUS_ZOMBIE:
                    processes.append(process)
            except psutil.NoSuchProcess:
                continue
        return processes

    def results(self, run=None):
        """Return the results of the run, without hidden files that a fault left behind."""
        run = run or self.run_folder()
        if self.has_recordings:
            return fingerprint(run / "cohort.zarr", run / "recordings.parquet")
        return {name: value for name, value in all_results(run).items() if name[0] != "."}

    def parts(self):
        """Return the time of every complete part, by path."""
        folders = [path for path in self.runs.rglob("*") if path.is_dir()]
        times = {}
        for folder in folders:
            receipts = [path for path in folder.glob("*.json") if "-" in path.stem]
            if not receipts or folder.suffix == ".zarr" or folder.name in ("damaged", "other-key"):
                continue
            bad = {name.partition(".")[0] for name in defects(folder)[1]}
            for path in receipts:
                if path.stem not in bad:
                    times[path.relative_to(self.runs)] = path.stat().st_mtime_ns
        return times


def _work(work, place, options, connection):
    """Do some work and send what it prints; end with its exit code."""
    console, code = io.StringIO(), 1
    try:
        code = work(place, console, **options)
    except KeyboardInterrupt:
        code = 130
    except InputError as error:
        print(error, file=console)
        code = 2
    except BaseException as error:
        print(f"failed: {error}", *getattr(error, "__notes__", ()), file=console)
    connection.send(console.getvalue())
    os._exit(code)


def _run(place, console, **options):
    run = place.compute(place.study(console, **options)).folder
    (place.folder / "path").write_text(str(run))
    return 0


def _run_with_fault(place, console, fault, profile):
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    happened = []
    watch = place._on_rename if profile == SYNCHRONOUS else place._on_new_file
    watch(fault, happened)
    place.compute(place.study(console, profile=profile))
    return 0 if happened else 99


def run_in_this_process(place):
    """Run the study here: kernels are compiled, and stored for other processes."""
    place.compute(place.study(io.StringIO()))
