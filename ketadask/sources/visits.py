"""Visits: the infusion a session belongs to, the days after it, and the dates to check it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from ketadask import names as nm
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.cells import Cells
from ketadask.sources.codes import is_missing
from ketadask.sources.data_issues import DataIssues

PERIODS = r"ses-p(?P<period>[12])d(?P<day>\d+)"
ARMS = r"ses-(?P<arm>[bdp])(?P<day>\d+)"
SHARED_BASELINE = "shared"
NO_PERIOD = -1

_ARM_WORDS = {
    nm.ACTIVE: ("d", "k", "a", "drug", "active", "ketamine", "verum"),
    nm.CONTROL: ("p", "c", "placebo", "control", "saline"),
    SHARED_BASELINE: ("b", "base", "baseline"),
}
ARM_CODES = {word: arm for arm, words in _ARM_WORDS.items() for word in words}


class Visit(NamedTuple):
    """One visit: period (0 if not given, or shared by both), arm (may be empty), day."""

    period: int
    arm: str
    day: int


ONCE = Visit(0, SHARED_BASELINE, 0)


def parse_arm(code: str) -> str | None:
    """Return active, control or shared for a code such as ``d``, ``p``, ``b``, else None.

    Examples
    --------
    >>> parse_arm("d"), parse_arm("Placebo"), parse_arm("x")
    ('active', 'control', None)
    """
    return ARM_CODES.get(code.strip().lower())


def period_of_visit(sequence: str, period: int, arm: str, day: int) -> int:
    """Return the period a visit belongs to: 0 for both, -1 where it contradicts the sequence.

    A visit named by its arm belongs to the period of that arm. A visit contradicts the sequence if
    the participant did not receive its arm, or received it in another period, or did not receive
    the infusion it follows. With an unknown sequence there is no contradiction, but a visit named
    by its arm alone has no period.

    Examples
    --------
    >>> period_of_visit("control-active", 0, "active", 7), period_of_visit("active", 2, "", 7)
    (2, -1)
    """
    arms = sequence.split("-")
    if arm == SHARED_BASELINE:
        return period
    if arm == "":
        without_infusion = sequence != "" and period > len(arms) and day > 0
        return NO_PERIOD if without_infusion or not period else period
    if arm not in arms:
        return NO_PERIOD
    by_arm = arms.index(arm) + 1
    return by_arm if period in (0, by_arm) else NO_PERIOD


@dataclass(frozen=True)
class VisitPattern:
    """A regular expression with the named groups ``day`` and ``period`` or ``arm``.

    With ``period`` a session belongs to the first or the second infusion. With ``arm`` it belongs
    to the infusion of that arm, whatever its position in the sequence; the code ``b`` stands for
    one baseline shared by both. Day 0 is the baseline before the infusion.

    Examples
    --------
    >>> VisitPattern().visit("ses-p2d7")
    Visit(period=2, arm='', day=7)
    >>> VisitPattern(ARMS).visit("ses-d2"), VisitPattern(ARMS).visit("ses-b0")
    (Visit(period=0, arm='active', day=2), Visit(period=0, arm='shared', day=0))
    """

    pattern: str = PERIODS

    def __post_init__(self) -> None:
        groups = set(compile_pattern(self.pattern, "session_pattern").groupindex)
        unknown = sorted(groups - {"period", "arm", "day"})
        if unknown:
            raise InputError(
                "unknown group in the pattern of sessions",
                where="session_pattern",
                value=unknown[0],
                remedy=nearest(unknown[0], ("period", "arm", "day")),
            )
        if "day" not in groups or not groups & {"period", "arm"}:
            raise InputError(
                "the pattern of sessions needs the named groups day and period or arm",
                where="session_pattern",
                value=self.pattern,
                remedy=f"write for example {PERIODS} or {ARMS}",
            )

    def visit(self, session: str) -> Visit:
        """Return the visit of a session, or raise an InputError without file and row."""
        match = re.fullmatch(self.pattern, session.strip())
        if match is None:
            raise InputError(
                "session does not match the pattern " + self.pattern,
                value=session,
                remedy=f"set data.session_pattern, for example {self._other(session)}; where "
                "trials name their visits differently, rename them alike, for example ses-p1d0 for "
                "period 1, day 0, or give data.tables columns of period and day",
            )
        return build_visit(match.groupdict(), session)

    def _other(self, session: str) -> str:
        for pattern in (PERIODS, ARMS):
            if re.fullmatch(pattern, session.strip()):
                return pattern
        return ARMS if self.pattern == PERIODS else PERIODS


def compile_pattern(pattern: str, where: str) -> re.Pattern[str]:
    """Return a compiled regular expression; ``where`` names it in errors."""
    try:
        return re.compile(pattern)
    except re.error as error:
        problem = f"not a regular expression ({error})"
        remedy = "correct the expression"
        raise InputError(problem, where=where, value=pattern, remedy=remedy) from None


def build_visit(groups: Mapping[str, str | None], session: str) -> Visit:
    """Return the visit with these groups of a pattern; errors show ``session``."""
    period = _integer(groups["period"], "period", session) if groups.get("period") else 0
    if period < 0:
        remedy = "correct the session"
        raise InputError("the period of a session is 1, 2, ...", value=session, remedy=remedy)
    day = _integer(groups["day"], "day", session)
    code = groups.get("arm")
    if not code:
        return Visit(period, "" if period else SHARED_BASELINE, day)
    arm = parse_arm(code)
    if arm is None:
        remedy = "valid are " + ", ".join(sorted(ARM_CODES))
        raise InputError(f"unknown arm {code!r} in the session", value=session, remedy=remedy)
    return Visit(period, arm, day)


def _integer(text: str | None, group: str, session: str) -> int:
    if text is None or not re.fullmatch(r"-?[0-9]{1,6}", text):
        problem = f"the {group} of the session must be an integer"
        raise InputError(problem, value=session, remedy="correct the session")
    return int(text)


DATE_COLUMNS = ("visit_date", "session_date", "interview_date", "acq_time", "date")
_DATE_FORMATS = (
    r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ].*)?",
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
    r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",
)


def parse_date(cell: str) -> date | None:
    """Return the date in a cell: year-month-day, or month/day/year as in the archives.

    Examples
    --------
    >>> parse_date("2004-11-03T10:00:00"), parse_date("11/3/2004"), parse_date("3.11.2004")
    (datetime.date(2004, 11, 3), datetime.date(2004, 11, 3), None)
    """
    for pattern in _DATE_FORMATS:
        match = re.fullmatch(pattern, cell.strip(), flags=re.ASCII)
        if match:
            try:
                return date(int(match["y"]), int(match["m"]), int(match["d"]))
            except ValueError:
                return None
    return None


def date_column(cells: Cells, column: str | None, issues: DataIssues) -> list[date | None]:
    """Return the date of every row, None where missing or wrong."""
    dates: list[date | None] = [None] * len(cells)
    for row, cell in enumerate(cells.columns[column] if column else ()):
        if not is_missing(cell):
            dates[row] = parse_date(cell)
            if dates[row] is None:
                remedy = "write year-month-day, or n/a where it is unknown"
                issues.add(cells.error(row, str(column), "not a date", remedy))
    return dates


class _DatedVisit(NamedTuple):
    period: int
    day: int
    row: int
    session: str
    date: date


def date_conflicts(
    cells: Cells,
    visits: Mapping[str, Mapping[Visit, tuple[int, str]]],
    sequences: Mapping[str, str],
    infusions: Mapping[str, Sequence[date | None]],
    issues: DataIssues,
) -> set[int]:
    """Return the rows whose dates contradict their sessions; each pair is one issue.

    Parameters
    ----------
    cells
        The file; without a column of dates there is no conflict.
    visits
        Row and session of each visit, per participant.
    sequences
        Arms in order of infusion per participant, empty where unknown.
    infusions
        Dates of the infusions per participant, where known.
    """
    column = cells.find(*DATE_COLUMNS)
    if column is None:
        return set()
    dates = date_column(cells, column, issues)
    conflicts: set[int] = set()
    for participant, rows in visits.items():
        in_order: list[_DatedVisit] = []
        for visit, (row, session) in rows.items():
            period, day = period_of_visit(sequences.get(participant, ""), *visit), dates[row]
            if period != NO_PERIOD and day is not None:
                in_order.append(_DatedVisit(period, visit.day, row, session, day))
        in_order.sort()
        for earlier, later in pairwise(in_order):
            if earlier.date > later.date:
                problem = (
                    f"{later.session} is dated before {earlier.session}, which is {earlier.date} "
                    f"in row {cells.lines[earlier.row]}"
                )
                remedy = "correct the sessions, or the date"
                issues.add(cells.error(later.row, column, problem, remedy))
                conflicts |= {earlier.row, later.row}
        days = infusions.get(participant, ())
        for entry in in_order:
            infusion = days[entry.period - 1] if 0 < entry.period <= len(days) else None
            is_before = entry.day <= 0
            if infusion and (entry.date > infusion if is_before else entry.date < infusion):
                side = "after" if is_before else "before"
                problem = f"{entry.session} is dated {side} infusion {entry.period} of {infusion}"
                remedy = "correct the session, or the date"
                issues.add(cells.error(entry.row, column, problem, remedy))
                conflicts.add(entry.row)
    return conflicts
