"""SLURM for the tests, small studies, and their results on one machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.cluster.slurm_machine import PACKAGES, Slurm, missing, wait_for

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
STUDY = ROOT / "config" / "demo.yaml"
_INCLUDE = yaml.safe_load(STUDY.read_text())["features"]["include"]
WITHOUT_MEG = (
    "data.simulate.meg_seconds=0",
    "features.modalities=[demographic, scale, volume]",
    f"features.include={json.dumps([name for name in _INCLUDE if not name.startswith('meg')])}",
)
CHANGES = (
    *WITHOUT_MEG,
    "splits.count=60",
    "null.relabellings=19",
    "data.simulate.participants=60",
    "search.max_literals=2",
    "execution.block=1",
)
RECORDINGS = (
    "data.simulate.participants=10",
    "data.simulate.meg_seconds=4",
    "features.modalities=[demographic, meg]",
    'features.include=[age, "meg_*"]',
    "features.max_missing=1",
    "splits.count=12",
    "null.relabellings=19",
    "null.calibration_studies=0",
    "search.max_literals=1",
    "execution.block=1",
)
RESULTS = (
    *("verdicts.parquet", "verdicts.csv", "summary.json", "literals.parquet"),
    *("stability.parquet", "personas.parquet", "explained.parquet", "risk_coverage.parquet"),
)
OTHER_RESULTS = ("prediction.json", "recordings.parquet")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == HERE and "slurm" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    if missing() or os.getuid() != 0:
        end_test = pytest.fail if os.environ.get("CI") else pytest.skip
        end_test(f"needs root and a real SLURM: apt-get install {PACKAGES}")
    machine = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        yield machine.start()
    finally:
        machine.stop()


@pytest.fixture
def queue(slurm):
    """The SLURM, with all nodes up and an empty queue."""
    slurm.clear()
    return slurm


@dataclass
class StudyRunner:
    """A folder, and the commands that run a study in it."""

    slurm: Slurm
    folder: Path
    changes: tuple[str, ...] = CHANGES
    environment: dict = field(default_factory=dict)
    stage: str = "hits"

    def profile(self, name="profile.yaml", *, slow=False, **more):
        """Write a profile; ``more`` are keys of its section job, or of the profile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        job = {"walltime": "00:30:00", "memory": "1000MiB", "poll": 0.5, "account": "lab"}
        job |= {"interface": interface()} if interface() else {}
        top = {"kind": "slurm", "workers": 2}
        for key, value in more.items():
            (top if key in ("workers", "minimum_workers", "head", "kind") else job)[key] = value
        if slow:
            job["prologue"] = [
                f"export KETADASK_TEST_WATCH={self.folder}",
                f"export PYTHONPATH={HERE}:{ROOT}",
                "export DASK_DISTRIBUTED__WORKER__PRELOAD='[\"slow_worker\"]'",
            ]
        top.setdefault("head", {"walltime": "00:30:00", "memory": "1500MiB"})
        path = self.folder / name
        path.write_text(yaml.safe_dump({**top, "job": job}))
        return path

    def words(self, verb, *more, cluster=None):
        """Return the command line of one verb on the study."""
        words = [sys.executable, "-m", "ketadask", verb, str(STUDY)]
        for change in self.changes:
            words += ["--set", change]
        words += ["--out", str(self.folder / "runs"), *more]
        return [*words, *(["--cluster", str(cluster)] if cluster else [])]

    def start(self, verb, *more, cluster=None):
        """Start a command; its output goes to one file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output").open("ab") as file:
            return subprocess.Popen(
                self.words(verb, *more, cluster=cluster),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def do(self, verb, *more, cluster=None, seconds=300):
        """Run a command to its end."""
        return self._run(self.words(verb, *more, cluster=cluster), seconds)

    def do_without_study(self, verb, *, cluster):
        """Run a command that takes no study."""
        words = [sys.executable, "-m", "ketadask", verb, "--cluster", str(cluster)]
        return self._run([*words, "--out", str(self.folder / "runs")], 240)

    def _run(self, words, seconds):
        self.folder.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def _environment(self):
        return {**self.slurm.environment, "PYTHONPATH": str(ROOT), **self.environment}

    @property
    def run(self):
        """The run folder."""
        return next((self.folder / "runs").glob("demo-*"))

    @property
    def output(self):
        """The output of started commands so far."""
        path = self.folder / "output"
        return path.read_text() if path.exists() else ""

    def files(self, pattern):
        """Return files of the run folder, none if it does not exist yet."""
        return sorted((self.folder / "runs").glob(f"demo-*/{pattern}"))

    def logs(self):
        """Return the ends of all logs, for a failing test to show."""
        texts = [f"--- {path}\n{path.read_text()[-1500:]}" for path in self.files("logs/*.log")]
        return "\n".join([*texts, self.output[-3000:]])

    def blocks(self, word, stage=""):
        """Return the parts that slow workers have started (``begin``) or completed (``done``).

        Each is its name, or the first item of a block of one stage, and the job.
        """
        path = self.folder / "computed"
        lines = path.read_text().split("\n") if path.exists() else []
        rows = [line.split() for line in lines if line.startswith(f"{word} {stage or self.stage} ")]
        firsts = [(row[2].partition("-")[0], row) for row in rows]
        return [(int(f) if f.isdigit() else row[2], row[3]) for f, row in firsts]

    def set_stage(self, stage):
        """Choose the stage whose parts are slow."""
        self.stage = stage
        self._order("stage", stage)

    def set_seconds(self, seconds):
        """Set the seconds that slow workers need for a block."""
        self._order("seconds", seconds)

    def allow(self, blocks):
        """Set the number of blocks after which slow workers wait."""
        self._order("allowed", blocks)

    def _order(self, name, value):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.new").write_text(str(value))
        (self.folder / f"{name}.new").rename(self.folder / name)

    def workers(self):
        """Return the running worker jobs, and the node of each."""
        words = ("squeue", "-h", "-t", "RUNNING", "-o", "%i %j %N")
        rows = [line.split() for line in self.slurm.call(*words).splitlines()]
        return {row[0]: row[2] for row in rows if not row[1].startswith("keta-head")}

    def heads(self):
        """Return the head jobs on the queue, and the node of each."""
        words = ("squeue", "-h", "-o", "%i %j %N")
        rows = [line.split() for line in self.slurm.call(*words).splitlines()]
        return {row[0]: row[2:] for row in rows if row[1].startswith("keta-head")}

    def events(self):
        """Return the events in the provenance of all runs."""
        path = self.run / "provenance.json"
        return [line for run in json.loads(path.read_text())["runs"] for line in run["events"]]

    def until(self, condition, seconds, why):
        """Wait until a condition is true."""
        return wait_for(condition, seconds, 0.2, why, self.logs)


def interface():
    """Return a network interface other than the loopback, where this machine has one."""
    from ketadask.cluster.network import addresses, is_loopback

    external = (name for name, address in addresses().items() if not is_loopback(address))
    return next(external, None)


@pytest.fixture
def study(queue, tmp_path):
    return StudyRunner(queue, tmp_path)


def results(run):
    """Return the bytes that must not depend on where the study was run."""
    others = [name for name in OTHER_RESULTS if (run / name).exists()]
    return {name: (run / name).read_bytes() for name in (*RESULTS, *others)}


def results_of_one_machine(study):
    """Return the results of a study without a cluster."""
    study.folder.mkdir(parents=True, exist_ok=True)
    profile = study.folder / "threads.yaml"
    profile.write_text("kind: threads\nworkers: 2\n")
    process = study.do("run", cluster=profile)
    assert process.returncode == 0, process.stderr
    return results(study.run)


@pytest.fixture(scope="session")
def laptop(slurm, tmp_path_factory):
    """The results of the same study on one machine."""
    return results_of_one_machine(StudyRunner(slurm, tmp_path_factory.mktemp("laptop")))
