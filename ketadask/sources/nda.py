"""Rating scales downloaded from the NIMH Data Archive: text with two header lines per file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Phenotype
from ketadask.sources import rating_scales
from ketadask.sources.cells import Cells, read_cells
from ketadask.sources.codes import is_missing, parse_number
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.participants import Roster, roster_of
from ketadask.sources.phenotype import files_in
from ketadask.sources.scale_columns import ScaleColumn, scale_columns
from ketadask.sources.visit_tables import VisitReader, check_ignored, join_scales
from ketadask.sources.visits import PERIODS, VisitPattern

# What every structure of the archive carries besides its scores.
_RECORD = (
    "subjectkey",
    "interview_date",
    "interview_age",
    "sex",
    "gender",
    "collection_id",
    "dataset_id",
    "collection_title",
)


def read_nda(
    root: Path | str,
    scales: Sequence[str] | None = None,
    *,
    session_pattern: str = PERIODS,
    participants: Roster | Sequence[str] | None = None,
    bad_cells: str = "stop",
    ignore: Sequence[str] = (),
) -> Phenotype:
    """Read ``<structure>.txt`` files, for example ``madrs01.txt``, into one row per visit.

    The first line names the columns, the second describes them; ``src_subject_id`` is the
    participant and ``visit`` the session. Elements of ``madrs01`` and ``hrsd01`` are known by their
    names in the archive, those of other structures as in any table. ``interview_age`` is in months:
    ``ages`` holds the age in years at the first visit, per participant.

    Parameters
    ----------
    root
        Folder with the files (or with a folder ``nda``), or one file.
    scales
        Names such as ``madrs`` or ``madrs01``, or of a known scale; all files if None.
    session_pattern, participants, bad_cells, ignore
        As in ``read_phenotype``.

    Returns
    -------
    What ``read_phenotype`` returns.
    """
    folder, files = _files(Path(root))
    findings = DataIssues(bad_cells)
    roster = roster_of((folder, folder.parent), participants)
    reader = VisitReader(
        VisitPattern(session_pattern),
        roster,
        findings,
        "src_subject_id",
        "visit",
        ignore=frozenset(ignore),
    )
    tables: list[Phenotype] = []
    ages: dict[str, float] = {}
    for path in _wanted(folder, files, scales):
        cells, columns = _open(path, reader)
        tables.append(reader.table(cells, columns))
        _note_ages(cells, findings, ages)
    phenotype = join_scales(tables, folder, findings, roster)
    check_ignored(phenotype, ignore)
    return replace(phenotype, ages=ages, session_pattern=session_pattern)


def _files(root: Path) -> tuple[Path, dict[str, Path]]:
    if root.is_file():
        return root.parent, {root.stem: root}
    if not root.exists():
        raise InputError("no such folder", file=root, remedy="check the path")
    for folder in (root / "nda", root):
        files = files_in(folder, ".txt")
        if files:
            return folder, files
    raise InputError("holds no *.txt of the archive", file=root, remedy="check the path")


def _wanted(folder: Path, files: dict[str, Path], scales: Sequence[str] | None) -> list[Path]:
    if scales is None:
        return list(files.values())
    wanted = []
    for scale in dict.fromkeys(scales):
        known = rating_scales.INSTRUMENTS.get(scale)
        spelt = {scale, *(known.spellings if known else ())}
        stem = next((s for s in files if scale == s or s[:-2] in spelt), None)
        if stem is None:
            raise InputError(
                "no such scale",
                file=folder,
                where="scales",
                value=scale,
                remedy=nearest(scale, sorted({*files, *(s[:-2] for s in files)})),
            )
        wanted.append(files[stem])
    return wanted


def _open(path: Path, reader: VisitReader) -> tuple[Cells, list[ScaleColumn]]:
    cells = read_cells(path, second_header=True)
    cells.need("src_subject_id")
    _check_descriptions(cells)
    record = {cells.find(name) for name in _RECORD} | {f"{path.stem}_id"}
    described = {
        name: {"Description": text}
        for name, text in zip(cells.columns, cells.second_header, strict=False)
    }
    keys = reader.keys(cells) | frozenset(name for name in record if name)
    return cells, scale_columns(cells, described, keys)


def _check_descriptions(cells: Cells) -> None:
    """Refuse a file without descriptions: its first row would be taken for them and be lost."""
    for name, text in zip(cells.columns, cells.second_header, strict=False):
        if not is_missing(text) and parse_number(text) is not None:
            raise InputError(
                "the second line holds a number, not what the columns mean",
                file=cells.file,
                where=f"row 2, column {name}",
                value=text,
                remedy="add the line of descriptions, or list the file under data.tables",
            )


def _note_ages(cells: Cells, findings: DataIssues, ages: dict[str, float]) -> None:
    """Note the age in years of each participant, if younger than what is known already."""
    column = cells.find("interview_age")
    if column is None:
        return
    months = cells.numbers(column, findings, low=0, high=1440)
    people = cells.text(cells.need("src_subject_id"))
    for person, age in zip(people, months, strict=True):
        if age / 12 < ages.get(person, float("inf")):  # false where the age is missing
            ages[person] = float(age / 12)
