"""Tables of ``aparcstats2table`` and ``asegstats2table``: one row per participant, volumes only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ketadask.schema import InputError
from ketadask.sources.cells import Cells, read_cells
from ketadask.sources.codes import as_number, first_twice
from ketadask.sources.regions import ORDER, unified

_FIRST_CELL = re.compile(
    r"(?:(?P<hemi>lh|rh)\.(?P<atlas>[\w.]+)\.(?P<surface>\w+)|Measure:(?P<measure>\w+))"
)


@dataclass(frozen=True)
class VolumeTable:
    """What the header and the first column of a table say; the volumes stay in the file.

    ``regions`` are the unified names, ``columns`` their positions in the file, in the same order.
    """

    path: Path
    delimiter: str
    participants: tuple[str, ...]
    regions: tuple[str, ...]
    columns: tuple[int, ...]
    ignored: tuple[str, ...] = ()


def is_volume_table(path: Path) -> bool:
    """Return whether the first cell of a file says that it holds volumes of a known atlas."""
    try:
        with path.open("rb") as file:
            first = file.readline(4096)
    except OSError:
        return False
    found = _first_cell(first.decode("utf-8-sig", errors="replace"))
    return found is not None and _measure(found) == "volume" and _atlas(found) == "aparc"


def _first_cell(line: str) -> re.Match[str] | None:
    return _FIRST_CELL.match(line.strip().strip('"'))


def _measure(found: re.Match[str]) -> str:
    return found["surface"] or found["measure"]


def _atlas(found: re.Match[str]) -> str:
    return found["atlas"] or "aparc"


def open_table(path: Path) -> VolumeTable:
    """Read who and what is in a table, without keeping the volumes."""
    delimiter = _delimiter(path)
    cells = read_cells(path, delimiter=delimiter)
    names = list(cells.columns)
    hemisphere = _check_first_cell(path, names[0])
    people = [participant_of(cell) for cell in cells.columns[names[0]]]
    twice = first_twice(people)
    if twice:
        raise InputError(
            f"participant appears twice, first in row {cells.lines[twice[0]]}",
            file=path,
            where=cells.where(twice[1], names[0]),
            value=people[twice[1]],
            remedy="keep one row per participant",
        )
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
        tuple(people),
        tuple(regions),
        tuple(kept[region] for region in regions),
        tuple(name for p, name in enumerate(names[1:], start=1) if p not in kept.values()),
    )


def _delimiter(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return ","
    with path.open("rb") as file:
        line = file.readline()
    return next((d for d in ("\t", ",", ";", " ") if d.encode() in line.strip()), "\t")


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
    """Return the participant of a row: the last part of a path, without a slash at its end.

    Examples
    --------
    >>> participant_of("/data/subjects/sub-01/")
    'sub-01'
    """
    return PurePosixPath(cell.strip()).name


def read_volumes(table: VolumeTable, participants: Sequence[str]) -> np.ndarray:
    """Return the volumes of a table as float64 (participant, region), NaN where there is no row."""
    cells = read_cells(table.path, delimiter=table.delimiter)
    names = list(cells.columns)
    rows = {participant_of(cell): row for row, cell in enumerate(cells.columns[names[0]])}
    volumes = np.full((len(participants), len(table.regions)), np.nan)
    there = [k for k, person in enumerate(participants) if person in rows]
    source = [rows[participants[k]] for k in there]
    for j, position in enumerate(table.columns):
        values = _volumes(cells, names[position])
        volumes[there, j] = values[source]
    return volumes


def _volumes(cells: Cells, column: str) -> np.ndarray:
    texts = cells.columns[column]
    values = np.empty(len(texts))
    for row, text in enumerate(texts):
        value = as_number(text)
        if value is None or value < 0:
            raise InputError(
                "not a volume",
                file=cells.file,
                where=cells.where(row, column),
                value=text,
                remedy="write a number of mm3, or n/a where it is missing",
            )
        values[row] = value
    return values
