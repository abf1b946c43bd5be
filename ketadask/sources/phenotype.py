"""Rating scales of every visit: BIDS ``phenotype/<scale>.tsv`` with its JSON description."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.cells import Cells, read_cells, read_sidecar
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.delimited import read_error
from ketadask.sources.participants import find_participants
from ketadask.sources.rating_scales import scale_of
from ketadask.sources.scale_columns import ScaleColumn, scale_columns
from ketadask.sources.visit_tables import VisitReader, check_ignored, join_scales
from ketadask.sources.visits import PERIODS, VisitPattern


def read_phenotype(
    root: Path | str,
    scales: Sequence[str] | None = None,
    *,
    session_pattern: str = PERIODS,
    participants: Participants | Sequence[str] | None = None,
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
        Names of files, or of known scales inside files of another name; all files if None.
    session_pattern
        Regular expression of the session names with groups ``day`` and ``period`` or ``arm``.
    participants
        Participants of the study, of ``participants.tsv`` if None and there is one. Rows of others
        are wrong, and so are sessions that contradict known infusions.
    bad_cells
        ``stop`` raises at the first wrong cell, ``missing`` adds it to ``findings``.
    ignore
        Columns to ignore.

    Returns
    -------
    ``table`` has columns participant, session, period, arm, day, then ``<scale>_<n>`` and
    ``<scale>_total`` in natural order.

    Examples
    --------
    >>> import ketadask as kd
    >>> scales = kd.read_phenotype(kd.simulate_study("study", participants=5), ["madrs"])
    >>> scales.table[["participant", "period", "day", "madrs_total"]].head(2)
      participant  period  day  madrs_total
    0  sub-K00001       1    0         36.0
    1  sub-K00001       1    1         36.0
    """
    folder, issues = _phenotype_folder(Path(root)), DataIssues(bad_cells)
    participants = find_participants((folder, folder.parent), participants)
    reader = VisitReader(
        VisitPattern(session_pattern), participants, issues, ignore=frozenset(ignore)
    )
    tables = [reader.table(cells, columns) for cells, columns in _scales(folder, scales, reader)]
    phenotype = join_scales(tables, folder, issues, participants)
    check_ignored(phenotype, ignore)
    return replace(phenotype, session_pattern=session_pattern)


def _phenotype_folder(root: Path) -> Path:
    if not root.exists():
        raise InputError("no such folder", file=root, remedy="check the path")
    for folder in (root / "phenotype", root):
        if scale_files(folder, ".tsv"):
            return folder
    raise InputError(
        "holds no phenotype/*.tsv", file=root, remedy="name the folder that holds phenotype/"
    )


def scale_files(folder: Path, suffix: str) -> dict[str, Path]:
    """Return the files of a folder with this ending, by stem; none if there is no folder."""
    try:
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise read_error(folder, error) from None
    return {p.stem: p for p in paths if p.suffix == suffix and p.stem != "participants"}


def unknown_scale(folder: Path, scale: str, names: set[str]) -> InputError:
    """Return the error of a scale that no file holds."""
    remedy = nearest(scale, sorted(names))
    return InputError("no such scale", file=folder, where="scales", value=scale, remedy=remedy)


def _scales(
    folder: Path, scales: Sequence[str] | None, reader: VisitReader
) -> Iterator[tuple[Cells, list[ScaleColumn]]]:
    """Yield the files that hold the scales, with the columns that belong to them.

    One file after the other: together their text needs many times the memory of the scores.
    """
    files = scale_files(folder, ".tsv")
    names = list(files) if scales is None else list(dict.fromkeys(scales))
    for name in names:
        if name in files:
            yield _open(files[name], reader)
    missing = {name for name in names if name not in files}
    others = [path for name, path in files.items() if name not in names] if missing else []
    available = set(files)
    for path in others:
        cells, columns = _open(path, reader)
        available |= {scale_of(column.name) for column in columns}
        own = [column for column in columns if scale_of(column.name) in missing]
        if own:
            yield cells, own
    for name in names:
        if name not in available:
            raise unknown_scale(folder, name, available)


def _open(path: Path, reader: VisitReader) -> tuple[Cells, list[ScaleColumn]]:
    cells = read_cells(path)
    descriptions = read_sidecar(path.with_suffix(".json"))
    return cells, scale_columns(cells, descriptions, reader.keys(cells))
