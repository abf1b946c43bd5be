"""Scores from any table, by a description of its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.arm_words import check_arms
from ketadask.sources.cells import Cells, read_sidecar
from ketadask.sources.codes import MISSING_CODES, is_missing, parse_number
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.participants import find_participants
from ketadask.sources.scale_columns import KEYS, scale_columns
from ketadask.sources.spreadsheets import read_table
from ketadask.sources.visit_tables import VisitReader, join_scales, merge_mappings
from ketadask.sources.visits import (
    DATE_COLUMNS,
    ONCE,
    PERIODS,
    Visit,
    VisitPattern,
    build_visit,
    compile_pattern,
)

_PARTICIPANT, _SESSION = "participant_id", "session_id"
# How period, arm and day of a row are written as a session, and the pattern that reads it.
_FORMATS = {"period": "period {}", "arm": "{}", "day": "day {}"}
_PATTERNS = {
    "period": r"period (?P<period>\S+)",
    "arm": r"(?P<arm>[^ ]+)",
    "day": r"day (?P<day>-?\d+)",
}


@dataclass(frozen=True)
class PlainTable:
    """How to read one table.

    Parameters
    ----------
    file
        CSV, TSV, Excel or Parquet, relative to the study folder.
    participant
        Column of participants.
    session
        Column of sessions (long layout), read by the pattern of the study.
    period, arm, day
        Columns of the visit where there is no session; ``day`` and one of the others, ``day`` alone
        in a parallel trial. A missing arm stands for a baseline of both periods.
    wide_pattern
        Regular expression of the headers of a table with one row per participant, with the group
        ``name`` (of the item) and ``session``, or ``day`` and ``period`` or ``arm``. Columns that
        do not match were recorded once.
    columns
        Canonical name by the name in the file, or by ``name`` in the wide layout.
    ignore
        Columns to ignore.
    na_values
        Numbers that stand for a missing value, besides the usual ones.
    sheet, delimiter, decimal
        As in ``read_table``.
    """

    file: str
    participant: str = _PARTICIPANT
    session: str | None = None
    period: str | None = None
    arm: str | None = None
    day: str | None = None
    wide_pattern: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    ignore: Sequence[str] = ()
    na_values: Sequence[float] = ()
    sheet: str | None = None
    delimiter: str | None = None
    decimal: str = "."


def read_tables(
    folder: Path | str,
    tables: Sequence[PlainTable],
    *,
    session_pattern: str = PERIODS,
    participants: Participants | Sequence[str] | None = None,
    bad_cells: str = "stop",
    arms: Mapping[str, str] | None = None,
) -> Phenotype:
    """Read rating scales from plain tables into one row per participant and visit.

    Parameters
    ----------
    folder
        Folder of the files.
    tables
        How to read each of them.
    session_pattern, participants, bad_cells
        As in ``read_phenotype``.
    arms
        ``active`` or ``control`` by the word in a column of arms; rows of other words are left out.

    Returns
    -------
    As ``read_phenotype``.
    """
    folder, issues = Path(folder), DataIssues(bad_cells)
    participants = find_participants((folder,), participants)
    reader = VisitReader(VisitPattern(session_pattern), participants, issues)
    parts = [_read_table(folder, table, reader, arms) for table in tables]
    phenotype = join_scales(parts, folder, issues, participants)
    return replace(phenotype, session_pattern=session_pattern)


def _read_table(
    folder: Path, table: PlainTable, reader: VisitReader, arms: Mapping[str, str] | None
) -> Phenotype:
    path = folder / table.file
    cells = read_table(path, sheet=table.sheet, delimiter=table.delimiter, decimal=table.decimal)
    unknown = next((name for name in table.ignore if name not in cells.columns), None)
    if unknown is not None:
        remedy = nearest(unknown, cells.columns)
        raise InputError("no such column", file=path, where="ignore", value=unknown, remedy=remedy)
    cells = cells.only([name for name in cells.columns if name not in table.ignore])
    cells = replace(cells, missing=MISSING_CODES | frozenset(table.na_values))
    cells = _rename(cells, table.participant, _PARTICIPANT)
    descriptions = read_sidecar(path.with_suffix(".json"))
    if table.wide_pattern is not None:
        return _read_wide(cells, table, descriptions, reader)
    if arms is not None and table.arm is not None:
        cells = _with_arms(cells, cells.need(table.arm), arms)
    cells, reader = _with_sessions(cells, table, reader)
    cells = cells.rename(table.columns)
    descriptions = {table.columns.get(name, name): text for name, text in descriptions.items()}
    return reader.table(cells, scale_columns(cells, descriptions, reader.keys(cells)))


def _with_arms(cells: Cells, column: str, arms: Mapping[str, str]) -> Cells:
    """Return the rows of the arms that are compared, under their names here."""
    words = cells.words(column)
    arm_of = check_arms(sorted(set(words) - {""}), arms, file=cells.file, column=column)
    rows = [row for row, word in enumerate(words) if not word or arm_of[word]]
    columns = {name: [values[row] for row in rows] for name, values in cells.columns.items()}
    columns[column] = [arm_of.get(words[row], "") for row in rows]
    return replace(cells, columns=columns, lines=[cells.lines[row] for row in rows])


def _rename(cells: Cells, old: str, new: str) -> Cells:
    return cells if old == new else cells.rename({old: new})


def _with_sessions(
    cells: Cells, table: PlainTable, reader: VisitReader
) -> tuple[Cells, VisitReader]:
    """Return the table with a column of sessions, if needed from period, arm and day."""
    if table.session is not None:
        return _rename(cells, table.session, _SESSION), reader
    parts = {part: getattr(table, part) for part in _FORMATS if getattr(table, part)}
    if not parts:
        return cells, reader
    for column in parts.values():
        cells.rename({column: _SESSION})  # raises where there is no such column
    rows = zip(*(cells.columns[column] for column in parts.values()), strict=True)
    sessions = [_session(dict(zip(parts, row, strict=True))) for row in rows]
    columns = {n: c for n, c in cells.columns.items() if n not in parts.values()}
    headers = {**cells.headers, _SESSION: ", ".join(parts.values())}
    cells = replace(cells, columns=columns | {_SESSION: sessions}, headers=headers)
    if list(parts) == ["day"]:
        if not reader.is_parallel():
            raise InputError(
                "a day alone says which visit it is in a parallel trial only",
                file=cells.file,
                where=f"column {table.day}",
                remedy="name the column of periods or arms, too (data.tables: period or arm); in a "
                "parallel trial, name the arm of the participants (infusion_1 or treatment)",
            )
        return cells, reader
    return cells, replace(reader, pattern=VisitPattern(" ".join(_PATTERNS[p] for p in parts)))


def _session(parts: dict[str, str]) -> str:
    """Return period, arm and day of one row as a session."""
    if all(is_missing(cell) for cell in parts.values()):
        return ""
    if "arm" in parts:
        parts["arm"] = "baseline" if is_missing(parts["arm"]) else parts["arm"].replace(" ", "_")
    for part in ("period", "day"):
        value = parse_number(parts.get(part, ""))
        if value is not None and value.is_integer():
            parts[part] = str(int(value))
    return " ".join(_FORMATS[part].format(cell) for part, cell in parts.items())


def _read_wide(
    cells: Cells,
    table: PlainTable,
    descriptions: Mapping[str, dict[str, str]],
    reader: VisitReader,
) -> Phenotype:
    """Return the scores of a file with one row per participant, one visit after the other."""
    visits = _headers_by_visit(cells, table, reader.pattern)
    keys = [name for name in (cells.need(_PARTICIPANT), cells.find(*DATE_COLUMNS)) if name]
    parts = []
    for visit, (session, names) in visits.items():
        part = cells.only([*keys[:1], *names]).rename(names)
        texts = {names[header]: descriptions.get(header, {}) for header in names}
        need = visit != ONCE or len(visits) == 1
        columns = scale_columns(part, texts, frozenset(keys), need=need)
        if columns:
            one_visit = replace(reader, session="", session_and_visit=(session, visit))
            scores = one_visit.table(part, columns)
            has_score = scores.table.drop(columns=list(KEYS)).notna().any(axis=1)
            parts.append(replace(scores, table=scores.table[has_score]))
    return Phenotype(
        pd.concat([part.table for part in parts], ignore_index=True),
        labels=merge_mappings(part.labels for part in parts),
        limits=merge_mappings(part.limits for part in parts),
        units=merge_mappings(part.units for part in parts),
        ignored=sorted({name for part in parts for name in part.ignored}),
        files=[str(cells.file)],
    )


def _headers_by_visit(
    cells: Cells, table: PlainTable, pattern: VisitPattern
) -> dict[Visit, tuple[str, dict[str, str]]]:
    """Return per visit its first spelling, and the canonical name of each of its headers."""
    wide_pattern = _compile_wide_pattern(str(table.wide_pattern))
    visits: dict[Visit, tuple[str, dict[str, str]]] = {}
    n_matches, participant = 0, cells.find(_PARTICIPANT)
    for header in cells.columns:
        if header == participant:
            continue
        match = wide_pattern.fullmatch(header)
        visit, spelling, name = ONCE, "", header
        if match is not None:
            n_matches += 1
            groups = match.groupdict()
            name, session = groups.pop("name"), groups.get("session")
            try:
                visit = pattern.visit(session) if session else build_visit(groups, header)
            except InputError as error:
                raise cells.header_error(error.problem, str(error.remedy), header) from None
            spelling = session or "_".join(str(part) for part in groups.values() if part)
        visits.setdefault(visit, (spelling, {}))[1][header] = table.columns.get(name, name)
    if not n_matches:
        raise InputError(
            "no header matches the pattern of the wide layout",
            file=cells.file,
            where="wide_pattern",
            value=table.wide_pattern,
            remedy=f"correct the pattern; a header is for example {next(iter(cells.columns))!r}",
        )
    return visits


def _compile_wide_pattern(pattern: str) -> re.Pattern[str]:
    expression = compile_pattern(pattern, "wide_pattern")
    groups = set(expression.groupindex)
    has_visit = "session" in groups or ("day" in groups and groups & {"period", "arm"})
    if "name" not in groups or not has_visit:
        raise InputError(
            "needs the named groups name and session, or name, day and period or arm",
            where="wide_pattern",
            value=pattern,
            remedy=r"write for example (?P<name>.+)_(?P<session>ses-p[12]d\d+)",
        )
    return expression
