"""A study on a laptop whose workers and driver are killed: the bits stay the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.conftest import WITHOUT_MEG
from tests.study.test_study import results

ROOT = Path(__file__).parents[2]
CHANGES = (
    *WITHOUT_MEG,
    "splits.count=60",
    "null.relabellings=19",
    "null.calibration_studies=0",
    "data.simulate.participants=60",
    "search.max_literals=2",
    "execution.block=1",
)
pytestmark = pytest.mark.slow


class Laptop:
    """The demo on two workers whose blocks take as long as they are told."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "local.yaml").write_text("kind: local\nworkers: 2\n")
        (folder / "threads.yaml").write_text("kind: threads\nworkers: 2\n")
        (folder / "seconds").write_text("0.2")

    def words(self, profile, out):
        words = [sys.executable, "-m", "ketadask", "run", str(ROOT / "config" / "demo.yaml")]
        words += [word for change in CHANGES for word in ("--set", change)]
        return [*words, "--out", str(self.folder / out), "--cluster", str(self.folder / profile)]

    def environment(self):
        watched = f"{ROOT / 'tests' / 'cluster'}{os.pathsep}{ROOT}"
        return {
            **os.environ,
            "PYTHONPATH": watched,
            "KETADASK_TEST_WATCH": str(self.folder),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": '["slow_worker"]',
        }

    def start(self):
        return subprocess.Popen(
            self.words("local.yaml", "runs"),
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "said").open("ab"),
        )

    def do(self, profile, out):
        return subprocess.run(
            self.words(profile, out),
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def run(self):
        return next((self.folder / "runs").glob("demo-*"))

    @property
    def said(self):
        return (self.folder / "said").read_text()

    def done(self):
        path = self.folder / "computed"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(line.split()[1] for line in lines if line.startswith("done"))

    def go_on(self, more=3):
        wanted = self.done().total() + more
        until(lambda: self.done().total() >= wanted, 120, f"{more} more blocks\n{self.said}")

    def workers(self):
        """Return the processes that have opened a log in the run folder and still live."""
        logs = self.run.glob("logs/worker-*.log")
        found = [int(path.stem.rpartition("-")[2]) for path in logs]
        return [pid for pid in found if alive(pid)]


def alive(pid):
    """Tell whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(what, seconds, why):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"waited in vain for {why}"
        time.sleep(0.05)


def test_a_worker_all_workers_and_the_driver_are_killed(tmp_path):
    laptop = Laptop(tmp_path)
    plain = laptop.do("threads.yaml", "plain")
    assert plain.returncode == 0, plain.stderr
    wanted = results(next((tmp_path / "plain").glob("demo-*")))

    driver = laptop.start()
    laptop.go_on()
    os.kill(laptop.workers()[0], signal.SIGKILL)
    until(lambda: laptop.said.count("its tasks restart") == 1, 60, laptop.said)
    laptop.go_on()
    until(lambda: len(laptop.workers()) == 2, 60, "two workers")
    for pid in laptop.workers():
        os.kill(pid, signal.SIGKILL)
    until(lambda: laptop.said.count("its tasks restart") == 3, 60, laptop.said)
    laptop.go_on()
    assert driver.poll() is None

    until(lambda: len(laptop.workers()) == 2, 60, "two workers")
    orphans = laptop.workers()
    driver.kill()
    driver.wait()
    until(lambda: not any(alive(pid) for pid in orphans), 60, "the end of orphaned workers")
    before = laptop.done()
    assert before.total() < 60
    (tmp_path / "seconds").write_text("0")
    again = laptop.do("local.yaml", "runs")
    assert again.returncode == 0, again.stderr
    assert results(laptop.run) == wanted
    assert set(laptop.done()) == {str(i) for i in range(60)}
    stored = len(before) - sum(laptop.done()[block] > 1 for block in before)
    assert stored >= len(before) - 2, "more was computed again than was in flight"
    runs = json.loads((laptop.run / "provenance.json").read_text())["runs"]
    assert "ended without finishing; its parts are used" in runs[-1]["events"][0]
    assert (laptop.run / "study.log").read_text().count("lost worker") == 3


def test_all_workers_die_and_the_study_ends_by_itself(tmp_path):
    laptop = Laptop(tmp_path)
    driver = laptop.start()
    laptop.go_on()
    until(lambda: len(laptop.workers()) == 2, 60, "two workers")
    for pid in laptop.workers():
        os.kill(pid, signal.SIGKILL)
    laptop.go_on()
    (tmp_path / "seconds").write_text("0")
    assert driver.wait(120) == 0
    plain = laptop.do("threads.yaml", "plain")
    assert plain.returncode == 0, plain.stderr
    assert results(laptop.run) == results(next((tmp_path / "plain").glob("demo-*")))
    (run,) = json.loads((laptop.run / "provenance.json").read_text())["runs"]
    assert len([line for line in run["events"] if "lost worker" in line]) == 2
    assert "lost worker" in (laptop.run / "report.html").read_text()
