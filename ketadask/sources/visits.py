"""What the name of a session says: which infusion it belongs to, and how many days after it."""

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
SHARED = "shared"
UNPLACED = -1

_ARM_WORDS = {
    nm.ACTIVE: ("d", "k", "a", "drug", "active", "ketamine", "verum"),
    nm.CONTROL: ("p", "c", "placebo", "control", "saline"),
    SHARED: ("b", "base", "baseline"),
}
ARM_CODES = {word: arm for arm, words in _ARM_WORDS.items() for word in words}


class Visit(NamedTuple):
    """One visit: period (0 where not said, or shared by both), arm (empty where not said), day."""

    period: int
    arm: str
    day: int


ONCE = Visit(0, SHARED, 0)


def arm_of(code: str) -> str | None:
    """Return active, control or shared for a code such as ``d``, ``p``, ``b``, else None.

    Examples
    --------
    >>> arm_of("d"), arm_of("Placebo"), arm_of("x")
    ('active', 'control', None)
    """
    return ARM_CODES.get(code.strip().lower())


def period_of_visit(sequence: str, period: int, arm: str, day: int) -> int:
    """Return the period a visit belongs to: 0 for both, -1 where it contradicts the sequence.

    A visit named by its arm belongs to the period in which that arm was given. A visit contradicts
    the sequence when its arm was never given, or in another period, or when it follows an infusion
    that was not given. With an unknown sequence nothing can be contradicted, but a visit named by
    its arm alone has no place either.

    Examples
    --------
    >>> period_of_visit("control-active", 0, "active", 7), period_of_visit("active", 2, "", 7)
    (2, -1)
    """
    given = sequence.split("-")
    if arm == SHARED:
        return period
    if arm == "":
        late = sequence != "" and period > len(given) and day > 0
        return UNPLACED if late or not period else period
    if arm not in given:
        return UNPLACED
    by_arm = given.index(arm) + 1
    return by_arm if period in (0, by_arm) else UNPLACED


@dataclass(frozen=True)
class VisitPattern:
    """A regular expression with the named groups ``day`` and ``period`` or ``arm``.

    With ``period`` a session belongs to the first or the second infusion. With ``arm`` it belongs
    to the infusion of that arm, wherever in the sequence it was given; the code ``b`` stands for
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
        try:
            groups = set(re.compile(self.pattern).groupindex)
        except re.error as error:
            raise InputError(
                f"not a regular expression ({error})", where="session_pattern", value=self.pattern
            ) from None
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
        """Return what a session name says, or an InputError without its file and row."""
        found = re.fullmatch(self.pattern, session.strip())
        if found is None:
            raise InputError(
                "session does not match the pattern " + self.pattern,
                value=session,
                remedy=f"set data.session_pattern, for example {self._other(session)}; where "
                "trials name their visits differently, rename them alike, for example ses-p1d0 for "
                "period 1, day 0, or give data.tables columns of period and day",
            )
        return visit_of(found.groupdict(), session)

    def _other(self, session: str) -> str:
        for pattern in (PERIODS, ARMS):
            if re.fullmatch(pattern, session.strip()):
                return pattern
        return ARMS if self.pattern == PERIODS else PERIODS


def visit_of(said: dict[str, str | None], session: str) -> Visit:
    """Return the visit that the groups of a pattern say; ``session`` is shown where it is wrong."""
    return Visit(*_period_and_arm(said, session), _whole(said["day"], "day", session))


def _period_and_arm(said: dict[str, str | None], session: str) -> tuple[int, str]:
    period = said.get("period")
    number = _whole(period, "period", session) if period else 0
    if number < 0:
        raise InputError("the period of a session is 1, 2, ...", value=session, remedy="mend it")
    code = said.get("arm")
    if not code:
        return number, "" if number else SHARED
    arm = arm_of(code)
    if arm is None:
        raise InputError(
            f"unknown arm {code!r} in the session",
            value=session,
            remedy="known are " + ", ".join(sorted(ARM_CODES)),
        )
    return number, arm


def _whole(text: str | None, group: str, session: str) -> int:
    if text is None or not re.fullmatch(r"-?[0-9]{1,6}", text):
        raise InputError(
            f"the {group} of the session must be a whole number", value=session, remedy="mend it"
        )
    return int(text)


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


def date_column(cells: Cells, column: str | None, findings: DataIssues) -> list[date | None]:
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
    findings: DataIssues,
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
            period, day = period_of_visit(sequences.get(person, ""), *visit), dates[row]
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
    cells: Cells, row: int, column: str, problem: str, remedy: str, findings: DataIssues
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
