"""Scores per participant and visit: one tidy table per file, joined into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ketadask.schema import InputError, nearest
from ketadask.sources.cells import Cells
from ketadask.sources.findings import Findings
from ketadask.sources.names_order import natural
from ketadask.sources.participants import participant_column
from ketadask.sources.scale_columns import KEYS, VISIT, ScaleColumn, check_totals
from ketadask.sources.visits import ONCE, Visit, VisitPattern


@dataclass(frozen=True)
class VisitReader:
    """Turns a file of scores into one row per participant and visit.

    ``who`` and ``when`` name the columns that say so, ``known`` the participants of the study
    (None: anybody). Without a column ``when`` everything was measured once.
    """

    pattern: VisitPattern
    known: frozenset[str] | None
    findings: Findings
    who: str = "participant_id"
    when: str = "session_id"

    def keys(self, cells: Cells) -> frozenset[str]:
        """Return the columns of a file that say who and when."""
        return frozenset(c for c in (cells.find(self.who), cells.find(self.when)) if c)

    def table(self, cells: Cells, columns: list[ScaleColumn]) -> pd.DataFrame:
        """Return participant, session, period, arm, day and the scores, wrong rows left out."""
        values = {
            c.name: cells.numbers(c.header, self.findings, low=c.low, high=c.high) for c in columns
        }
        check_totals(cells, columns, values, self.findings)
        empty = np.isnan(np.column_stack(list(values.values()))).all(axis=1)
        rows, visits = self._visits(cells, empty)
        table = pd.DataFrame(visits, columns=list(KEYS))
        scores = pd.DataFrame({name: column[rows] for name, column in values.items()})
        table = pd.concat([table, scores], axis=1)
        used = {c.header for c in columns} | self.keys(cells)
        table.attrs.update(
            file=str(cells.file),
            labels={c.name: c.label for c in columns},
            limits={c.name: [c.low, c.high] for c in columns},
            ignored=sorted(set(cells.columns) - used),
        )
        return table

    def _visits(self, cells: Cells, empty: np.ndarray) -> tuple[list[int], list[tuple[Any, ...]]]:
        people = participant_column(cells, self.findings, self.who)
        column = cells.find(self.when)
        sessions = cells.text(column) if column else [""] * len(cells)
        rows, visits = [], []
        seen: dict[tuple[str, Visit], int] = {}
        for row, (person, session) in enumerate(zip(people, sessions, strict=True)):
            if not person or not self._is_known(person, cells, row):
                continue
            if column and not session and empty[row]:
                continue  # nothing was recorded; assembling lists the participant
            visit = self._visit(session, cells, row, column) if column else ONCE
            if visit is None:
                continue
            first = seen.setdefault((person, visit), row)
            if first == row:
                rows.append(row)
                visits.append((person, session, *visit))
            else:
                self.findings.add(
                    InputError(
                        f"visit appears twice, first in row {cells.lines[first]}",
                        file=cells.file,
                        where=cells.where(row, column or self.who),
                        value=f"{person} {session}".strip(),
                        remedy="keep one row per participant and session",
                    )
                )
        return rows, visits

    def _is_known(self, person: str, cells: Cells, row: int) -> bool:
        if self.known is None or person in self.known:
            return True
        self.findings.add(
            InputError(
                "unknown participant",
                file=cells.file,
                where=cells.where(row, cells.need(self.who)),
                value=person,
                remedy="add the participant to participants.tsv, or correct the name"
                if len(self.known) > 20
                else nearest(person, sorted(self.known)),
            )
        )
        return False

    def _visit(self, session: str, cells: Cells, row: int, column: str) -> Visit | None:
        try:
            return self.pattern.visit(session)
        except InputError as error:
            where = cells.where(row, column)
            self.findings.add(
                InputError(
                    error.problem,
                    file=cells.file,
                    where=where,
                    value=session,
                    remedy=error.remedy,
                )
            )
            return None


def join_scales(tables: list[pd.DataFrame], folder: Path, findings: Findings) -> pd.DataFrame:
    """Return the outer join of tables on participant and visit, in canonical order."""
    owners: dict[str, str] = {}
    for table in tables:
        for name in table.attrs["labels"]:
            if name in owners:
                raise InputError(
                    f"{name} is in two files",
                    file=table.attrs["file"],
                    where=f"column {name}",
                    remedy=f"remove it here or in {owners[name]}",
                )
            owners[name] = table.attrs["file"]
    visits = pd.concat([table[list(KEYS)] for table in tables])
    joined = visits.sort_values([*VISIT, "session"]).drop_duplicates(list(VISIT))
    for table in tables:
        scores = table.drop(columns="session")
        joined = joined.merge(scores, on=list(VISIT), how="left", validate="1:1")
    joined = joined[[*KEYS, *sorted(owners, key=natural)]]
    joined = joined.sort_values(list(VISIT), ignore_index=True)
    joined.attrs = {
        "folder": str(folder),
        "files": [table.attrs["file"] for table in tables],
        "ignored": [name for table in tables for name in table.attrs["ignored"]],
        "findings": findings.records(),
        **{fact: _merged(tables, fact) for fact in ("labels", "limits")},
    }
    return joined


def _merged(tables: list[pd.DataFrame], fact: str) -> Mapping[str, Any]:
    return {name: value for table in tables for name, value in table.attrs[fact].items()}
