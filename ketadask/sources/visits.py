"""What the name of a session says: which infusion it belongs to, and how many days after it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from ketadask import names as nm
from ketadask.schema import InputError, nearest

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


def placed(sequence: str, period: int, arm: str, day: int) -> int:
    """Return the period a visit belongs to: 0 for both, -1 where it contradicts the sequence.

    A visit named by its arm belongs to the period in which that arm was given. A visit contradicts
    the sequence when its arm was never given, or in another period, or when it follows an infusion
    that was not given. With an unknown sequence nothing can be contradicted, but a visit named by
    its arm alone has no place either.

    Examples
    --------
    >>> placed("control-active", 0, "active", 7), placed("active", 2, "", 7)
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
                f"not a regular expression ({error})", where="visits", value=self.pattern
            ) from None
        unknown = sorted(groups - {"period", "arm", "day"})
        if unknown:
            raise InputError(
                "unknown group in the pattern of sessions",
                where="visits",
                value=unknown[0],
                remedy=nearest(unknown[0], ("period", "arm", "day")),
            )
        if "day" not in groups or not groups & {"period", "arm"}:
            raise InputError(
                "the pattern of sessions needs the named groups day and period or arm",
                where="visits",
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
                remedy=f"set the pattern (data.visits), for example {self._other(session)}; where "
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
