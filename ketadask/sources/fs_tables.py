"""Tables of ``aparcstats2table`` and ``asegstats2table``: one row per participant, volumes only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.sources.codes import as_number, first_twice, is_blank
from ketadask.sources.delimited import text_rows, unreadable
from ketadask.sources.regions import ORDER, unified

TABLE_ENDINGS = (".tsv", ".csv", ".txt", ".table", ".dat", ".stats")
_FIRST_CELL = re.compile(
    r"(?:(?P<hemi>lh|rh)\.(?P<atlas>[\w.]+)\.(?P<surface>\w+)|Measure:(?P<measure>\w+))"
)
_SESSION = re.compile(r"(sub-[A-Za-z0-9]+)_ses-[A-Za-z0-9]+(?:\.long\..+)?")


@dataclass(frozen=True, eq=False)
class VolumeTable:
    """What the header and the first column of a table say; the volumes stay in the file.

    ``participants`` (row,) in the order of the file; ``regions`` are the unified names, ``columns``
    their positions in the file.
    """

    path: Path
    delimiter: str
    participants: np.ndarray
    regions: tuple[str, ...]
    columns: tuple[int, ...]
    ignored: tuple[str, ...] = ()


def is_volume_table(path: Path) -> bool:
    """Return whether the first cell of a file says that it holds volumes of a known atlas."""
    found = _first_cell(_first_line(path))
    return found is not None and _measure(found) == "volume" and _atlas(found) == "aparc"


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(1 << 20).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise unreadable(path, error) from None


def _first_cell(line: str) -> re.Match[str] | None:
    return _FIRST_CELL.match(line.strip().strip('"'))


def _measure(found: re.Match[str]) -> str:
    return found["surface"] or found["measure"]


def _atlas(found: re.Match[str]) -> str:
    return found["atlas"] or "aparc"


def open_table(path: Path) -> VolumeTable:
    """Read who and what is in a table, without keeping the volumes."""
    delimiter = _delimiter(path)
    rows = text_rows(path, delimiter)
    _, names = next(rows)
    hemisphere = _check_first_cell(path, names[0])
    people = [(number, participant_of(cells[0])) for number, cells in rows]
    check_people(path, people, names[0])
    kept: dict[str, int] = {}
    for position, name in enumerate(names[1:], start=1):
        region = unified(name, hemisphere=hemisphere)
        if region in kept:
            raise InputError(
                f"two columns hold {region}",
                file=path,
                where=f"columns {names[kept[region]]} and {name}",
                remedy="remove one of them",
            )
        if region:
            kept[region] = position
    if not kept:
        raise InputError(
            "no column is a region of aparc, wmparc or aseg",
            file=path,
            where="header",
            value=names[1] if len(names) > 1 else names[0],
            remedy="make the table without --transpose and with --meas volume",
        )
    regions = sorted(kept, key=ORDER.__getitem__)
    return VolumeTable(
        path,
        delimiter,
        np.array([person for _, person in people]),
        tuple(regions),
        tuple(kept[region] for region in regions),
        tuple(name for p, name in enumerate(names[1:], start=1) if p not in kept.values()),
    )


def check_people(path: Path, people: list[tuple[int, str]], column: str) -> None:
    """Raise where a table of (line, participant) is empty or names somebody twice or not at all."""
    if not people:
        raise InputError("has a header but no rows", file=path, remedy="make the table again")
    lines, names = zip(*people, strict=True)
    for line, name in people:
        if name == column:
            raise InputError(
                "the header comes again",
                file=path,
                where=f"row {line}",
                value=name,
                remedy="remove this line, or keep tables that were joined apart",
            )
        if is_blank(name):
            raise InputError(
                "no participant",
                file=path,
                where=f"row {line}, column {column}",
                value=name,
                remedy="name the participant or remove the row",
            )
    twice = first_twice(names)
    if twice:
        raise InputError(
            f"participant appears twice, first in row {lines[twice[0]]}",
            file=path,
            where=f"row {lines[twice[1]]}, column {column}",
            value=names[twice[1]],
            remedy="keep one row, so one session, per participant",
        )


def _delimiter(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return ","
    line = _first_line(path).strip()
    return next((d for d in ("\t", ",", ";", " ") if d in line), "\t")


def _check_first_cell(path: Path, cell: str) -> str:
    found = _first_cell(cell)
    if found is None:
        raise InputError(
            "not a FreeSurfer table",
            file=path,
            where="row 1, first cell",
            value=cell,
            remedy="it must read like lh.aparc.volume or Measure:volume",
        )
    if _measure(found) != "volume":
        raise InputError(
            "does not hold volumes",
            file=path,
            where="row 1, first cell",
            value=cell,
            remedy="make the table with --meas volume",
        )
    if _atlas(found) != "aparc":
        raise InputError(
            "atlas is not known here",
            file=path,
            where="row 1, first cell",
            value=cell,
            remedy="make the table with --parc aparc",
        )
    return found["hemi"] or ""


def participant_of(cell: str) -> str:
    """Return the participant of a row: the last part of a path, without its session.

    Examples
    --------
    >>> participant_of("/data/subjects/sub-01/"), participant_of("sub-01_ses-b0")
    ('sub-01', 'sub-01')
    """
    name = PurePosixPath(cell.strip()).name
    found = _SESSION.fullmatch(name)
    return found[1] if found else name


def read_volumes(table: VolumeTable, participants: np.ndarray) -> np.ndarray:
    """Return the volumes of a table as float64 (participant, region), NaN where there is no row."""
    rows = {person: row for row, person in enumerate(participants.tolist())}
    volumes = np.full((len(participants), len(table.regions)), np.nan)
    lines = text_rows(table.path, table.delimiter)
    _, names = next(lines)
    for number, cells in lines:
        row = rows.get(participant_of(cells[0]))
        if row is not None:
            volumes[row] = [
                _volume(table.path, number, names[position], cells[position])
                for position in table.columns
            ]
    return volumes


def _volume(path: Path, number: int, column: str, text: str) -> float:
    value = as_number(text)
    if value is None or value < 0:
        raise InputError(
            "not a volume",
            file=path,
            where=f"row {number}, column {column}",
            value=text,
            remedy="write a number of mm3, or n/a where it is missing",
        )
    return value
