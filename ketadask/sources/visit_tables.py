"""Scores per participant and visit: one tidy table per file, joined into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Phenotype
from ketadask.sources.cells import Cells
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.names_order import natural_key
from ketadask.sources.participants import Roster, participant_column
from ketadask.sources.scale_columns import KEYS, VISIT, ScaleColumn, check_totals
from ketadask.sources.visits import (
    COLUMNS,
    ONCE,
    UNPLACED,
    Visit,
    VisitPattern,
    misdated,
    period_of_visit,
)

T = TypeVar("T")
_ASIDE = "; or leave the column aside (ignore)"


@dataclass(frozen=True)
class VisitReader:
    """Turns a file of scores into one row per participant and visit.

    ``who`` and ``when`` name the columns that say so, ``roster`` the participants of the study
    (None: anybody). Without a column ``when`` everything was measured once, or at the visit
    ``always``. Columns ``ignore`` hold no scores.
    """

    pattern: VisitPattern
    roster: Roster | None
    findings: DataIssues
    who: str = "participant_id"
    when: str = "session_id"
    always: tuple[str, Visit] = ("", ONCE)
    ignore: frozenset[str] = frozenset()

    def keys(self, cells: Cells) -> frozenset[str]:
        """Return the columns of a file that hold no scores: those who say who and when first."""
        found = (cells.find(self.who), cells.find(self.when), cells.find(*COLUMNS))
        return frozenset(column for column in found if column) | self.ignore

    def table(self, cells: Cells, columns: list[ScaleColumn]) -> Phenotype:
        """Return the scores of a file per participant and visit, wrong rows left out."""
        values = {
            c.name: cells.numbers(
                c.header, self.findings, low=c.low, high=c.high, text_remedy=_ASIDE
            )
            for c in columns
        }
        check_totals(cells, columns, values, self.findings)
        empty = np.logical_and.reduce([np.isnan(column) for column in values.values()])
        rows, visits = self._visits(cells, empty)
        table = pd.DataFrame(visits, columns=list(KEYS))
        scores = pd.DataFrame({name: column[rows] for name, column in values.items()})
        table = pd.concat([table, scores], axis=1)
        used = {c.header for c in columns} | (self.keys(cells) - self.ignore)
        return Phenotype(
            table,
            labels={c.name: c.label for c in columns},
            limits={c.name: (c.low, c.high) for c in columns},
            units={c.name: c.unit for c in columns if c.unit},
            ignored=sorted(set(cells.columns) - used),
            files=[str(cells.file)],
        )

    def _visits(self, cells: Cells, empty: np.ndarray) -> tuple[list[int], list[tuple[Any, ...]]]:
        people = participant_column(cells, self.findings, self.who)
        column = cells.find(self.when)
        sessions = cells.text(column) if column else [self.always[0]] * len(cells)
        found: dict[str, dict[Visit, tuple[int, str]]] = {}
        meant: dict[str, Visit] = {}
        doubled: set[int] = set()
        for row, (person, session) in enumerate(zip(people, sessions, strict=True)):
            if not person or not self._is_known(person, cells, row):
                continue
            if column and not session and empty[row]:
                continue  # nothing was recorded; assembling lists the participant
            visit = meant.get(session) or self._visit(session, cells, row, column)
            if visit is None:
                continue
            meant[session] = visit
            first = found.setdefault(person, {}).setdefault(visit, (row, session))[0]
            if first != row:
                doubled |= {first, row}  # which of them is right must not depend on their order
                problem = f"visit appears twice, first in row {cells.lines[first]}"
                remedy = "keep one row per participant and session"
                self._say(cells, row, column, problem, f"{person} {session}".strip(), remedy)
                continue
            if self._contradicted(person, visit) and not empty[row]:
                # Assembling places it nowhere, and says so where an outcome is missing for it.
                problem = f"session does not fit the infusions {self._sequences()[person]}"
                remedy = "correct the session, or the infusions in participants.tsv"
                self._say(cells, row, column, problem, session, remedy)
        infusions = self.roster.infusions if self.roster else {}
        wrong = misdated(cells, found, self._sequences(), infusions, self.findings) | doubled
        kept = sorted(
            (row, person, session, visit)
            for person, rows in found.items()
            for visit, (row, session) in rows.items()
            if row not in wrong
        )
        return [row for row, *_ in kept], [(who, when, *visit) for _, who, when, visit in kept]

    def _sequences(self) -> Mapping[str, str]:
        return self.roster.sequences if self.roster else {}

    def _contradicted(self, person: str, visit: Visit) -> bool:
        sequence = self._sequences().get(person, "")
        return bool(sequence) and period_of_visit(sequence, *visit) == UNPLACED

    def _say(
        self, cells: Cells, row: int, column: str | None, problem: str, value: str, remedy: str
    ) -> None:
        where = cells.where(row, column or self.who)
        self.findings.add(
            InputError(problem, file=cells.file, where=where, value=value, remedy=remedy)
        )

    def _is_known(self, person: str, cells: Cells, row: int) -> bool:
        if self.roster is None or person in self.roster.sequences:
            return True
        known = sorted(self.roster.sequences)
        add = "add the participant to participants.tsv, or correct the name"
        remedy = add if len(known) > 20 else nearest(person, known)
        self._say(cells, row, cells.need(self.who), "unknown participant", person, remedy)
        return False

    def _visit(self, session: str, cells: Cells, row: int, column: str | None) -> Visit | None:
        if column is None:
            return self.always[1]
        try:
            return self.pattern.visit(session)
        except InputError as error:
            self._say(cells, row, column, error.problem, session, str(error.remedy))
            return None


def check_ignored(phenotype: Phenotype, ignore: Iterable[str]) -> None:
    """Refuse a column to ignore that is in none of the files."""
    for name in ignore:
        if name not in phenotype.ignored:
            raise InputError(
                "no such column in any file",
                file=phenotype.folder,
                where="ignore",
                value=name,
                remedy=nearest(name, [*phenotype.labels, *phenotype.ignored]),
            )


def place_visits(phenotype: Phenotype, sequences: Mapping[str, str]) -> Phenotype:
    """Return the visits of the participants with the period each belongs to.

    A visit named by its arm gets the period in which the participant was given that arm; a
    baseline shared by both periods gets period 0. A visit that contradicts the sequence gets
    period -1: it is used nowhere.

    Parameters
    ----------
    phenotype
        What ``read_phenotype`` returns.
    sequences
        Arms in order of infusion per participant, for example ``active-control``.
    """
    visits = phenotype.table[phenotype.table[nm.PARTICIPANT].isin(list(sequences))].copy()
    visits["period"] = [
        period_of_visit(sequences[person], *visit)
        for person, *visit in zip(*(visits[name] for name in VISIT), strict=True)
    ]
    return replace(phenotype, table=visits)


def join_scales(
    tables: list[Phenotype], folder: Path, findings: DataIssues, roster: Roster | None
) -> Phenotype:
    """Return the outer join of tables on participant and visit, in canonical order.

    The list is emptied: each table is let go once its scores are copied.
    """
    owners: dict[str, str] = {}
    for table in tables:
        for name in table.labels:
            if name in owners:
                raise InputError(
                    f"{name} is in two files",
                    file=table.files[0],
                    where=f"column {name}",
                    remedy=f"remove it here or in {owners[name]}",
                )
            owners[name] = table.files[0]
    visits, rows = _all_visits([table.table for table in tables])
    joined = Phenotype(
        visits,
        labels=merge_facts(table.labels for table in tables),
        findings=findings.records(),
        limits=merge_facts(table.limits for table in tables),
        units=merge_facts(table.units for table in tables),
        ignored=[name for table in tables for name in table.ignored],
        folder=str(folder),
        files=[file for table in tables for file in table.files],
        sequences=roster.sequences if roster else {},
    )
    names = sorted(owners, key=natural_key)
    scores = np.full((len(names), len(visits)), np.nan)
    while tables:
        table, mine = tables.pop(), rows.pop()
        for name in table.labels:
            scores[names.index(name), mine] = table.table[name].to_numpy()
    columns = pd.DataFrame(scores.T, columns=names, copy=False)
    return replace(joined, table=pd.concat([visits, columns], axis=1))


def _all_visits(tables: list[pd.DataFrame]) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Return the visits of all tables, sorted, and which of them the rows of each table are.

    A visit is one whole number here: sorting and matching text of every row of every table would
    take more memory than the scores.
    """
    who = pd.Index(sorted(set().union(*(table[nm.PARTICIPANT].unique() for table in tables))))
    arms = pd.Index(sorted(set().union(*(table[nm.ARM].unique() for table in tables))))
    period = max((int(table["period"].max()) + 1 for table in tables if len(table)), default=1)
    first = min((int(table["day"].min()) for table in tables if len(table)), default=0)
    days = max((int(table["day"].max()) - first + 1 for table in tables if len(table)), default=1)
    keys = []
    for table in tables:
        key = who.get_indexer(table[nm.PARTICIPANT]).astype(np.int64) * period
        key = (key + table["period"].to_numpy(np.int64)) * len(arms)
        key = (key + arms.get_indexer(table[nm.ARM])) * days
        keys.append(key + table["day"].to_numpy(np.int64) - first)
    every = np.unique(np.concatenate(keys))
    rows = [np.searchsorted(every, key) for key in keys]
    session = np.full(len(every), None, dtype=object)
    for table, mine in zip(tables, rows, strict=True):
        new, old = np.array(table["session"], dtype=object), session[mine]
        known = np.array([value is not None for value in old], dtype=bool)
        new[known] = np.minimum(new[known], old[known])  # one name whichever file comes first
        session[mine] = new
    left, day = np.divmod(every, days)
    left, arm = np.divmod(left, len(arms))
    person, number = np.divmod(left, period)
    visits = {nm.PARTICIPANT: who[person], "session": session, "period": number}
    return pd.DataFrame(visits | {nm.ARM: arms[arm], "day": day + first}), rows


def merge_facts(facts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    """Return the entries of several mappings in one, the last of a name."""
    return {name: value for fact in facts for name, value in fact.items()}
