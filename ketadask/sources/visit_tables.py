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
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.cells import Cells
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.names_order import natural_key
from ketadask.sources.participants import participant_column
from ketadask.sources.scale_columns import KEYS, VISIT, ScaleColumn, check_totals
from ketadask.sources.visit_labels import visit_day
from ketadask.sources.visits import (
    DATE_COLUMNS,
    NO_PERIOD,
    ONCE,
    Visit,
    VisitPattern,
    date_conflicts,
    period_of_visit,
)

T = TypeVar("T")
_IGNORE = "; or ignore the column (ignore)"


@dataclass(frozen=True)
class VisitReader:
    """Turns a file of scores into one row per participant and visit.

    Parameters
    ----------
    pattern
        Pattern of the session names.
    participants
        Participants of the study; any participant is valid if None.
    issues
        Collects wrong cells.
    participant, session
        Columns of participant and session.
    session_and_visit
        Session and visit of all rows of a file without a column of sessions.
    ignore
        Columns that hold no scores.
    """

    pattern: VisitPattern
    participants: Participants | None
    issues: DataIssues
    participant: str = "participant_id"
    session: str = "session_id"
    session_and_visit: tuple[str, Visit] = ("", ONCE)
    ignore: frozenset[str] = frozenset()

    def keys(self, cells: Cells) -> frozenset[str]:
        """Return the columns of a file that hold no scores."""
        keys = cells.find(self.participant), cells.find(self.session), cells.find(*DATE_COLUMNS)
        return frozenset(column for column in keys if column) | self.ignore

    def table(self, cells: Cells, columns: list[ScaleColumn]) -> Phenotype:
        """Return the scores of a file per participant and visit, without wrong rows."""
        values = {
            c.name: cells.numbers(
                c.header, self.issues, low=c.low, high=c.high, text_remedy=_IGNORE
            )
            for c in columns
        }
        check_totals(cells, columns, values, self.issues)
        empty = np.logical_and.reduce([np.isnan(column) for column in values.values()])
        rows, visits = self._visits(cells, empty)
        table = pd.DataFrame(visits, columns=list(KEYS))
        scores = pd.DataFrame({name: column[rows] for name, column in values.items()})
        headers = {c.header for c in columns} | (self.keys(cells) - self.ignore)
        return Phenotype(
            pd.concat([table, scores], axis=1),
            labels={c.name: c.label for c in columns},
            limits={c.name: (c.low, c.high) for c in columns},
            units={c.name: c.unit for c in columns if c.unit},
            ignored=sorted(set(cells.columns) - headers),
            files=[str(cells.file)],
        )

    def _visits(self, cells: Cells, empty: np.ndarray) -> tuple[list[int], list[tuple[Any, ...]]]:
        """Return the rows of the file to use, and participant, session and visit of each."""
        participants = participant_column(cells, self.issues, self.participant)
        column = cells.find(self.session)
        default, once = self.session_and_visit
        sessions = cells.text(column) if column else [default] * len(cells)
        where = column or cells.need(self.participant)
        visit_of: dict[str, Visit | None] = {} if column else {default: once}
        rows: dict[str, dict[Visit, tuple[int, str]]] = {}
        duplicates: set[int] = set()
        for row, (participant, session) in enumerate(zip(participants, sessions, strict=True)):
            if not participant or not self._is_valid(participant, cells, row):
                continue
            if column and not session and empty[row]:
                continue  # nothing was recorded; assembling lists the participant
            visit = visit_of.get(session) or self._parse(session, cells, row, where)
            if visit is None:
                continue
            visit_of[session] = visit
            first = rows.setdefault(participant, {}).setdefault(visit, (row, session))[0]
            if first != row:
                duplicates |= {first, row}  # which of them is right must not depend on their order
                problem = f"visit appears twice, first in row {cells.lines[first]}"
                remedy = "keep one row per participant and session"
                value = f"{participant} {session}".strip()
                self.issues.add(cells.error(row, where, problem, remedy, value))
            elif self._is_contradiction(participant, visit) and not empty[row]:
                # Assembling ignores it, and reports it where an outcome is missing.
                problem = f"session does not fit the infusions {self._sequences()[participant]}"
                remedy = "correct the session, or the infusions in participants.tsv"
                self.issues.add(cells.error(row, where, problem, remedy, session))
        infusions = self.participants.infusions if self.participants else {}
        conflicts = date_conflicts(cells, rows, self._sequences(), infusions, self.issues)
        valid = sorted(
            (row, participant, session, visit)
            for participant, visits in rows.items()
            for visit, (row, session) in visits.items()
            if row not in conflicts | duplicates
        )
        return [row for row, *_ in valid], [(p, session, *visit) for _, p, session, visit in valid]

    def _sequences(self) -> Mapping[str, str]:
        return self.participants.sequences if self.participants else {}

    def is_parallel(self) -> bool:
        """Whether no participant received two arms: then a day alone says which visit it is."""
        sequences = self._sequences().values()
        return any(sequences) and not any("-" in sequence for sequence in sequences)

    def _is_contradiction(self, participant: str, visit: Visit) -> bool:
        sequence = self._sequences().get(participant, "")
        return bool(sequence) and period_of_visit(sequence, *visit) == NO_PERIOD

    def _is_valid(self, participant: str, cells: Cells, row: int) -> bool:
        if self.participants is None or participant in self.participants.sequences:
            return True
        names = sorted(self.participants.sequences)
        remedy = "add the participant to participants.tsv, or correct the name"
        remedy = remedy if len(names) > 20 else nearest(participant, names)
        column = cells.need(self.participant)
        self.issues.add(cells.error(row, column, "unknown participant", remedy, participant))
        return False

    def _parse(self, session: str, cells: Cells, row: int, column: str) -> Visit | None:
        try:
            return self.pattern.visit(session)
        except InputError as error:
            day = visit_day(session)
            if day is not None and self.is_parallel():
                return Visit(1, "", day)
            self.issues.add(cells.error(row, column, error.problem, str(error.remedy), session))
            return None


def check_ignored(phenotype: Phenotype, ignore: Iterable[str]) -> None:
    """Raise an InputError where a column to ignore is in none of the files."""
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
    """Return the visits of the participants with the period of each.

    A visit named by its arm gets the period in which the participant received that arm; a
    baseline shared by both periods gets period 0. A visit that contradicts the sequence gets
    period -1 and is not used.

    Parameters
    ----------
    phenotype
        What ``read_phenotype`` returns.
    sequences
        Arms in order of infusion per participant, for example ``active-control``.
    """
    people = phenotype.table[nm.PARTICIPANT].to_numpy(dtype=object)
    is_inside = np.array([participant in sequences for participant in people], dtype=bool)
    visits = phenotype.table[is_inside].copy()
    visits["period"] = [
        period_of_visit(sequences[participant], *visit)
        for participant, *visit in zip(*(visits[name] for name in VISIT), strict=True)
    ]
    return replace(phenotype, table=visits)


def join_scales(
    tables: list[Phenotype],
    folder: Path,
    issues: DataIssues,
    participants: Participants | None,
) -> Phenotype:
    """Return the outer join of tables on participant and visit, in canonical order.

    The list is emptied: each table is freed once its scores are copied.
    """
    file_of: dict[str, str] = {}
    for table in tables:
        for name in table.labels:
            if name in file_of:
                raise InputError(
                    f"{name} is in two files",
                    file=table.files[0],
                    where=f"column {name}",
                    remedy=f"remove it here or in {file_of[name]}",
                )
            file_of[name] = table.files[0]
    visits, rows = _union_of_visits([table.table for table in tables])
    phenotype = Phenotype(
        visits,
        labels=merge_mappings(table.labels for table in tables),
        findings=issues.records(),
        limits=merge_mappings(table.limits for table in tables),
        units=merge_mappings(table.units for table in tables),
        ignored=[name for table in tables for name in table.ignored],
        folder=str(folder),
        files=[file for table in tables for file in table.files],
        sequences=participants.sequences if participants else {},
    )
    names = sorted(file_of, key=natural_key)
    scores = np.full((len(names), len(visits)), np.nan)
    while tables:
        table, own = tables.pop(), rows.pop()
        for name in table.labels:
            scores[names.index(name), own] = table.table[name].to_numpy()
    columns = pd.DataFrame(scores.T, columns=names, copy=False)
    return replace(phenotype, table=pd.concat([visits, columns], axis=1))


def _union_of_visits(tables: list[pd.DataFrame]) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Return the visits of all tables, sorted, and the positions of the rows of each table.

    A visit is one integer here: sorting and matching text of every row of every table would take
    more memory than the scores.
    """
    participants = pd.Index(sorted(set().union(*(t[nm.PARTICIPANT].unique() for t in tables))))
    arms = pd.Index(sorted(set().union(*(t[nm.ARM].unique() for t in tables))))
    n_periods = max((int(t["period"].max()) + 1 for t in tables if len(t)), default=1)
    first = min((int(t["day"].min()) for t in tables if len(t)), default=0)
    n_days = max((int(t["day"].max()) - first + 1 for t in tables if len(t)), default=1)
    codes = []
    for table in tables:
        code = participants.get_indexer(table[nm.PARTICIPANT]).astype(np.int64) * n_periods
        code = (code + table["period"].to_numpy(np.int64)) * len(arms)
        code = (code + arms.get_indexer(table[nm.ARM])) * n_days
        codes.append(code + table["day"].to_numpy(np.int64) - first)
    union = np.unique(np.concatenate(codes))
    rows = [np.searchsorted(union, code) for code in codes]
    session = np.full(len(union), None, dtype=object)
    for table, own in zip(tables, rows, strict=True):
        new, old = np.array(table["session"], dtype=object), session[own]
        both = np.array([name is not None for name in old], dtype=bool)
        new[both] = np.minimum(new[both], old[both])  # one name whichever file comes first
        session[own] = new
    rest, day = np.divmod(union, n_days)
    rest, arm = np.divmod(rest, len(arms))
    participant, period = np.divmod(rest, n_periods)
    visits = pd.DataFrame(
        {
            nm.PARTICIPANT: participants[participant],
            "session": session,
            "period": period,
            nm.ARM: arms[arm],
            "day": day + first,
        }
    )
    return visits, rows


def merge_mappings(mappings: Iterable[Mapping[str, T]]) -> dict[str, T]:
    """Return the entries of several mappings in one, the last of each name."""
    return {name: value for mapping in mappings for name, value in mapping.items()}
