"""The roles of the columns of one table of a trial, guessed from names and values.

A guess computes nothing and reads no outcome: it says which column names the participant, the arm,
the visit, which were measured before treatment and can be features, and which came afterwards and
must not be. Each column has exactly one role, with the reason and the alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from ketadask.schema.roles import (
    ARM,
    BASELINE,
    CATEGORY,
    CLUSTER,
    DAY,
    EVENT,
    FEATURE,
    FOLLOW_UP,
    NO_USE,
    OUTCOME,
    PARTICIPANT,
    PARTICIPANT_ROW,
    PERIOD,
    ROW,
    SCORE,
    SEQUENCE,
    SESSION,
    SITE,
    TEXT,
    TIME,
    TRIAL,
    VISIT_ROW,
    ColumnRole,
    TableRoles,
)
from ketadask.sources.arm_words import arm_words, guess_arms
from ketadask.sources.cells import Cells
from ketadask.sources.codes import (
    is_missing,
)
from ketadask.sources.column_kinds import ColumnProfile, kind_of, plain_name
from ketadask.sources.names_order import natural_key
from ketadask.sources.role_names import (
    AFTER,
    AFTER_PATTERNS,
    AFTER_WORDS,
    BEFORE_WORDS,
    BOOKKEEPING,
    EVENT_NAMES,
    NAMES_BY_ROLE,
    OUTCOME_PATTERNS,
    ROW_NAMES,
    TIME_NAMES,
    VISIT_SUFFIX,
)

MAX_ARMS = 8
AS_SETTINGS = "as the settings say"
_FEW_WORDS = 5
_ROWS_PER_ARM = 5  # with fewer, a feature may agree with the arms by chance


def guess_roles(
    cells: Cells, role_columns: Mapping[str, str] | None = None, ignore: Sequence[str] = ()
) -> TableRoles:
    """Return the role of every column of a table, with reason and alternatives.

    Parameters
    ----------
    cells
        The table.
    role_columns
        Column by role, where somebody has said so; these are not guessed.
    ignore
        Columns to ignore.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = {"id": ["1", "2", "3"], "treatment": ["Drug", "Placebo", "Drug"],
    ...          "age": ["30", "41", "52"], "change": ["4", "1", "6"]}
    >>> roles = guess_roles(Cells(Path("t.csv"), table, [2, 3, 4]))
    >>> {entry.column: entry.role for entry in roles.columns}
    {'id': 'participant', 'treatment': 'arm', 'age': 'feature', 'change': 'outcome'}
    >>> roles.arms
    {'Drug': 'active', 'Placebo': 'control'}
    """
    guess = _Guess(cells)
    for role, column in (role_columns or {}).items():
        guess.give(cells.need(column), role, AS_SETTINGS)
    for column in ignore:
        guess.give(cells.need(column), NO_USE, AS_SETTINGS)
    return guess.roles()


class _Guess:
    """The state of one guess: the columns without a role yet, and the roles so far."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.names = {column: plain_name(column) for column in cells.columns}
        self.profiles = {
            column: ColumnProfile.of(values) for column, values in cells.columns.items()
        }
        self.columns_by_name: dict[str, list[str]] = {}
        for column, name in self.names.items():
            self.columns_by_name.setdefault(name, []).append(column)
        self.entries: dict[str, ColumnRole] = {}
        self.constant: dict[str, bool] = {}

    def give(self, column: str, role: str, reason: str, others: Sequence[str] = ()) -> None:
        self.entries[column] = ColumnRole(column, role, reason, tuple(others))

    def column_of(self, role: str) -> str | None:
        return next((c for c, entry in self.entries.items() if entry.role == role), None)

    def rest(self) -> list[str]:
        return [column for column in self.cells.columns if column not in self.entries]

    def roles(self) -> TableRoles:
        self.participant()
        person = self.column_of(PARTICIPANT)
        times = {*NAMES_BY_ROLE[SESSION], *NAMES_BY_ROLE[DAY], *NAMES_BY_ROLE[SITE]}
        for column in self.rest():
            if BOOKKEEPING.fullmatch(self.names[column]) and self.names[column] not in times:
                self.give(column, NO_USE, "bookkeeping of the export")
        layout = PARTICIPANT_ROW
        if (
            person is not None
            and len(self.profiles[person].levels) < self.profiles[person].n_values
        ):
            layout = VISIT_ROW
        self.arm()
        arm = self.column_of(ARM)
        both = layout == VISIT_ROW and arm is not None and not self.is_constant(arm)
        self.visits(layout, crossover=both)
        for role in (SITE, TRIAL, CLUSTER):
            self.by_name(role, lambda profile: len(profile.levels) > 1)
        crossover = both or self.column_of(SEQUENCE) is not None
        self.outcomes(layout)
        for column in self.rest():
            self.remaining(column)
        levels = self.arm_levels(arm)
        arms, doubt = guess_arms(levels) if levels else ({}, "no column names the arm")
        return TableRoles(
            tuple(self.entries[column] for column in self.cells.columns),
            layout,
            "crossover" if crossover else "parallel",
            arms,
            doubt,
        )

    def arm_levels(self, arm: str | None) -> list[str]:
        return sorted(self.profiles[arm].levels, key=natural_key) if arm else []

    def is_constant(self, column: str) -> bool:
        """Whether a column has one value per participant, blanks aside."""
        person = self.column_of(PARTICIPANT)
        if person is None:
            return True
        if column not in self.constant:
            self.constant[column] = self._is_constant(column, person)
        return self.constant[column]

    def _is_constant(self, column: str, person: str) -> bool:
        first: dict[str, str] = {}
        columns = self.cells.columns
        for who, value in zip(columns[person], columns[column], strict=True):
            if first.setdefault(who, value) == value or is_missing(value):
                continue
            if not is_missing(first[who]):
                return False
            first[who] = value
        return True

    def names_the_arm(self, column: str) -> bool:
        """Whether a column has the same levels as that of the arms, under other names."""
        arm = self.column_of(ARM)
        if arm is None or len(self.profiles[column].levels) != len(self.profiles[arm].levels):
            return False
        rows = zip(self.cells.words(column), self.cells.words(arm), strict=True)
        pairs = [pair for pair in rows if "" not in pair]
        n_levels = len(self.profiles[arm].levels)
        return len(set(pairs)) == n_levels and len(pairs) >= _ROWS_PER_ARM * n_levels

    def by_name(self, role: str, suits: Callable[[ColumnProfile], bool]) -> None:
        """Give the role to the first column with one of its names that suits it."""
        if self.column_of(role) is not None:
            return
        suitable = [c for c in self.with_names(NAMES_BY_ROLE[role]) if suits(self.profiles[c])]
        if suitable:
            self.give(suitable[0], role, "by its name", suitable[1:])

    def with_names(self, names: Iterable[str]) -> list[str]:
        """Return the columns without a role that have one of these names, in their order."""
        columns = [column for name in names for column in self.columns_by_name.get(name, ())]
        return [column for column in columns if column not in self.entries]

    def participant(self) -> None:
        for column in self.with_names(ROW_NAMES):
            if self.is_unique(column):
                self.give(column, ROW, "numbers the rows")
        self.by_name(PARTICIPANT, lambda profile: len(profile.levels) > 1)
        if self.column_of(PARTICIPANT) is None:
            ids = [c for c in self.rest() if self.names[c].endswith("id") and self.is_unique(c)]
            if ids:
                self.give(ids[0], PARTICIPANT, "its name ends in id, one value per row", ids[1:])

    def is_unique(self, column: str) -> bool:
        profile = self.profiles[column]
        return len(profile.levels) == profile.n_values == len(self.cells)

    def arm(self) -> None:
        if self.column_of(ARM) is not None:
            return
        self.by_name(ARM, lambda profile: 2 <= len(profile.levels) <= MAX_ARMS)
        if self.column_of(ARM) is None:
            by_value = [
                column
                for column in self.rest()
                if 2 <= len(self.profiles[column].levels) <= MAX_ARMS
                and arm_words(self.profiles[column].levels)
            ]
            if by_value:
                self.give(by_value[0], ARM, "its values name arms", by_value[1:])

    def visits(self, layout: str, *, crossover: bool) -> None:
        self.by_name(SEQUENCE, lambda profile: len(profile.levels) == 2)
        if layout == PARTICIPANT_ROW:
            return
        if crossover:
            self.by_name(PERIOD, lambda profile: len(profile.levels) <= MAX_ARMS)
        times = [
            column
            for column in self.with_names(
                dict.fromkeys(NAMES_BY_ROLE[DAY] + NAMES_BY_ROLE[SESSION])
            )
            if len(self.profiles[column].levels) > 1
        ]
        times = [column for column in times if not self.is_constant(column)]
        if times and not {DAY, SESSION} & {entry.role for entry in self.entries.values()}:
            role = DAY if self.profiles[times[0]].is_numeric else SESSION
            self.give(times[0], role, "by its name", times[1:])
        for column in times[1:]:
            self.give(column, ROW, "also numbers the visits", (DAY,))

    def outcomes(self, layout: str) -> None:
        """Tell what came after treatment from what came before, by the names of the columns."""
        numbers = [
            c
            for c in self.rest()
            if self.profiles[c].is_numeric or len(self.profiles[c].levels) == 2
        ]
        if layout == PARTICIPANT_ROW:
            self.wide([c for c in numbers if self.profiles[c].is_numeric])
            self.survival(numbers)
        else:
            numbers = [c for c in numbers if not self.is_constant(c)]
        if self.column_of(OUTCOME) is None and self.column_of(TIME) is None:
            few = [c for c in self.rest() if 2 < len(self.profiles[c].levels) <= _FEW_WORDS]
            words = [c for c in few if c not in numbers and layout == PARTICIPANT_ROW]
            self.outcome([*numbers, *words])
        self.baseline()
        own = self.names.get(self.column_of(OUTCOME) or "", "").split("_")
        for column in self.rest():
            name = self.names[column]
            words = name.split("_")
            if layout == PARTICIPANT_ROW and len(own) > 1 and len(words) > 1:
                is_alike = (own[0], own[-1]) != ("", "") and (
                    words[0] == own[0] or (words[-1] == own[-1] and len(own[-1]) > 2)
                )
                if is_alike and not re.match(rf"{BEFORE_WORDS}|pre", name):
                    self.give(column, FOLLOW_UP, "named like the outcome", (FEATURE, OUTCOME))
                    continue
            after = any(re.fullmatch(pattern, name) for pattern in AFTER_PATTERNS)
            visit = VISIT_SUFFIX.fullmatch(name)
            if layout == VISIT_ROW and column in numbers and self.profiles[column].is_numeric:
                self.give(column, SCORE, "differs between visits", (OUTCOME, FEATURE))
            elif AFTER.fullmatch(name) or after or (visit and _visit_day(visit) > 0):
                self.give(column, FOLLOW_UP, "its name says after treatment", (FEATURE, OUTCOME))

    def outcome(self, columns: Sequence[str]) -> None:
        """Give the role to the column with the best name, else to the total of a known scale."""
        for pattern in OUTCOME_PATTERNS:
            suitable = [c for c in columns if re.fullmatch(pattern, self.names[c])]
            suitable = [c for c in suitable if c not in self.entries]
            if suitable:
                self.give(suitable[0], OUTCOME, "its name is that of an outcome", suitable[1:])
                for column in suitable[1:]:
                    self.give(column, FOLLOW_UP, "its name is that of an outcome", (OUTCOME,))
                return

    def wide(self, numbers: Sequence[str]) -> None:
        """Give roles to columns of one scale at several visits: the last is the outcome."""
        stems: dict[str, list[tuple[int, str]]] = {}
        for column in numbers:
            match = VISIT_SUFFIX.fullmatch(self.names[column])
            if match:
                stem = match["stem"] or match["stem2"] or match["stem3"] or match["stem0"]
                stems.setdefault(stem, []).append((_visit_day(match), column))
        for columns in stems.values():
            columns.sort()
            if len(columns) < 2 or columns[-1][0] == 0:
                continue
            for day, column in columns:
                if self.column_of(OUTCOME) is None:
                    self.give(columns[-1][1], OUTCOME, "the last visit by its name")
                    if columns[0][0] == 0:
                        self.give(columns[0][1], BASELINE, "the first visit by its name")
                if column not in self.entries and day > 0:
                    self.give(column, FOLLOW_UP, "its name says a later visit", (OUTCOME,))

    def survival(self, numbers: Sequence[str]) -> None:
        times = [c for c in numbers if c not in self.entries and self.names[c] in TIME_NAMES]
        events = [
            column
            for column in self.rest()
            if self.names[column] in EVENT_NAMES and len(self.profiles[column].levels) <= 4
        ]
        if times and events:
            self.give(times[0], TIME, "its name is that of a time to an event", times[1:])
            self.give(events[0], EVENT, "its name is that of an event", events[1:])
            for column in (*times[1:], *events[1:]):
                self.give(column, FOLLOW_UP, "its name says after treatment", (OUTCOME,))

    def baseline(self) -> None:
        """Find the baseline of the outcome: the same name with a word for before."""
        outcome = self.column_of(OUTCOME)
        if outcome is None or self.column_of(BASELINE) is not None:
            return
        name = self.names[outcome]
        core = re.sub(AFTER_WORDS, "", name)
        suitable = [
            column
            for column in self.rest()
            if self.profiles[column].is_numeric and _is_baseline(self.names[column], core)
        ]
        if suitable:
            self.give(suitable[0], BASELINE, f"the baseline of {outcome}", (FEATURE,))

    def remaining(self, column: str) -> None:
        role, reason = kind_of(self.profiles[column])
        if role == CATEGORY and not self.is_constant(column):
            role, reason = TEXT, "text that differs between visits"
        elif role in (FEATURE, CATEGORY) and self.names_the_arm(column):
            role, reason = NO_USE, "has one value per arm, so it names the arm"
        self.give(column, role, reason, _ALTERNATIVES.get(role, ()))


_ALTERNATIVES = {FEATURE: (OUTCOME, FOLLOW_UP), CATEGORY: (SITE,), TEXT: (PARTICIPANT,)}


def _visit_day(match: re.Match[str]) -> int:
    """Return the number of a visit in a name, 0 before treatment."""
    return int(match["n"] or match["n2"] or match["n3"] or 0)


def _is_baseline(name: str, core: str) -> bool:
    """Whether a name is that of the baseline of ``core``.

    Examples
    --------
    >>> _is_baseline("pre_wt", "wt"), _is_baseline("base", "y"), _is_baseline("presentation", "wt")
    (True, True, False)
    """
    if not core:
        return bool(re.fullmatch(BEFORE_WORDS, name))
    own = rf"{re.escape(core)}_?{BEFORE_WORDS}|{BEFORE_WORDS}_?{re.escape(core)}"
    return bool(re.fullmatch(own, name)) or name in ("base", "baseline", "pre", "bl")
