"""Tables of ``aparcstats2table`` and ``asegstats2table``: one row per participant, volumes only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.codes import first_duplicate, is_blank, parse_number
from ketadask.sources.delimited import read_error, row_error, text_rows
from ketadask.sources.regions import ORDER, region_name

TABLE_ENDINGS = (".tsv", ".csv", ".txt", ".table", ".dat", ".stats")
_FIRST_CELL = re.compile(
    r"(?:(?P<hemi>lh|rh)\.(?P<atlas>[\w.]+)\.(?P<surface>\w+)|Measure:(?P<measure>\w+))"
)
_SESSION = re.compile(r"(sub-[A-Za-z0-9]+)_ses-[A-Za-z0-9]+(?:\.long\..+)?")


@dataclass(frozen=True, eq=False)
class VolumeTable:
    """The header and the participants of a table; the volumes stay in the file.

    ``participants`` (row,) in the order of the file, ``regions`` by their common names, ``columns``
    their positions in the file, ``ignored`` the columns that are not regions.
    """

    path: Path
    delimiter: str
    participants: np.ndarray
    regions: tuple[str, ...]
    columns: tuple[int, ...]
    ignored: tuple[str, ...] = ()


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


def open_volume_table(path: Path) -> VolumeTable:
    """Read header and participants of a table, without its volumes."""
    delimiter = _delimiter(path)
    rows = text_rows(path, delimiter)
    _, names = next(rows)
    hemisphere = _check_first_cell(path, names[0])
    participants = [(line, participant_name(cells[0])) for line, cells in rows]
    check_participants(path, participants, names[0])
    position_of: dict[str, int] = {}
    for position, name in enumerate(names[1:], start=1):
        region = region_name(name, hemisphere=hemisphere)
        if region in position_of:
            raise InputError(
                f"two columns hold {region}",
                file=path,
                where=f"columns {names[position_of[region]]} and {name}",
                remedy="remove one of them",
            )
        if region:
            position_of[region] = position
    if not position_of:
        raise InputError(
            "no column is a region of aparc, wmparc or aseg",
            file=path,
            where="header",
            value=names[1] if len(names) > 1 else names[0],
            remedy="write the table without --transpose and with --meas volume",
        )
    regions = sorted(position_of, key=ORDER.__getitem__)
    columns = tuple(position_of[region] for region in regions)
    return VolumeTable(
        path,
        delimiter,
        np.array([participant for _, participant in participants]),
        tuple(regions),
        columns,
        tuple(name for p, name in enumerate(names[1:], start=1) if p not in columns),
    )


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
        remedy = "keep one row, so one session, per participant"
        raise _cell_error(path, lines[second], column, names[second], problem, remedy)


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
    name = PurePosixPath(cell.strip()).name
    match = _SESSION.fullmatch(name)
    return match[1] if match else name


def read_volumes(table: VolumeTable, participants: np.ndarray) -> np.ndarray:
    """Return the volumes of a table as float64 (participant, region), NaN where there is no row."""
    row_of = {participant: row for row, participant in enumerate(participants.tolist())}
    volumes = np.full((len(participants), len(table.regions)), np.nan)
    lines = text_rows(table.path, table.delimiter)
    _, names = next(lines)
    for line, cells in lines:
        row = row_of.get(participant_name(cells[0]))
        if row is not None:
            volumes[row] = [
                _volume(table.path, line, names[position], cells[position])
                for position in table.columns
            ]
    return volumes


def _volume(path: Path, line: int, column: str, text: str) -> float:
    value = parse_number(text)
    if value is None or value < 0:
        remedy = "write a number of mm3, or n/a where it is missing"
        raise _cell_error(path, line, column, text, "not a volume", remedy)
    return value
