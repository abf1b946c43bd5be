"""Published trials, each from its raw table: verdicts by a short YAML file and by kd.discover.

`python -m tests.benchmarks.raw_trials FOLDER` reads the CSV files of these names in FOLDER, as
https://vincentarelbundock.github.io/Rdatasets has them (they are not part of this project), runs
both, and prints how far their verdict tables differ. Few relabellings: the numbers are compared,
not interpreted.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd

import ketadask as kd
from ketadask.cluster.profile import Profile
from ketadask.config.study import read_study
from ketadask.pipeline.progress import Progress
from ketadask.study.study import Study

QUICK = {
    "splits.count": 10,
    "null.relabellings": 19,
    "null.calibration_studies": 0,
    "search.max_literals": 2,
}


@dataclass(frozen=True)
class RawTrial:
    """A table, the sections of its YAML file, and the columns that `kd.discover` gets.

    ``columns`` are the arguments arm, y, baseline, ... by name; ``rows`` selects rows of a table
    with several visits.
    """

    yaml: str
    features: str
    columns: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    rows: str = ""
    package: str = ""


TRIALS = {
    "BtheB": RawTrial(
        "outcome: {column: bdi.8m, baseline: bdi.pre, direction: lower}",
        "drug length",
        {"arm": "treatment", "y": "bdi.8m", "baseline": "bdi.pre"},
        {"direction": "lower"},
        package="HSAUR",
    ),
    "anorexia": RawTrial(
        "outcome: {column: Postwt, baseline: Prewt, direction: higher}",
        "",
        {"arm": "Treat", "y": "Postwt", "baseline": "Prewt"},
        {"direction": "higher", "arms": {"FT": "active", "Cont": "control"}},
        package="MASS",
    ),
    "epil": RawTrial(
        "outcome: {column: y, day: 4, direction: lower, endpoint: value}",
        "base age lbase lage",
        {"arm": "trt", "y": "y", "participant": "subject"},
        {"direction": "lower"},
        rows="period == 4",
        package="MASS",
    ),
    "indo_rct": RawTrial(
        "outcome: {column: outcome, kind: binary, direction: lower}",
        "age risk gender sod pep recpanc psphinc precut difcan pneudil amp paninj acinar brush "
        "asa81 asa325 asa prophystent therastent pdstent sodsom bsphinc bstent chole pbmal train "
        "status type",
        {"arm": "rx", "y": "outcome", "participant": "id", "strata": "site"},
        {"direction": "lower", "outcome__kind": "binary"},
        package="medicaldata",
    ),
    "licorice_gargle": RawTrial(
        "outcome: {column: pacu30min_throatPain, direction: lower}",
        "preOp_gender preOp_asa preOp_calcBMI preOp_age preOp_mallampati preOp_smoking preOp_pain "
        "intraOp_surgerySize",
        {"arm": "treat", "y": "pacu30min_throatPain"},
        {"direction": "lower"},
        package="medicaldata",
    ),
    "opt": RawTrial(
        "outcome: {column: Birthweight, direction: higher}",
        "Age Education BMI BL.GE BL..BOP BL.PD.avg BL..PD.4 BL.CAL.avg BL.Calc.I BL.Pl.I",
        {"arm": "Group", "y": "Birthweight", "participant": "PID", "strata": "Clinic"},
        {"direction": "higher"},
        package="medicaldata",
    ),
    "polyps": RawTrial(
        "outcome: {column: number12m, baseline: baseline, direction: lower}",
        "sex age",
        {"arm": "treatment", "y": "number12m", "baseline": "baseline",
         "participant": "participant_id"},
        {"direction": "lower"},
        package="medicaldata",
    ),
    "respiratory": RawTrial(
        "outcome: {column: status, day: 120, kind: binary, direction: higher}\n"
        "features: {exclude: [status]}  # its baseline, which the DataFrame below has not",
        "sex age",
        {"arm": "treatment", "y": "status", "participant": "subject", "strata": "centre"},
        {"direction": "higher", "outcome__kind": "binary"},
        rows="month == 4",
        package="HSAUR",
    ),
    "strep_tb": RawTrial(
        "outcome: {column: improved, kind: binary}",
        "gender baseline_condition baseline_temp baseline_esr baseline_cavitation",
        {"arm": "arm", "y": "improved", "participant": "patient_id"},
        {"direction": "higher", "outcome__kind": "binary"},
        package="medicaldata",
    ),
    "veteran": RawTrial(
        "outcome: {column: time, event: status, direction: higher}",
        "celltype karno diagtime age prior",
        {"arm": "trt", "y": "time", "event": "status"},
        {"direction": "higher", "arms": {"1": "control", "2": "active"}},
        package="survival",
    ),
}  # fmt: skip


def yaml_lines(name: str, file: Path) -> list[str]:
    """Return the YAML file of a trial; features are named where columns after treatment are not."""
    trial = TRIALS[name]
    arms = trial.options.get("arms", {})
    features = ", ".join(trial.features.split())
    return [
        f"name: {name}",
        "data:",
        "  table:",
        f"    file: {file}",
        *([f"    features: [{features}]"] if features else []),
        *([f"  arms: {{{', '.join(f'{k}: {v}' for k, v in arms.items())}}}"] if arms else []),
        "design: {kind: parallel}",
        *trial.yaml.splitlines(),
    ]


def run_yaml(name: str, folder: Path, store: Path) -> pd.DataFrame:
    """Return the verdicts of the YAML file of a trial."""
    lines = yaml_lines(name, (folder / f"{name}.csv").resolve())
    assert len(lines) <= 12
    file = store / f"{name}.yaml"
    file.write_text("\n".join(lines) + "\n")
    settings = read_study(file, [f"{key}={value}" for key, value in QUICK.items()])
    study = Study(settings, store / "yaml", Profile(kind="threads"), Progress.silent())
    verdicts = study.run().verdicts
    assert verdicts is not None
    return verdicts


def run_discover(name: str, folder: Path, store: Path) -> pd.DataFrame:
    """Return the verdicts of the same table as a DataFrame."""
    trial = TRIALS[name]
    # Draws depend on the order of the names of participants: 001 stays text.
    text = {trial.columns.get("participant", "rownames"): str}
    table = pd.read_csv(folder / f"{name}.csv", dtype=text)
    table = table.query(trial.rows) if trial.rows else table
    columns = {role: table[column] for role, column in trial.columns.items()}
    options = trial.options | {key.replace(".", "__"): value for key, value in QUICK.items()}
    X = table[trial.features.split()]
    return kd.discover(X, **columns, store=store / "discover", **options).verdicts


def largest_difference(one: pd.DataFrame, two: pd.DataFrame) -> float:
    """Return the largest difference of two verdict tables; infinite where rows differ."""
    numbers = one.select_dtypes("number").columns
    literals = [name for name in numbers if name.startswith("literal_")]
    words = ["polarity", "verdict"]
    if len(one) != len(two) or not one[words].equals(two[words]):
        return np.inf
    a, b = (table[numbers.drop(literals)].to_numpy(dtype=float) for table in (one, two))
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return np.inf
    return float(np.nanmax(np.abs(a - b), initial=0.0))


def main(folder: Path) -> None:
    """Print a row per trial whose table is in the folder."""
    store = Path(mkdtemp())
    print("trial            package      lines findings  difference  CPU-s  first finding")
    for name, trial in TRIALS.items():
        if not (folder / f"{name}.csv").exists():
            continue
        start = time.process_time()
        try:
            one = run_yaml(name, folder, store)
            two = run_discover(name, folder, store)
        except Exception as error:  # each trial is tried
            print(f"{name:16} {trial.package:12} {type(error).__name__}: {error}")
            continue
        seconds = time.process_time() - start
        n_lines, difference = len(yaml_lines(name, folder)), largest_difference(one, two)
        first = one["text"].iloc[0] if len(one) else "none"
        counts = f"{n_lines:5} {len(one):8} {difference:11.1e} {seconds:6.1f}"
        print(f"{name:16} {trial.package:12} {counts}  {first}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
