"""From a DataFrame to verdicts in one call: the study of a YAML file, with a table in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ketadask.cluster.profile import Profile
from ketadask.pipeline.progress import Progress
from ketadask.schema.errors import InputError
from ketadask.schema.notebook_card import NotebookCard
from ketadask.store.disk import make_folder, write_file
from ketadask.store.fingerprints import fingerprint
from ketadask.study.study import RunSummary, Study

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ketadask.report.report_data import ReportData

_TABLE, _STUDY = "trial.csv", "study.yaml"


def discover(
    X: pd.DataFrame | np.ndarray,
    arm: Any,
    y: Any,
    *,
    design: str = "parallel",
    direction: str | None = None,
    baseline: Any = None,
    event: Any = None,
    groups: Any = None,
    strata: Any = None,
    participant: Any = None,
    period: Any = None,
    arms: Mapping[str, str] | None = None,
    name: str = "discovery",
    store: Path | str = "runs",
    verbose: bool = False,
    **settings: Any,
) -> Discovery:
    """Search a table for personas that benefit from a drug, and judge them.

    Writes the table and a YAML file beside it, and runs this study: the numbers are those of
    ``ketadask run`` on the same file, and a repeated call continues where the last one stopped.
    Runs on the current Dask ``Client``, or on threads of this machine.

    Parameters
    ----------
    X
        (row, feature) values from before treatment; text with few levels is a category. A row is a
        participant, in a crossover a participant in one period, of which the first row counts.
    arm, y
        (row,) arm and outcome; rows without an outcome are excluded and named.
    design
        ``parallel``, ``crossover`` or ``pooled``.
    direction
        Which outcomes are better: ``lower`` or ``higher``.
    baseline
        (row,) the outcome before treatment, or before each period; benefit is the change from it.
    event
        (row,) 0 censored, 1 event, 2 competing event; y is then the time.
    groups
        (row,) families, clinics of cluster trials and the like, exchanged and split as one.
    strata
        (row,) sites: benefit is compared, and features exchanged, within them.
    participant, period
        (row,) names of the participants, and periods; a crossover needs participants, and periods
        unless its rows are in order.
    arms
        ``active`` or ``control`` by the value of ``arm``, where the values do not say it.
    name, store
        Name of the study, and folder of its results.
    verbose
        Whether to print progress.
    settings
        Any key of a study with ``__`` for the dot, such as ``null__relabellings=199``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, drug = rng.normal(size=(80, 3)), np.arange(80) % 2
    >>> y = 3.0 * drug * (X[:, 1] > 0) + rng.normal(size=80)
    >>> result = discover(X, drug, y, direction="higher", store=tempfile.mkdtemp(),
    ...                   null__relabellings=39, splits__count=20, null__calibration_studies=0,
    ...                   search__max_literals=1)
    >>> result.verdicts["text"].str[:4].tolist()[:1]
    ['x1 >']
    """
    columns = {
        "participant": participant,
        "arm": arm,
        "period": period,
        "site": strata,
        "cluster": groups,
        "outcome": y,
        "baseline": baseline,
        "event": event,
    }
    table, column_by_role, features = _trial_table(X, columns)
    roles = ("participant", "arm", "period", "site")
    values: dict[str, Any] = {
        "name": name,
        "data": {
            "table": {
                "file": _TABLE,
                "features": features,
                **{role: column_by_role[role] for role in roles if role in column_by_role},
            },
            **({} if arms is None else {"arms": dict(arms)}),
        },
        "outcome": {
            "column": column_by_role["outcome"],
            **({} if direction is None else {"direction": direction}),
            **{
                role: column_by_role[role]
                for role in ("baseline", "event")
                if role in column_by_role
            },
        },
        "design": {
            "kind": design,
            **({"cluster": column_by_role["cluster"]} if groups is not None else {}),
        },
    }
    for key, value in settings.items():
        _set(values, key.split("__"), value)
    study = _write_study(table.to_csv(index=False), values, Path(store))
    progress = Progress() if verbose else Progress.silent()
    study = replace(study, profile=Profile(kind="current"), progress=progress)
    return Discovery(study, study.run())


@dataclass(frozen=True, eq=False)
class Discovery(NotebookCard):
    """Verdicts of `discover` and its report; `ketadask.plot` takes it to draw its figures.

    Parameters
    ----------
    study
        The study; its YAML file and table are in the folder ``study.settings.data.folder``.
    run
        What `Study.run` returned.
    """

    study: Study
    run: RunSummary

    @property
    def verdicts(self) -> pd.DataFrame:
        """A row per finding, the strongest first."""
        verdicts = self.run.verdicts
        assert verdicts is not None  # a complete run has verdicts
        return verdicts

    @cached_property
    def personas(self) -> pd.DataFrame:
        """A row per persona that was evaluated on the splits."""
        from ketadask.store.run_folder import RunFolder
        from ketadask.study.judge import PERSONAS

        return RunFolder.open(self.run.folder).read_table(PERSONAS)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """All headline numbers."""
        from ketadask.store.run_folder import RunFolder
        from ketadask.study.judge import SUMMARY

        return dict(RunFolder.open(self.run.folder).read_json(SUMMARY))

    def report(self, path: Path | str) -> Path:
        """Copy the report to a file; return its path."""
        assert self.run.report is not None  # as above
        return write_file(Path(path), self.run.report.read_bytes())

    @cached_property
    def data(self) -> ReportData:
        """All results of the report: tables, cohort and units. `ketadask.plot` draws them."""
        from ketadask.study.report import report_data

        with self.study.open_run() as work:
            return report_data(work, self.verdicts)

    def __repr__(self) -> str:
        """Show the number of findings and of supported ones."""
        n_supported = int((self.verdicts["verdict"] == "supported").sum())
        return (
            f"<Discovery: {len(self.verdicts)} findings, {n_supported} supported; "
            f"{self.run.report}>"
        )


def _trial_table(
    X: Any, columns: Mapping[str, Any]
) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Return features and the other columns as one table, the column by role, the features."""
    import numpy as np
    import pandas as pd

    if not isinstance(X, pd.DataFrame):
        values = np.asarray(X)
        if values.ndim != 2:
            raise InputError("features must have two dimensions", where="X", value=values.shape)
        X = pd.DataFrame(values, columns=[f"x{k}" for k in range(values.shape[1])])
    features = [str(feature) for feature in X.columns]
    table = X.set_axis(features, axis="columns").reset_index(drop=True)
    column_by_role: dict[str, str] = {}
    for role, values in columns.items():
        if values is None:
            continue
        column = role
        while column in table.columns:
            column += "_"
        array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
        if array.shape != (len(table),):
            raise InputError(
                "needs one value per row of X",
                where=f"{role} of discover",
                value=array.shape,
                remedy=f"give {len(table)} values",
            )
        table[column] = array.astype(int) if array.dtype == bool else array
        column_by_role[role] = column
    return table, column_by_role, features


def _set(values: dict[str, Any], steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        values = values.setdefault(step, {})
    values[steps[-1]] = value


def _write_study(table: str, values: dict[str, Any], store: Path) -> Study:
    """Write the table and the YAML file of a study; return the study."""
    key = fingerprint(table, values)[:12]
    folder = make_folder(store / "data" / f"{values['name']}-{key}")
    write_file(folder / _TABLE, table.encode("utf-8"))
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return Study.read(write_file(folder / _STUDY, text.encode("utf-8")), out=store)
