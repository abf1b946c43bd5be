"""The participants of a study: ``participants.tsv``, with the infusions in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.schema.phenotype import Participants
from ketadask.schema.roles import CATEGORY, FEATURE, NO_USE, ColumnRole
from ketadask.sources.arm_words import check_arms
from ketadask.sources.cells import Cells, read_sidecar
from ketadask.sources.codes import first_duplicate, is_missing
from ketadask.sources.column_kinds import column_kind
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.spreadsheets import read_table
from ketadask.sources.visits import ARM_CODES, date_column, parse_arm

SEX_CODES = {"m": 0.0, "male": 0.0, "man": 0.0, "f": 1.0, "female": 1.0, "woman": 1.0}
_ARMS = sorted(code for code, arm in ARM_CODES.items() if arm in nm.ARMS)


def read_participants(
    root: Path | str,
    *,
    bad_cells: str = "stop",
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    delimiter: str | None = None,
    decimal: str = ".",
    cluster: str | None = None,
    features: Sequence[str] | None = (),
    family: str | None = None,
    arms: Mapping[str, str] | None = None,
) -> Participants:
    """Read ``participants.tsv`` of a study folder, or another table of participants.

    Only ``participant_id`` is required. Without ``infusion_1`` and ``infusion_2`` (or one of
    ``arm``, ``treatment``) the sequence is unknown; without ``trial`` or ``site`` all belong to
    trial and site ``1``; without ``age``, ``sex``, ``BMI`` (or ``height`` in cm and ``weight`` in
    kg) or ``group`` these are missing. The codes of the arms are those of
    ``ketadask.sources.visits.ARM_CODES``; ``n/a`` means no infusion. ``infusion_1_date`` and
    ``infusion_2_date`` may hold dates.

    Parameters
    ----------
    root
        Study folder, or the file itself.
    bad_cells
        ``stop`` raises at the first wrong cell, ``missing`` adds it to ``findings``.
    columns
        Names used here (``participant_id``, ``infusion_1``, ...) by the names in the file.
    sheet, delimiter, decimal
        As in ``read_table``.
    cluster
        Column of families, twins or other clusters; without a value a participant is alone.
    features
        Further columns to use as features; all of numbers or of few levels if None.
    family
        Modality of these features; the name of the file if None.
    arms
        ``active`` or ``control`` by the word in the table; other words are left out.

    Returns
    -------
    ``table`` has one row per participant, sorted: participant, sequence (``active-control``,
    ``active`` without a second infusion, empty where unknown), trial, site, age (years), sex (0
    male, 1 female), bmi (kg/m2), group, washout (days between the infusions, NaN without dates);
    with ``cluster``, its name, or the participant's.

    Examples
    --------
    >>> import ketadask as kd
    >>> people = kd.read_participants(kd.simulate_study("study", participants=5))
    >>> people.table[["participant", "sequence", "age"]].head(2)
      participant        sequence   age
    0  sub-K00001  active-control  34.0
    1  sub-K00002  control-active  30.0
    """
    path = Path(root)
    if path.is_dir():
        path = path / "participants.tsv"
    cells = read_table(path, sheet=sheet, delimiter=delimiter, decimal=decimal)
    cells, issues = cells.rename(columns or {}), DataIssues(bad_cells)
    participants = participant_column(cells, issues)
    _check_unique(cells, participants)
    dates = _infusion_dates(cells, issues)
    left_out: dict[int, str] = {}
    if arms is not None:
        cells = _with_arms(cells, arms, left_out)
    sequences = _sequences(cells, issues)
    table = pd.DataFrame(
        {
            nm.PARTICIPANT: participants,
            "sequence": sequences,
            "trial": _trials(cells, issues, sequences),
            "site": _words(cells, "site", "1"),
            "age": _numbers(cells, issues, ("age",), 0, 120),
            "sex": _sex(cells, issues, read_sidecar(path.with_suffix(".json"))),
            "bmi": _bmi(cells, issues),
            "group": _words(cells, "group", ""),
            "washout": [_days(first, second) for first, second in dates],
        }
    )
    if cluster is not None:
        table["cluster"] = _clusters(cells, cluster, participants)
    if left_out:
        reasons = [f"arm {left_out[row]} is not compared" if row in left_out else ""
                   for row in range(len(cells))]  # fmt: skip
        table["left_out"] = reasons
    covariates, uses = further_columns(cells, features, cluster, participants, issues)
    table = table[table[nm.PARTICIPANT] != ""].sort_values(nm.PARTICIPANT, ignore_index=True)
    return Participants(
        table,
        infusions={p: pair for p, pair in zip(participants, dates, strict=True) if any(pair)},
        findings=issues.records(),
        file=str(path),
        covariates=covariates,
        family=family or path.stem,
        columns=uses,
    )


_ROLE_BY_NAME = {
    "participant_id": "participant",
    **dict.fromkeys(("infusion_1", "infusion_2", "arm", "treatment"), "arm"),
    **dict.fromkeys(("infusion_1_date", "infusion_2_date"), "date"),
    **dict.fromkeys(("age", "sex", "gender", "bmi"), "feature"),
    **dict.fromkeys(("height", "height_cm", "weight", "weight_kg"), "feature"),
    **{name: name for name in ("trial", "site", "group")},
}


def further_columns(
    cells: Cells,
    features: Sequence[str] | None,
    cluster: str | None,
    participants: Sequence[str],
    issues: DataIssues,
) -> tuple[pd.DataFrame | None, list[ColumnRole]]:
    """Return the columns that are features only because the settings say so, and all roles."""
    uses, columns = [], {}
    names = None if features is None else {cells.need(name) for name in features}
    for column in cells.columns:
        role = _ROLE_BY_NAME.get(column.lower(), "cluster" if column == cluster else None)
        if role is not None and not (names is not None and column in names):
            uses.append(ColumnRole(column, role, "by its name"))
            continue
        if names is not None and column not in names:
            reason = "not among data.participants.features"
            uses.append(ColumnRole(column, NO_USE, reason, (FEATURE,)))
            continue
        role, reason = column_kind(cells.columns[column], any_text=names is not None)
        uses.append(ColumnRole(column, role, reason))
        if role == FEATURE:
            columns[column] = cells.numbers(column, issues)
        elif role == CATEGORY:
            columns[column] = np.array(cells.words(column), dtype=object)
    if not columns:
        return None, uses
    index = pd.Index(participants, name=nm.PARTICIPANT)
    frame = pd.DataFrame(columns, index=index, copy=False)
    return frame[frame.index != ""].sort_index(), uses


def _with_arms(cells: Cells, arms: Mapping[str, str], left_out: dict[int, str]) -> Cells:
    """Return the table with the words of the settings for the arms; others are missing."""
    columns = dict(cells.columns)
    names = [cells.find("infusion_1", "arm", "treatment"), cells.find("infusion_2")]
    for name in [name for name in names if name]:
        words = cells.words(name)
        arm_of = check_arms(sorted(set(words) - {""}), arms, file=cells.file, column=name)
        left_out |= {row: w for row, w in enumerate(words) if w and not arm_of[w]}
        columns[name] = [arm_of.get(word) or "n/a" for word in words]
    return replace(cells, columns=columns)


def find_participants(
    folders: Sequence[Path], participants: Participants | Sequence[str] | None
) -> Participants | None:
    """Return the participants; if None, those of the first ``participants.tsv``, if any."""
    if participants is None:
        paths = [folder / "participants.tsv" for folder in folders]
        path = next((path for path in paths if path.is_file()), None)
        return read_participants(path, bad_cells="missing") if path else None
    if isinstance(participants, Participants):
        return participants
    return Participants(pd.DataFrame({nm.PARTICIPANT: list(participants), "sequence": ""}))


def participant_column(cells: Cells, issues: DataIssues, name: str = "participant_id") -> list[str]:
    """Return the participant of every row, empty where missing."""
    column = cells.need(name)
    participants = cells.text(column)
    for row, participant in enumerate(participants):
        if not participant:
            remedy = "name the participant or remove the row"
            issues.add(cells.error(row, column, "no participant", remedy, value=None))
    return participants


def _check_unique(cells: Cells, participants: Sequence[str]) -> None:
    duplicate = first_duplicate(name or row for row, name in enumerate(participants))
    if duplicate:
        first, second = duplicate
        problem = f"participant appears twice, first in row {cells.lines[first]}"
        column, name = cells.need("participant_id"), participants[second]
        raise cells.error(second, column, problem, "keep one row per participant", value=name)


def _infusion_dates(cells: Cells, issues: DataIssues) -> list[tuple[date | None, date | None]]:
    """Return the dates of both infusions per row; a pair in the wrong order is missing."""
    columns = [cells.find(f"infusion_{n}_date") for n in (1, 2)]
    pairs = list(zip(*(date_column(cells, column, issues) for column in columns), strict=True))
    for row, (first, second) in enumerate(pairs):
        if first and second and second < first:
            problem = f"the second infusion is dated before the first of {first}"
            remedy = "correct the dates, or exchange the infusions"
            issues.add(cells.error(row, str(columns[1]), problem, remedy))
            pairs[row] = None, None
    return pairs


def _days(first: date | None, second: date | None) -> float:
    return float((second - first).days) if first and second else float("nan")


def _bmi(cells: Cells, issues: DataIssues) -> np.ndarray:
    """Return the BMI, where it is missing from height (cm) and weight (kg)."""
    bmi = _numbers(cells, issues, ("bmi",), 5, 150)
    height = _numbers(cells, issues, ("height", "height_cm"), 100, 250)
    weight = _numbers(cells, issues, ("weight", "weight_kg"), 20, 400)
    return np.where(np.isnan(bmi), weight / (height / 100) ** 2, bmi)


def _trials(cells: Cells, issues: DataIssues, sequences: Sequence[str]) -> list[str]:
    """Return the trial of every row; whoever received an infusion needs one."""
    trials = _words(cells, "trial", "")
    if not any(trials):
        return ["1"] * len(trials)
    for row, (trial, sequence) in enumerate(zip(trials, sequences, strict=True)):
        if sequence and not trial:
            problem = "no trial, where others have one"
            remedy = "name the trial of this participant"
            issues.add(cells.error(row, str(cells.find("trial")), problem, remedy, value=None))
    return [trial or "unnamed" for trial in trials]


def _clusters(cells: Cells, name: str, participants: Sequence[str]) -> list[str]:
    """Return the cluster of every row; ``=`` before a participant's own keeps names apart."""
    column = cells.need(name)
    pairs = zip(cells.words(column), participants, strict=True)
    return [word or f"={participant}" for word, participant in pairs]


def _words(cells: Cells, name: str, default: str) -> list[str]:
    column = cells.find(name)
    if column is None:
        return [default] * len(cells)
    return [word or default for word in cells.words(column)]


def _numbers(
    cells: Cells, issues: DataIssues, names: Sequence[str], low: float, high: float
) -> np.ndarray:
    column = cells.find(*names)
    if column is None:
        return np.full(len(cells), np.nan)
    return cells.numbers(column, issues, low=low, high=high)


def _sequences(cells: Cells, issues: DataIssues) -> list[str]:
    first = cells.find("infusion_1", "arm", "treatment")
    second = cells.find("infusion_2")
    if second and not first:
        raise cells.header_error(
            "a column infusion_2 without infusion_1",
            "rename the column of the first infusion, or use data.participants.columns",
        )
    sequences = []
    for row in range(len(cells)):
        arms = [_arm(cells, issues, row, column) for column in (first, second) if column]
        if len(arms) == 2 and arms[1] and arms[0] == "":
            problem = "a second infusion without a first"
            remedy = "write the first infusion, or n/a for both"
            issues.add(cells.error(row, str(first), problem, remedy))
            arms = []
        elif len(arms) == 2 and arms[0] and arms[0] == arms[1]:
            problem = "both infusions have the same arm"
            remedy = "a crossover gives each arm once; correct one of them"
            issues.add(cells.error(row, str(second), problem, remedy))
            arms = []
        sequences.append("" if None in arms else "-".join(arm for arm in arms if arm))
    return sequences


def _arm(cells: Cells, issues: DataIssues, row: int, column: str) -> str | None:
    code = cells.columns[column][row]
    arm = "" if is_missing(code) else parse_arm(code)
    if arm == "" or arm in nm.ARMS:
        return arm
    remedy = f"valid are {', '.join(_ARMS)}, n/a; or map it, data.arms: {{WORD: active}}"
    issues.add(cells.error(row, column, "unknown arm", remedy))
    return None


def _sex(cells: Cells, issues: DataIssues, sidecar: Mapping[str, Any]) -> list[float]:
    column = cells.find("sex", "gender")
    if column is None:
        return [float("nan")] * len(cells)
    codes = dict(SEX_CODES)
    levels = sidecar.get(column, {}).get("Levels")
    for level, meaning in levels.items() if isinstance(levels, Mapping) else ():
        if str(meaning).strip().lower() in SEX_CODES:
            codes[str(level).lower()] = SEX_CODES[str(meaning).strip().lower()]
    words = cells.words(column)
    for row, word in enumerate(words):
        if word and word.lower() not in codes:
            remedy = "write M, F or n/a, or describe the codes as Levels in the JSON file"
            issues.add(cells.error(row, column, "unknown sex", remedy))
    return [codes.get(word.lower(), float("nan")) for word in words]
