"""Who took part: BIDS ``participants.tsv``, with the infusions in the order they were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.schema.phenotype import Participants
from ketadask.sources.cells import Cells, read_sidecar
from ketadask.sources.codes import first_duplicate, is_missing
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.spreadsheets import read_table
from ketadask.sources.visits import ARM_CODES, arm_of, date_column

_SEX = {"m": 0.0, "male": 0.0, "man": 0.0, "f": 1.0, "female": 1.0, "woman": 1.0}


def read_participants(
    root: Path | str,
    *,
    bad_cells: str = "stop",
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    delimiter: str | None = None,
    decimal: str = ".",
) -> Participants:
    """Read ``participants.tsv`` of a study folder, or another table of participants.

    Only ``participant_id`` must be there. Without ``infusion_1`` and ``infusion_2`` (or one of
    ``arm``, ``treatment``) the sequence is unknown; without ``trial`` or ``site`` all belong to
    trial and site ``1``; without ``age``, ``sex``, ``BMI`` (or ``height`` in cm and ``weight`` in
    kg) or ``group`` these are missing. The codes of the arms are those of
    ``ketadask.sources.visits.ARM_CODES``; ``n/a`` means that the infusion was not given. Dates may
    stand in ``infusion_1_date`` and ``infusion_2_date``.

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

    Returns
    -------
    ``table`` has one row per participant, sorted: participant, sequence (``active-control``,
    ``active`` without a second infusion, empty where unknown), trial, site, age (years), sex (0
    male, 1 female), bmi (kg/m2), group, washout (days between the infusions, NaN where not dated).
    """
    path = Path(root)
    if path.is_dir():
        path = path / "participants.tsv"
    cells = read_table(path, sheet=sheet, delimiter=delimiter, decimal=decimal)
    return people_of(cells.renamed(columns or {}), DataIssues(bad_cells))


def people_of(cells: Cells, findings: DataIssues) -> Participants:
    """Return what ``read_participants`` returns, from a table of text."""
    people = participant_column(cells, findings)
    twice = first_duplicate(person or row for row, person in enumerate(people))
    if twice:
        raise InputError(
            f"participant appears twice, first in row {cells.lines[twice[0]]}",
            file=cells.file,
            where=cells.where(twice[1], cells.need("participant_id")),
            value=people[twice[1]],
            remedy="keep one row per participant",
        )
    dates = _infusions(cells, findings)
    sequences = _sequences(cells, findings)
    table = pd.DataFrame(
        {
            nm.PARTICIPANT: people,
            "sequence": sequences,
            "trial": _trials(cells, findings, sequences),
            "site": _words(cells, "site", "1"),
            "age": _numbers(cells, findings, ("age",), 0, 120),
            "sex": _sex(cells, findings, read_sidecar(cells.file.with_suffix(".json"))),
            "bmi": _bmi(cells, findings),
            "group": _words(cells, "group", ""),
            "washout": [_days(*pair) for pair in zip(*dates, strict=True)],
        }
    )
    table = table[table[nm.PARTICIPANT] != ""].sort_values(nm.PARTICIPANT, ignore_index=True)
    pairs = zip(people, zip(*dates, strict=True), strict=True)
    return Participants(
        table,
        infusions={person: pair for person, pair in pairs if any(pair)},
        findings=findings.records(),
        file=str(cells.file),
    )


def _infusions(cells: Cells, findings: DataIssues) -> list[list[date | None]]:
    """Return the dates of the first and of the second infusion, a pair out of order as unknown."""
    columns = [cells.find(f"infusion_{n}_date") for n in (1, 2)]
    first, second = (date_column(cells, column, findings) for column in columns)
    for row, (one, two) in enumerate(zip(first, second, strict=True)):
        if one and two and two < one:
            findings.add(
                InputError(
                    f"the second infusion is dated before the first of {one}",
                    file=cells.file,
                    where=cells.where(row, str(columns[1])),
                    value=cells.columns[str(columns[1])][row],
                    remedy="correct the dates, or exchange the infusions",
                )
            )
            first[row] = second[row] = None
    return [first, second]


def _days(first: date | None, second: date | None) -> float:
    return float((second - first).days) if first and second else float("nan")


def _bmi(cells: Cells, findings: DataIssues) -> np.ndarray:
    """Return the BMI given, and where it is not the one of height (cm) and weight (kg)."""
    bmi = _numbers(cells, findings, ("bmi",), 5, 150)
    height = _numbers(cells, findings, ("height", "height_cm"), 100, 250)
    weight = _numbers(cells, findings, ("weight", "weight_kg"), 20, 400)
    return np.where(np.isnan(bmi), weight / (height / 100) ** 2, bmi)


@dataclass(frozen=True, eq=False)
class Roster:
    """Who is in the study: arms in order of infusion, and the dates of the infusions if known."""

    sequences: Mapping[str, str]
    infusions: Mapping[str, Sequence[date | None]] = field(default_factory=dict)


def roster_of(folders: Sequence[Path], given: Roster | Sequence[str] | None) -> Roster | None:
    """Return the participants given, else those of the first ``participants.tsv``, else None."""
    if isinstance(given, Roster):
        return given
    if given is not None:
        return Roster(dict.fromkeys(given, ""))
    for folder in folders:
        if (folder / "participants.tsv").is_file():
            return roster(read_participants(folder, bad_cells="missing"))
    return None


def roster(people: Participants) -> Roster:
    """Return names, sequences and dates of infusion of the participants."""
    return Roster(people.sequences, people.infusions)


def participant_column(cells: Cells, findings: DataIssues, *names: str) -> list[str]:
    """Return the participant of every row; a row without one is wrong."""
    column = cells.need(*(names or ("participant_id",)))
    people = cells.text(column)
    for row, person in enumerate(people):
        if not person:
            findings.add(
                InputError(
                    "no participant",
                    file=cells.file,
                    where=cells.where(row, column),
                    remedy="name the participant or remove the row",
                )
            )
    return people


def _trials(cells: Cells, findings: DataIssues, sequences: Sequence[str]) -> list[str]:
    """Return the trial of every row; who was treated in none would be a trial of one person."""
    named, treated = _words(cells, "trial", ""), [bool(each) for each in sequences]
    for row in range(len(cells)) if any(named) else ():
        if treated[row] and not named[row]:
            findings.add(
                InputError(
                    "no trial, where others have one",
                    file=cells.file,
                    where=cells.where(row, str(cells.find("trial"))),
                    remedy="name the trial of this participant",
                )
            )
    return [trial or ("unnamed" if any(named) else "1") for trial in named]


def _words(cells: Cells, name: str, default: str) -> list[str]:
    column = cells.find(name)
    if column is None:
        return [default] * len(cells)
    return [word or default for word in cells.words(column)]


def _numbers(
    cells: Cells, findings: DataIssues, names: Sequence[str], low: float, high: float
) -> np.ndarray:
    column = cells.find(*names)
    if column is None:
        return np.full(len(cells), np.nan)
    return cells.numbers(column, findings, low=low, high=high)


def _sequences(cells: Cells, findings: DataIssues) -> list[str]:
    first = cells.find("infusion_1", "arm", "treatment")
    second = cells.find("infusion_2")
    if second and not first:
        raise InputError(
            "a column infusion_2 without infusion_1",
            file=cells.file,
            where="header",
            remedy="rename the column of the first infusion, or use data.participants.columns",
        )
    sequences = []
    for row in range(len(cells)):
        given = [_arm(cells, findings, row, column) for column in (first, second) if column]
        if len(given) == 2 and given[1] and given[0] == "":
            findings.add(
                InputError(
                    "a second infusion without a first",
                    file=cells.file,
                    where=cells.where(row, str(first)),
                    value=cells.columns[str(first)][row],
                    remedy="write the first infusion, or n/a for both",
                )
            )
            given = []
        if len(given) == 2 and given[0] and given[0] == given[1]:
            findings.add(
                InputError(
                    "both infusions have the same arm",
                    file=cells.file,
                    where=cells.where(row, str(second)),
                    value=cells.columns[str(second)][row],
                    remedy="a crossover gives each arm once; correct one of them",
                )
            )
            given = []
        known = None not in given
        sequences.append("-".join(arm for arm in given if arm) if known else "")
    return sequences


def _arm(cells: Cells, findings: DataIssues, row: int, column: str) -> str | None:
    code = cells.columns[column][row]
    arm = "" if is_missing(code) else arm_of(code)
    if arm == "" or arm in nm.ARMS:
        return arm
    findings.add(
        InputError(
            "unknown arm",
            file=cells.file,
            where=cells.where(row, column),
            value=code,
            remedy="known are " + ", ".join(sorted(ARM_CODES)) + ", n/a",
        )
    )
    return None


def _sex(cells: Cells, findings: DataIssues, sidecar: Mapping[str, Any]) -> list[float]:
    column = cells.find("sex", "gender")
    if column is None:
        return [float("nan")] * len(cells)
    levels = sidecar.get(column, {}).get("Levels")
    known = dict(_SEX)
    for level, meaning in levels.items() if isinstance(levels, Mapping) else ():
        if str(meaning).strip().lower() in _SEX:
            known[str(level).lower()] = _SEX[str(meaning).strip().lower()]
    values = []
    for row, word in enumerate(cells.words(column)):
        value = known.get(word.lower()) if word else float("nan")
        if value is None:
            value = float("nan")
            findings.add(
                InputError(
                    "unknown sex",
                    file=cells.file,
                    where=cells.where(row, column),
                    value=word,
                    remedy="write M, F or n/a, or describe the codes as Levels in the JSON file",
                )
            )
        values.append(value)
    return values
