"""Who received what in which period, from the rows of one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ketadask.schema import roles as r
from ketadask.schema.errors import InputError
from ketadask.sources.arm_words import check_arms
from ketadask.sources.cells import Cells
from ketadask.sources.codes import parse_number
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.names_order import natural_key
from ketadask.sources.participants import participant_column


@dataclass(frozen=True, eq=False)
class TrialRows:
    """The rows of a table by participant.

    Attributes
    ----------
    people
        Participants, in the order of the table.
    person, period
        int64 (row,): position of the participant, -1 without one; period of the row from 1, 0 where
        it belongs to all, -1 where its arm is not compared.
    sequences, left_out
        By participant: arms in order, as ``control-active``; why somebody has none.
    arms
        ``active`` or ``control`` by the value of the column of arms, without those left out.
    """

    people: list[str]
    person: np.ndarray
    period: np.ndarray
    sequences: list[str]
    left_out: list[str]
    arms: dict[str, str]

    def first(self, values: Sequence[str]) -> list[str]:
        """Return the first value of each participant that is not empty."""
        texts = [""] * len(self.people)
        for who, value in zip(self.person.tolist(), values, strict=True):
            if who >= 0 and value and not texts[who]:
                texts[who] = value
        return texts


def trial_rows(
    cells: Cells, roles: r.TableRoles, arms: Mapping[str, str] | None, issues: DataIssues
) -> TrialRows:
    """Return the participants of a table, their arms and the period of every row.

    In a crossover without a column of periods, the arms of a participant are in the order of the
    rows.
    """
    people, person = _people(cells, roles, issues)
    levels, arm_of = _arms(cells, roles, arms)
    column = roles.column_of(r.PERIOD)
    keys = cells.words(column) if column else levels
    treatments: list[dict[str, str]] = [{} for _ in people]  # arm by period, or by its own value
    for who, key, level in zip(person.tolist(), keys, levels, strict=True):
        if who >= 0 and key and level:
            treatments[who].setdefault(key, level)
    sequences, left_out, period_of = [], [], []
    for treatment in treatments:
        order = sorted(treatment, key=natural_key) if column else list(treatment)
        comparisons = [key for key in order if arm_of[treatment[key]]]
        sequences.append("-".join(arm_of[treatment[key]] for key in comparisons))
        others = sorted({treatment[key] for key in order if not arm_of[treatment[key]]})
        left_out.append(f"arm {', '.join(others)} is not compared" if others else "")
        own = {key: 0 if key == "" else -1 for key in ("", *order)}
        own |= {key: n for n, key in enumerate(comparisons, start=1)}
        own[""] = 1 if len(order) == 1 else 0
        period_of.append(own)
    periods = [
        period_of[who].get(key, 0) if who >= 0 else -1
        for who, key in zip(person.tolist(), keys, strict=True)
    ]
    names = {level: arm for level, arm in arm_of.items() if arm}
    return TrialRows(people, person, np.array(periods, dtype=np.int64), sequences, left_out, names)


def _people(cells: Cells, roles: r.TableRoles, issues: DataIssues) -> tuple[list[str], np.ndarray]:
    """Return the participants and the position of that of each row; by default a row is one."""
    column = roles.column_of(r.PARTICIPANT)
    names = (
        [f"row {line}" for line in cells.lines]
        if column is None
        else participant_column(cells, issues, column)
    )
    position: dict[str, int] = {}
    person = [position.setdefault(name, len(position)) if name else -1 for name in names]
    return list(position), np.array(person, dtype=np.int64)


def _arms(
    cells: Cells, roles: r.TableRoles, arms: Mapping[str, str] | None
) -> tuple[list[str], dict[str, str]]:
    """Return the value of the arm of every row, and the arm by value, empty if left out."""
    column = roles.column_of(r.ARM)
    if column is None:
        candidates = [
            name
            for name in roles.columns_of(r.CATEGORY, r.FEATURE, r.SITE)
            if 2 <= len(set(cells.words(name)) - {""}) <= 8
        ]
        raise InputError(
            "no column names the arm",
            file=cells.file,
            where="data.table.arm",
            remedy="write data.table.arm: COLUMN, or data.table.wide_pattern for a column per arm"
            + (f", for example {', '.join(candidates[:8])}" if candidates else ""),
        )
    rows = [arm_level(value) for value in cells.words(column)]
    levels = sorted(set(rows) - {""}, key=natural_key)
    if arms is not None:
        names = {arm_level(level): arm for level, arm in arms.items()}
        return rows, check_arms(levels, names, file=cells.file, column=column)
    if roles.arms_doubt:
        guess = {arm: level for level, arm in roles.arms.items() if arm}
        raise InputError(
            roles.arms_doubt,
            file=cells.file,
            where=f"column {column}",
            remedy="write data.arms, for example "
            + "{" + ", ".join(f"{level}: {arm}" for arm, level in guess.items()) + "}"
            "; values without an entry are left out",
        )  # fmt: skip
    return rows, {arm_level(level): arm for level, arm in roles.arms.items()}


def arm_level(value: str) -> str:
    """Return the value of an arm; numbers without decimals that are zero, ``1.0`` as ``1``."""
    value_of = parse_number(value) if value else None
    return str(int(value_of)) if value_of is not None and value_of.is_integer() else value
