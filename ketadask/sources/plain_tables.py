"""Scores from any table a lab has, by a mapping that says which column is what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Phenotype
from ketadask.sources.cells import Cells, read_sidecar
from ketadask.sources.codes import MISSING_CODES, is_missing, parse_number
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.participants import Roster, roster_of
from ketadask.sources.scale_columns import KEYS, scale_columns
from ketadask.sources.spreadsheets import read_table
from ketadask.sources.visit_tables import VisitReader, join_scales, merge_facts
from ketadask.sources.visits import COLUMNS, ONCE, PERIODS, Visit, VisitPattern, visit_of

LONG, WIDE = "long", "wide"
_WHO, _WHEN = "participant_id", "session_id"
_PARTS = {
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
        Columns that say the visit where there is no session; ``day`` and one of the others. An
        arm that is not given stands for a baseline of both periods.
    wide_pattern
        Regular expression of the headers of a table with one row per participant, with the group
        ``name`` (of the item) and ``session``, or ``day`` and ``period`` or ``arm``. Columns that
        do not match were measured once.
    columns
        Canonical name by the name in the file, or by ``name`` in the wide layout.
    ignore
        Columns left aside.
    na_values
        Numbers that stand for a missing value, besides the usual ones.
    sheet, delimiter, decimal
        As in ``read_table``.
    """

    file: str
    participant: str = _WHO
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
    participants: Roster | Sequence[str] | None = None,
    bad_cells: str = "stop",
) -> Phenotype:
    """Read rating scales from plain tables into one row per participant and visit.

    Parameters
    ----------
    folder
        Where the files are.
    tables
        How to read each of them.
    session_pattern, participants, bad_cells
        As in ``read_phenotype``.

    Returns
    -------
    What ``read_phenotype`` returns.
    """
    folder, findings = Path(folder), DataIssues(bad_cells)
    roster = roster_of((folder,), participants)
    reader = VisitReader(VisitPattern(session_pattern), roster, findings)
    phenotype = join_scales([_read(folder, t, reader) for t in tables], folder, findings, roster)
    return replace(phenotype, session_pattern=session_pattern)


def _read(folder: Path, table: PlainTable, reader: VisitReader) -> Phenotype:
    path = folder / table.file
    cells = read_table(path, sheet=table.sheet, delimiter=table.delimiter, decimal=table.decimal)
    unknown = next((name for name in table.ignore if name not in cells.columns), None)
    if unknown is not None:
        remedy = nearest(unknown, cells.columns)
        raise InputError("no such column", file=path, where="ignore", value=unknown, remedy=remedy)
    kept = [name for name in cells.columns if name not in table.ignore]
    cells = replace(cells.only(kept), missing=MISSING_CODES | frozenset(table.na_values))
    cells = cells.renamed({} if table.participant == _WHO else {table.participant: _WHO})
    described = read_sidecar(path.with_suffix(".json"))
    if table.wide_pattern is not None:
        return _wide(cells, table, described, reader)
    cells, reader = _with_sessions(cells, table, reader)
    cells = cells.renamed(table.columns)
    described = {table.columns.get(name, name): text for name, text in described.items()}
    return reader.table(cells, scale_columns(cells, described, reader.keys(cells)))


def _with_sessions(
    cells: Cells, table: PlainTable, reader: VisitReader
) -> tuple[Cells, VisitReader]:
    """Return the table with a column of sessions, made from period, arm and day if needed."""
    if table.session is not None:
        names = {} if table.session == _WHEN else {table.session: _WHEN}
        return cells.renamed(names), reader
    said = {part: getattr(table, part) for part in _PARTS if getattr(table, part)}
    if not said:
        return cells, reader
    for column in said.values():
        cells.renamed({column: _WHEN})  # names the column that is not there
    texts = [_session(dict(zip(said, row, strict=True))) for row in _rows(cells, said)]
    columns = {n: c for n, c in cells.columns.items() if n not in said.values()} | {_WHEN: texts}
    made = replace(
        cells,
        columns=columns,
        headers={**cells.headers, _WHEN: ", ".join(said.values())},
    )
    pattern = VisitPattern(" ".join(_PARTS[part] for part in said))
    return made, replace(reader, pattern=pattern)


def _rows(cells: Cells, said: Mapping[str, str]) -> zip[tuple[str, ...]]:
    return zip(*(cells.columns[column] for column in said.values()), strict=True)


def _session(parts: dict[str, str]) -> str:
    """Return what one row says about its visit, in words the pattern reads."""
    if all(is_missing(cell) for cell in parts.values()):
        return ""
    if "arm" in parts:
        parts["arm"] = "baseline" if is_missing(parts["arm"]) else parts["arm"].replace(" ", "_")
    for part in ("period", "day"):
        value = parse_number(parts.get(part, ""))
        if value is not None and value.is_integer():
            parts[part] = str(int(value))
    shown = {"period": "period {}", "arm": "{}", "day": "day {}"}
    return " ".join(shown[part].format(cell) for part, cell in parts.items())


def _wide(
    cells: Cells, table: PlainTable, described: Mapping[str, dict[str, str]], reader: VisitReader
) -> Phenotype:
    """Return the table of a file with one row per participant, one visit after the other."""
    visits = _headers_of_visits(cells, table, reader.pattern)
    fixed = [name for name in (cells.need(_WHO), cells.find(*COLUMNS)) if name]
    parts = []
    for visit, (session, names) in visits.items():
        part = cells.only([*fixed[:1], *names]).renamed(names)
        texts = {names[header]: described.get(header, {}) for header in names}
        need = visit != ONCE or len(visits) == 1
        columns = scale_columns(part, texts, frozenset(fixed), need=need)
        if columns:
            once = replace(reader, when="", always=(session, visit))
            scores = once.table(part, columns)
            filled = scores.table.drop(columns=list(KEYS)).notna().any(axis=1)
            parts.append(replace(scores, table=scores.table[filled]))
    return Phenotype(
        pd.concat([part.table for part in parts], ignore_index=True),
        labels=merge_facts(part.labels for part in parts),
        limits=merge_facts(part.limits for part in parts),
        units=merge_facts(part.units for part in parts),
        ignored=sorted({name for part in parts for name in part.ignored}),
        files=[str(cells.file)],
    )


def _headers_of_visits(
    cells: Cells, table: PlainTable, pattern: VisitPattern
) -> dict[Visit, tuple[str, dict[str, str]]]:
    """Return per visit its first spelling, and the canonical name of each header of it."""
    way = _wide_pattern(str(table.wide_pattern))
    visits: dict[Visit, tuple[str, dict[str, str]]] = {}
    matched = False
    for header in cells.columns:
        if header == cells.find(_WHO):
            continue
        found = way.fullmatch(header)
        if found is None:
            visits.setdefault(ONCE, ("", {}))[1][header] = table.columns.get(header, header)
            continue
        matched = True
        said = found.groupdict()
        name = said.pop("name")
        try:
            session = said.get("session")
            visit = pattern.visit(session) if session else visit_of(said, header)
        except InputError as error:
            raise InputError(
                error.problem, file=cells.file, where="header", value=header, remedy=error.remedy
            ) from None
        spelt = session or "_".join(str(part) for part in said.values() if part)
        visits.setdefault(visit, (spelt, {}))[1][header] = table.columns.get(name, name)
    if not matched:
        raise InputError(
            "no header matches the pattern of the wide layout",
            file=cells.file,
            where="wide_pattern",
            value=table.wide_pattern,
            remedy=f"mend the pattern; there is for example {next(iter(cells.columns))!r}",
        )
    return visits


def _wide_pattern(wide_pattern: str) -> re.Pattern[str]:
    try:
        way = re.compile(wide_pattern)
    except re.error as error:
        raise InputError(
            f"not a regular expression ({error})",
            where="wide_pattern",
            value=wide_pattern,
            remedy="mend it",
        ) from None
    groups = set(way.groupindex)
    whole = "session" in groups or ("day" in groups and groups & {"period", "arm"})
    if "name" not in groups or not whole:
        raise InputError(
            "needs the named groups name and session, or name, day and period or arm",
            where="wide_pattern",
            value=wide_pattern,
            remedy=r"write for example (?P<name>.+)_(?P<session>ses-p[12]d\d+)",
        )
    return way
