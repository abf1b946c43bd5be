"""Rating scales of every visit: BIDS ``phenotype/<scale>.tsv`` with its JSON description."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Phenotype
from ketadask.sources import rating_scales
from ketadask.sources.cells import Cells, read_cells, read_sidecar
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.delimited import read_error
from ketadask.sources.participants import Roster, roster_of
from ketadask.sources.scale_columns import ScaleColumn, scale_columns
from ketadask.sources.visit_tables import VisitReader, check_ignored, join_scales
from ketadask.sources.visits import PERIODS, VisitPattern


def read_phenotype(
    root: Path | str,
    scales: Sequence[str] | None = None,
    *,
    session_pattern: str = PERIODS,
    participants: Roster | Sequence[str] | None = None,
    bad_cells: str = "stop",
    ignore: Sequence[str] = (),
) -> Phenotype:
    """Read the rating scales of a BIDS study folder into one row per participant and visit.

    A file without ``session_id`` was recorded once, before both infusions.

    Parameters
    ----------
    root
        Study folder with ``phenotype/``, or that folder itself.
    scales
        Names of files, or of known scales kept in a file of another name; all files if None.
    session_pattern
        Regular expression of the session names with groups ``day`` and ``period`` or ``arm``.
    participants
        Participants of the study; a row of anybody else is wrong, and with a ``Roster`` a session
        that contradicts the infusions. Those of ``participants.tsv`` if None and there is one.
    bad_cells
        ``stop`` raises at the first wrong cell, ``missing`` adds it to ``findings``.
    ignore
        Columns left aside.

    Returns
    -------
    ``table`` has columns participant, session, period, arm, day, then ``<scale>_<n>`` and
    ``<scale>_total`` in natural order.
    """
    folder, findings = _phenotype_folder(Path(root)), DataIssues(bad_cells)
    roster = roster_of((folder, folder.parent), participants)
    reader = VisitReader(VisitPattern(session_pattern), roster, findings, ignore=frozenset(ignore))
    tables = [reader.table(*chosen) for chosen in _choose(folder, scales, reader)]
    phenotype = join_scales(tables, folder, findings, roster)
    check_ignored(phenotype, ignore)
    return replace(phenotype, session_pattern=session_pattern)


def _phenotype_folder(root: Path) -> Path:
    if not root.exists():
        raise InputError("no such folder", file=root, remedy="check the path")
    for folder in (root / "phenotype", root):
        if files_in(folder, ".tsv"):
            return folder
    raise InputError(
        "holds no phenotype/*.tsv", file=root, remedy="name the folder that holds phenotype/"
    )


def files_in(folder: Path, suffix: str) -> dict[str, Path]:
    """Return the files of a folder with this ending by stem, none where there is no folder."""
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise read_error(folder, error) from None
    return {p.stem: p for p in found if p.suffix == suffix and p.stem != "participants"}


def _choose(
    folder: Path, scales: Sequence[str] | None, reader: VisitReader
) -> Iterator[tuple[Cells, list[ScaleColumn]]]:
    """Yield the files that hold the scales asked for, with the columns that belong to them.

    One file after the other: together their text needs many times the memory of the scores.
    """
    files = files_in(folder, ".tsv")
    wanted = list(files) if scales is None else list(dict.fromkeys(scales))
    for stem in wanted:
        if stem in files:
            yield _open(files[stem], reader)
    inside = [scale for scale in wanted if scale not in files]
    if inside:
        yield from _of_scales(
            folder, [p for s, p in files.items() if s not in wanted], inside, reader
        )


def _open(path: Path, reader: VisitReader) -> tuple[Cells, list[ScaleColumn]]:
    cells = read_cells(path)
    described = read_sidecar(path.with_suffix(".json"))
    return cells, scale_columns(cells, described, reader.keys(cells))


def _of_scales(
    folder: Path, files: list[Path], scales: list[str], reader: VisitReader
) -> Iterator[tuple[Cells, list[ScaleColumn]]]:
    """Yield of each file the columns of these scales; a scale found nowhere is wrong."""
    available: set[str] = set()
    for path in files:
        cells, columns = _open(path, reader)
        available |= {rating_scales.scale_of(column.name) for column in columns}
        mine = [column for column in columns if rating_scales.scale_of(column.name) in scales]
        if mine:
            yield cells, mine
    for scale in scales:
        if scale not in available:
            stems = {path.stem for path in files_in(folder, ".tsv").values()}
            raise InputError(
                "no such scale",
                file=folder,
                where="scales",
                value=scale,
                remedy=nearest(scale, sorted(stems | available)),
            )
