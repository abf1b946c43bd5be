"""Wide tables of regions, of any tool: a row per participant or session, a column per region.

What the tools write differs in the first cell of the header and in the names of the columns:
`LAYOUTS` is the table of the former, `region_names` knows the latter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.codes import first_duplicate, is_blank, parse_number
from ketadask.sources.delimited import read_error, row_error, text_rows
from ketadask.sources.region_names import (
    ATLASES,
    SIGNED,
    RegionColumn,
    region_column,
    region_place,
)
from ketadask.sources.regions import ORDER

TABLE_ENDINGS = (".tsv", ".csv", ".txt", ".table", ".dat", ".stats")
_FIRST_CELL = re.compile(
    r"(?:(?P<hemi>lh|rh)\.(?P<atlas>[\w.]+)\.(?P<surface>\w+)|Measure:(?P<measure>\w+))"
)
_ROW = re.compile(r"(sub-[A-Za-z0-9]+)_ses-([A-Za-z0-9]+)(?:\.long\..+)?")
_CAT_FILE = re.compile(r"ROI_(?:catROIs?_)?(?P<atlas>.+)_(?P<measure>[^_]+)", re.I)
_CAT_MEASURES = {"vgm": "volume", "vwm": "volume", "vcsf": "volume"}
_SESSION_COLUMNS = ("session_id", "session", "visit")
ANY = "any"  # one session whose name the table does not hold


class Layout(NamedTuple):
    """What one tool writes: first cell of the header, measure and atlas, factor to our unit."""

    tool: str
    first_cell: str
    measure: str = ""
    atlas: str = ""
    factor: float = 1.0


LAYOUTS = (
    Layout("FreeSurfer", _FIRST_CELL.pattern),
    Layout("ENIGMA", r"(?i:subjid)", atlas="DK"),
    Layout("SynthSeg", r"subject", measure="volume", atlas="DK"),
    Layout("CAT12", r"names", factor=1000.0),  # volumes in ml
    Layout("plain", r"(?i:participant(_id)?|subject_?id|src_subject_id|sub|id)"),
)


@dataclass(frozen=True, eq=False)
class RegionTable:
    """Header and rows of a table; the values stay in the file.

    ``keys`` (row, 2) participant and session in the order of the file, ``regions`` by their common
    names, ``columns`` their positions in the file, ``ignored`` the other columns.
    """

    path: Path
    delimiter: str
    keys: np.ndarray
    regions: tuple[str, ...]
    columns: tuple[int, ...]
    ignored: tuple[str, ...] = ()
    measure: str = "volume"
    atlas: str = "DK"
    factor: float = 1.0
    session_column: int | None = None

    @property
    def participants(self) -> np.ndarray:
        """Participants in the order of the file."""
        return self.keys[:, 0]


def is_volume_table(path: Path) -> bool:
    """Return whether the first cell of a file says that it holds volumes of aparc or aseg."""
    match = _match_first_cell(_first_line(path))
    return match is not None and _measure(match) == "volume" and _atlas(match) == "aparc"


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(1 << 20).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise read_error(path, error) from None


def _match_first_cell(line: str) -> re.Match[str] | None:
    return _FIRST_CELL.match(line.strip().strip('"'))


def _measure(match: re.Match[str]) -> str:
    return match["surface"] or match["measure"]


def _atlas(match: re.Match[str]) -> str:
    return match["atlas"] or "aparc"


def open_volume_table(path: Path) -> RegionTable:
    """Read header and participants of a FreeSurfer table of volumes, without its volumes."""
    delimiter = _delimiter(path)
    _, names = next(text_rows(path, delimiter))
    hemisphere = _check_first_cell(path, names[0])
    columns = {
        position: column.name
        for position, name in enumerate(names[1:], start=1)
        if (column := region_column(name, hemisphere=hemisphere, measure="volume"))
        and column.name in ORDER
    }
    if not columns:
        raise InputError(
            "no column is a region of aparc, wmparc or aseg",
            file=path,
            where="header",
            value=names[1] if len(names) > 1 else names[0],
            remedy="write the table without --transpose and with --meas volume",
        )
    columns = dict(sorted(columns.items(), key=lambda pair: ORDER[pair[1]]))
    table = _region_table(path, delimiter, names, columns, sessions=False)
    check_participants(path, [(line, key) for line, (key, _) in table.rows], names[0])
    return table.value


def table_layout(path: Path) -> Layout | None:
    """Return the layout of a table by its first cell; None where it is no regional table.

    Measure and atlas are those of the first cell, or of the file name of CAT12.
    """
    first = re.split(r"[\t,;]", _first_line(path).strip())[0].strip().strip('"')
    layout = next((lay for lay in LAYOUTS if re.fullmatch(lay.first_cell, first)), None)
    if layout is None:
        return None
    if layout.tool == "FreeSurfer":
        match = _match_first_cell(first)
        assert match is not None
        atlas = "aseg" if match["atlas"] is None else ATLASES.get(_atlas(match).lower(), "")
        return layout._replace(measure=_measure(match).lower(), atlas=atlas or _atlas(match))
    if layout.tool == "CAT12":
        match = _CAT_FILE.fullmatch(path.stem)
        if match is None:
            return layout
        measure = match["measure"].lower()
        volume = measure in _CAT_MEASURES
        return layout._replace(
            measure=_CAT_MEASURES.get(measure, measure),
            atlas=ATLASES.get(match["atlas"].lower(), match["atlas"]),
            factor=layout.factor if volume else 1.0,
        )
    return layout


def open_region_table(
    path: Path, *, columns: Mapping[str, str] | None = None, measure: str = "", delimiter: str = ""
) -> list[RegionTable]:
    """Read header and rows of a regional table, without its values: one table per measure.

    Parameters
    ----------
    columns
        Regions by column name, where the table has its own names; other columns are ignored.
    measure
        Measure of the columns whose names and table do not say it.
    """
    layout = table_layout(path)
    if layout is None:
        raise InputError(
            "not a table of regions",
            file=path,
            where="row 1, first cell",
            value=_first_line(path).strip()[:40],
            remedy="the first column must be participant_id, SubjID, subject, names, or the cell "
            "of aparcstats2table",
        )
    delimiter = delimiter or _delimiter(path)
    _, names = next(text_rows(path, delimiter))
    match = _match_first_cell(names[0])
    hemisphere = (match["hemi"] or "") if match else ""
    by_measure: dict[str, dict[int, str]] = {}
    for position, name in enumerate(names[1:], start=1):
        if columns and name not in columns:
            continue
        column = region_column(
            columns[name] if columns else name,
            hemisphere=hemisphere,
            measure=layout.measure or measure,
        ) or _own_name(name, layout, measure)
        if column is not None:
            by_measure.setdefault(column.measure, {})[position] = column.name
    missing = sorted(set(columns or ()) - set(names))
    if missing or not by_measure:
        raise InputError(
            "no such column" if missing else "no column is a region",
            file=path,
            where="columns" if missing else "header",
            value=missing[0] if missing else names[-1],
            remedy="columns maps names of this table to regions, such as lh_insula_thickness",
        )
    tables = []
    for own, regions in by_measure.items():
        table = _region_table(path, delimiter, names, regions)
        factor = layout.factor if own == "volume" else 1.0
        tables.append(replace(table.value, measure=own, atlas=layout.atlas or "DK", factor=factor))
        check_participants(path, [(n, "/".join(key)) for n, key in table.rows], names[0])
    return tables


def _own_name(name: str, layout: Layout, measure: str) -> RegionColumn | None:
    """Return a region of an atlas without a table of names, such as neuromorphometrics."""
    if layout.tool != "CAT12":
        return None
    own = layout.measure or measure
    match = re.fullmatch(r"([lr])([A-Z].*)", name)
    side = {"l": "lh_", "r": "rh_"}[match[1]] if match else ""
    return RegionColumn(f"{side}{match[2] if match else name}_{own}", own)


class _Rows(NamedTuple):
    value: RegionTable
    rows: list[tuple[int, tuple[str, str]]]


def _region_table(
    path: Path,
    delimiter: str,
    names: list[str],
    regions: Mapping[int, str],
    *,
    sessions: bool = True,
) -> _Rows:
    """Return a table and its rows: line, participant and session."""
    duplicate = first_duplicate(list(regions.values()))
    if duplicate:
        first, second = (list(regions)[k] for k in duplicate)
        raise InputError(
            f"two columns hold {regions[first]}",
            file=path,
            where=f"columns {names[first]} and {names[second]}",
            remedy="remove one of them",
        )
    lower = [name.lower() for name in names]
    own = next((lower.index(n) for n in _SESSION_COLUMNS if n in lower), None)
    own = own if sessions and own not in regions else None
    lines = text_rows(path, delimiter)
    next(lines)
    rows = [(line, row_key(cells, own, sessions=sessions)) for line, cells in lines]
    table = RegionTable(
        path,
        delimiter,
        np.array([key for _, key in rows]).reshape(-1, 2),
        tuple(regions.values()),
        tuple(regions),
        tuple(name for p, name in enumerate(names[1:], start=1) if p not in regions),
        session_column=own,
    )
    return _Rows(table, rows)


def row_key(
    cells: list[str], session_column: int | None, *, sessions: bool = True
) -> tuple[str, str]:
    """Return participant and session of a row; the session is ``any`` where there is none.

    Examples
    --------
    >>> row_key(["/subjects/sub-01_ses-b0/", "1.5"], None), row_key(["a", "2"], 1)
    (('sub-01', 'b0'), ('a', '2'))
    """
    name = PurePosixPath(cells[0].strip()).name
    match = _ROW.fullmatch(name)
    if not sessions:
        return (match[1] if match else name), ANY
    if session_column is not None:
        return (match[1] if match else name), cells[session_column].removeprefix("ses-") or ANY
    return (match[1], match[2]) if match else (name, ANY)


def check_participants(path: Path, participants: list[tuple[int, str]], column: str) -> None:
    """Raise an InputError where (line, participant) are none, or one is blank or appears twice."""
    if not participants:
        raise InputError("has a header but no rows", file=path, remedy="write the table again")
    for line, name in participants:
        if name == column:
            remedy = "remove this line, or do not join tables"
            raise row_error(path, line, "the header is repeated", remedy, name)
        if is_blank(name):
            remedy = "name the participant or remove the row"
            raise _cell_error(path, line, column, name, "no participant", remedy)
    lines, names = zip(*participants, strict=True)
    duplicate = first_duplicate(names)
    if duplicate:
        first, second = duplicate
        problem = f"participant appears twice, first in row {lines[first]}"
        remedy = "keep one row per participant, or open_regions for several sessions"
        raise _cell_error(path, lines[second], column, names[second], problem, remedy)


def check_regions_once(tables: Iterable[RegionTable]) -> None:
    """Raise where a region is in two tables; every table repeats those of the whole brain."""
    first: dict[str, Path] = {}
    for table in tables:
        for region in table.regions:
            if region in first and region_place(region).tissue != "global":
                raise InputError(
                    f"{region} is in two tables",
                    file=table.path,
                    where=f"column {region}",
                    remedy=f"name one table per atlas and hemisphere; also in {first[region]}",
                )
            first[region] = table.path


def _cell_error(
    path: Path, line: int, column: str, value: str, problem: str, remedy: str
) -> InputError:
    where = f"row {line}, column {column}"
    return InputError(problem, file=path, where=where, value=value, remedy=remedy)


def _delimiter(path: Path) -> str:
    if path.suffix.lower() == ".csv":
        return ","
    line = _first_line(path).strip()
    return next((d for d in ("\t", ",", ";", " ") if d in line), "\t")


def _check_first_cell(path: Path, cell: str) -> str:
    """Return the hemisphere of a table of volumes, empty for both."""
    match = _match_first_cell(cell)
    if match is None:
        problem = "not a FreeSurfer table"
        remedy = "it must read like lh.aparc.volume or Measure:volume"
    elif _measure(match) != "volume":
        problem, remedy = "does not hold volumes", "write the table with --meas volume"
    elif _atlas(match) != "aparc":
        problem, remedy = "not a supported atlas", "write the table with --parc aparc"
    else:
        return match["hemi"] or ""
    raise InputError(problem, file=path, where="row 1, first cell", value=cell, remedy=remedy)


def participant_name(cell: str) -> str:
    """Return the participant of a row: the last part of a path, without its session.

    Examples
    --------
    >>> participant_name("/data/subjects/sub-01/"), participant_name("sub-01_ses-b0")
    ('sub-01', 'sub-01')
    """
    return row_key([cell], None)[0]


def read_regions(table: RegionTable, keys: np.ndarray) -> np.ndarray:
    """Return the values of a table as float64 (key, region), NaN where there is no row.

    ``keys`` are participants, or (key, 2) participants and sessions.
    """
    by_session = keys.ndim == 2
    names = map(tuple, keys.tolist()) if by_session else keys.tolist()
    row_of = {name: row for row, name in enumerate(names)}
    values = np.full((len(keys), len(table.regions)), np.nan)
    lines = text_rows(table.path, table.delimiter)
    _, header = next(lines)
    for line, cells in lines:
        key = row_key(cells, table.session_column, sessions=by_session)
        row = row_of.get(key if by_session else key[0])
        if row is not None:
            values[row] = [
                _value(table, line, header[position], cells[position]) for position in table.columns
            ]
    return values * table.factor if table.factor != 1 else values


def _value(table: RegionTable, line: int, column: str, text: str) -> float:
    value = parse_number(text)
    if value is None or (value < 0 and table.measure not in SIGNED):
        remedy = "write a number, or n/a where it is missing"
        kind = "not a volume" if table.measure == "volume" else f"not a {table.measure}"
        raise _cell_error(table.path, line, column, text, kind, remedy)
    return value
