"""The roles of the columns of a trial's table: what each is used for, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ketadask import names as nm

PARTICIPANT_ROW, VISIT_ROW = "participant", "visit"

PARTICIPANT, ARM, SEQUENCE, PERIOD = nm.PARTICIPANT, nm.ARM, "sequence", "period"
SESSION, DAY, SITE, TRIAL, CLUSTER = "session", "day", "site", "trial", "cluster"
FEATURE, CATEGORY = nm.FEATURE, "category"
OUTCOME, BASELINE, FOLLOW_UP, TIME, EVENT = "outcome", "baseline", "follow-up", "time", "event"
SCORE, DATE, TEXT, CONSTANT, ROW = "score", "date", "text", "constant", "row"
NO_USE = "not used"
FEATURE_ROLES = (FEATURE, CATEGORY, BASELINE)


@dataclass(frozen=True)
class ColumnRole:
    """The role of a column, the reason in words, and other roles it could have."""

    column: str
    role: str
    reason: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableRoles:
    """The roles of all columns of a table, one each, in the order of the table.

    Parameters
    ----------
    columns
        One entry per column.
    layout
        ``participant`` or ``visit``: what a row is.
    design
        ``parallel``, or ``crossover`` where participants have two arms.
    arms
        ``active`` or ``control`` by the value of the column of arms; empty where it is left out.
    arms_doubt
        Why the arms need a person's decision; empty where the values say it.
    """

    columns: tuple[ColumnRole, ...]
    layout: str
    design: str = "parallel"
    arms: Mapping[str, str] = field(default_factory=dict)
    arms_doubt: str = ""

    @cached_property
    def by_column(self) -> dict[str, ColumnRole]:
        """The entries by column."""
        return {entry.column: entry for entry in self.columns}

    def columns_of(self, *roles: str) -> list[str]:
        """Return the columns with one of these roles."""
        return [entry.column for entry in self.columns if entry.role in roles]

    def column_of(self, role: str) -> str | None:
        """Return the first column with a role, or None."""
        return next(iter(self.columns_of(role)), None)
