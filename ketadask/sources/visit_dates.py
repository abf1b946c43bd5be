"""Dates, where a file has them: visits come in their order, on their side of the infusion."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise

from ketadask.schema import InputError
from ketadask.sources.cells import Cells
from ketadask.sources.codes import is_missing
from ketadask.sources.findings import Findings
from ketadask.sources.visits import UNPLACED, Visit, placed

COLUMNS = ("visit_date", "session_date", "interview_date", "acq_time", "date")
_WAYS = (
    r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ].*)?",
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
    r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",
)


def as_date(cell: str) -> date | None:
    """Return the date a cell spells: year-month-day, or month/day/year as the archives write it.

    Examples
    --------
    >>> as_date("2004-11-03T10:00:00"), as_date("11/3/2004"), as_date("3.11.2004")
    (datetime.date(2004, 11, 3), datetime.date(2004, 11, 3), None)
    """
    for way in _WAYS:
        found = re.fullmatch(way, cell.strip(), flags=re.ASCII)
        if found:
            try:
                return date(int(found["y"]), int(found["m"]), int(found["d"]))
            except ValueError:
                return None
    return None


def date_column(cells: Cells, column: str | None, findings: Findings) -> list[date | None]:
    """Return the date of every row, None where there is none; what is no date is wrong."""
    dates: list[date | None] = [None] * len(cells)
    for row, cell in enumerate(cells.columns[column] if column else ()):
        if is_missing(cell):
            continue
        dates[row] = as_date(cell)
        if dates[row] is None:
            findings.add(
                InputError(
                    "not a date",
                    file=cells.file,
                    where=cells.where(row, str(column)),
                    value=cell,
                    remedy="write year-month-day, or n/a where it is not known",
                )
            )
    return dates


def misdated(
    cells: Cells,
    visits: Mapping[str, Mapping[Visit, tuple[int, str]]],
    sequences: Mapping[str, str],
    infusions: Mapping[str, Sequence[date | None]],
    findings: Findings,
) -> set[int]:
    """Return the rows whose dates contradict what their sessions say, each pair once reported.

    Parameters
    ----------
    cells
        The file; without a column of dates nothing is contradicted.
    visits
        Row and session of each visit, per participant.
    sequences
        Arms in order of infusion per participant, empty where unknown.
    infusions
        Dates of the infusions per participant, where known.
    """
    column = cells.find(*COLUMNS)
    if column is None:
        return set()
    dates = date_column(cells, column, findings)
    wrong: set[int] = set()
    for person, rows in visits.items():
        placed_rows = []
        for visit, (row, session) in rows.items():
            period, day = placed(sequences.get(person, ""), *visit), dates[row]
            if period != UNPLACED and day is not None:
                placed_rows.append((period, visit.day, row, session, day))
        placed_rows.sort()
        for earlier, later in pairwise(placed_rows):
            if earlier[4] > later[4]:
                problem = (
                    f"{later[3]} is dated before {earlier[3]}, which is {earlier[4]} in row "
                    f"{cells.lines[earlier[2]]}"
                )
                _say(cells, later[2], column, problem, "correct the sessions", findings)
                wrong |= {earlier[2], later[2]}
        for period, number, row, session, day in placed_rows:
            given = infusions.get(person, ())
            infusion = given[period - 1] if 0 < period <= len(given) else None
            if infusion and (day > infusion if number <= 0 else day < infusion):
                side = "after" if number <= 0 else "before"
                problem = f"{session} is dated {side} infusion {period} of {infusion}"
                _say(cells, row, column, problem, "correct the session", findings)
                wrong.add(row)
    return wrong


def _say(
    cells: Cells, row: int, column: str, problem: str, remedy: str, findings: Findings
) -> None:
    findings.add(
        InputError(
            problem,
            file=cells.file,
            where=cells.where(row, column),
            value=cells.columns[column][row],
            remedy=f"{remedy}, or the date",
        )
    )
