"""Tables with a row per participant and a column per arm, period or day, as rows of visits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.arm_words import arm_words
from ketadask.sources.cells import Cells
from ketadask.sources.column_kinds import plain_name
from ketadask.sources.names_order import natural_key
from ketadask.sources.role_names import NAMES_BY_ROLE
from ketadask.sources.visits import compile_pattern

_PARTS = (nm.ARM, "period", "day")
_EXAMPLE = r"write for example (?P<name>.+)_(?P<arm>drug|placebo)"


def visit_rows(cells: Cells, pattern: str, sequence: str | None = None) -> Cells:
    """Return a row per participant and visit, of a table with columns per arm, period or day.

    Parameters
    ----------
    pattern
        Regular expression of the headers of these columns: groups ``name`` and ``arm``, ``period``
        or ``day``. Each group becomes a column; columns that do not match belong to every row.
    sequence
        Column of the arms in order, as ``AB`` or ``drug-placebo``: it gives the period of an arm,
        or the arm of a period. By default the column that is named so.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = {"id": ["1", "2"], "seq": ["DP", "PD"], "y_D": ["3", "5"], "y_P": ["1", "2"]}
    >>> rows = visit_rows(Cells(Path("t.csv"), table, [2, 3]), "(?P<name>y)_(?P<arm>.)")
    >>> {name: rows.columns[name] for name in ("id", "arm", "y", "period")}["period"]
    ['1', '2', '2', '1']
    """
    expression = _compile(pattern)
    parts = [part for part in _PARTS if part in expression.groupindex]
    names: dict[tuple[str, ...], dict[str, str]] = {}  # header by name, by visit
    for header in cells.columns:
        match = expression.fullmatch(header)
        if match is not None:
            visit = tuple(match[part] for part in parts)
            names.setdefault(visit, {})[match["name"]] = header
    if not names:
        raise InputError(
            "no header matches the pattern",
            file=cells.file,
            where="data.table.wide_pattern",
            value=pattern,
            remedy=f"correct the pattern; headers are {', '.join(list(cells.columns)[:6])}",
        )
    visits = sorted(names, key=lambda visit: [natural_key(part) for part in visit])
    own = {header for headers in names.values() for header in headers.values()}
    rest = {name: column for name, column in cells.columns.items() if name not in own}
    columns = {name: [cell for cell in column for _ in visits] for name, column in rest.items()}
    if not any(plain_name(name) in NAMES_BY_ROLE[nm.PARTICIPANT] for name in rest):
        columns[nm.PARTICIPANT] = [f"row {line}" for line in cells.lines for _ in visits]
    for k, part in enumerate(parts):
        columns[part] = [visit[k] for _ in cells.lines for visit in visits]
    headers = dict(cells.headers)
    for name in dict.fromkeys(name for header in names.values() for name in header):
        of_visit = [cells.columns.get(names[visit].get(name, "")) for visit in visits]
        columns[name] = [
            "" if column is None else column[row]
            for row in range(len(cells))
            for column in of_visit
        ]
        headers[name] = " or ".join(names[visit][name] for visit in visits if name in names[visit])
    lines = [line for line in cells.lines for _ in visits]
    table = replace(cells, columns=columns, lines=lines, headers=headers)
    return _with_sequence(table, parts, sequence)


def guess_pattern(headers: Sequence[str]) -> str | None:
    """Return the pattern of columns that are named after arms; None where there are none.

    Examples
    --------
    >>> guess_pattern(["id", "pain_drug", "pain_placebo", "age"])
    '(?P<name>pain)_(?P<arm>drug|placebo)'
    """
    ends: dict[str, dict[str, None]] = {}
    for header in headers:
        stem, separator, word = header.rpartition("_")
        if separator and stem:
            ends.setdefault(stem, {})[word] = None
    stems = [stem for stem, words in ends.items() if len(words) > 1 and arm_words(words)]
    if not stems:
        return None
    words = "|".join(map(re.escape, ends[stems[0]]))
    alike = "|".join(re.escape(stem) for stem in stems if ends[stem] == ends[stems[0]])
    return f"(?P<name>{alike})_(?P<arm>{words})"


def _compile(pattern: str) -> re.Pattern[str]:
    expression = compile_pattern(pattern, "data.table.wide_pattern")
    if "name" not in expression.groupindex or not set(_PARTS) & set(expression.groupindex):
        raise InputError(
            "needs the named groups name and arm, period or day",
            where="data.table.wide_pattern",
            value=pattern,
            remedy=_EXAMPLE,
        )
    return expression


def _with_sequence(cells: Cells, parts: Sequence[str], column: str | None) -> Cells:
    """Return the rows with the period of each arm, or the arm of each period."""
    have, lack = (nm.ARM, "period") if nm.ARM in parts else ("period", nm.ARM)
    candidates = [c for c in cells.columns if plain_name(c) in NAMES_BY_ROLE["sequence"]]
    column = cells.need(column) if column is not None else next(iter(candidates), None)
    if lack in parts or have not in parts:
        return cells
    if column is None and lack == "period":
        return cells
    if column is None:
        raise InputError(
            "no column says which arm a period had",
            file=cells.file,
            where="data.table.sequence",
            remedy="name the column of sequences, such as AB, or use the group arm in the pattern",
        )
    values = []
    for row, (word, own) in enumerate(zip(cells.text(column), cells.columns[have], strict=True)):
        arms = [part for part in re.split(r"[^A-Za-z0-9]+", word) if part]
        arms = list(word.strip()) if len(arms) == 1 else arms
        value = _period(own, arms) if lack == "period" else _arm(own, arms)
        if word and not value:
            problem, remedy = "does not name each arm once", "write the arms in order, as AB"
            raise cells.error(row, column, problem, f"{remedy} or drug-placebo")
        values.append(value)
    return replace(cells, columns=dict(cells.columns) | {lack: values})


def _period(arm: str, arms: Sequence[str]) -> str:
    """Return the position of an arm, from 1, where one word of the sequence begins it."""
    own = [k for k, word in enumerate(arms, start=1) if arm.lower().startswith(word.lower())]
    return str(own[0]) if len(own) == 1 else ""


def _arm(period: str, arms: Sequence[str]) -> str:
    return arms[int(period) - 1] if period.isdigit() and 0 < int(period) <= len(arms) else ""
