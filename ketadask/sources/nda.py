"""Rating scales downloaded from the NIMH Data Archive: text with two header lines per file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ketadask.schema.errors import InputError
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.cells import Cells, read_cells
from ketadask.sources.codes import is_missing, parse_number
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.participants import find_participants
from ketadask.sources.phenotype import scale_files, unknown_scale
from ketadask.sources.rating_scales import RATING_SCALES
from ketadask.sources.scale_columns import ScaleColumn, scale_columns
from ketadask.sources.visit_tables import VisitReader, check_ignored, join_scales
from ketadask.sources.visits import PERIODS, VisitPattern

# Columns of every structure of the archive besides its scores.
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
_PARTICIPANT = "src_subject_id"


def read_nda(
    root: Path | str,
    scales: Sequence[str] | None = None,
    *,
    session_pattern: str = PERIODS,
    participants: Participants | Sequence[str] | None = None,
    bad_cells: str = "stop",
    ignore: Sequence[str] = (),
) -> Phenotype:
    """Read ``<structure>.txt`` files, for example ``madrs01.txt``, into one row per visit.

    The first line names the columns, the second describes them; ``src_subject_id`` is the
    participant and ``visit`` the session. Elements of ``madrs01`` and ``hrsd01`` have their names
    of the archive, those of other structures as in any table. ``interview_age`` is in months:
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
    As ``read_phenotype``.
    """
    folder, files = _files(Path(root))
    issues = DataIssues(bad_cells)
    participants = find_participants((folder, folder.parent), participants)
    pattern = VisitPattern(session_pattern)
    reader = VisitReader(
        pattern, participants, issues, _PARTICIPANT, "visit", ignore=frozenset(ignore)
    )
    tables: list[Phenotype] = []
    ages: dict[str, float] = {}
    for path in _select(folder, files, scales):
        cells, columns = _open(path, reader)
        tables.append(reader.table(cells, columns))
        _add_ages(cells, issues, ages)
    phenotype = join_scales(tables, folder, issues, participants)
    check_ignored(phenotype, ignore)
    return replace(phenotype, ages=ages, session_pattern=session_pattern)


def _files(root: Path) -> tuple[Path, dict[str, Path]]:
    if root.is_file():
        return root.parent, {root.stem: root}
    if not root.exists():
        raise InputError("no such folder", file=root, remedy="check the path")
    for folder in (root / "nda", root):
        files = scale_files(folder, ".txt")
        if files:
            return folder, files
    raise InputError("holds no *.txt of the archive", file=root, remedy="check the path")


def _select(folder: Path, files: dict[str, Path], scales: Sequence[str] | None) -> list[Path]:
    if scales is None:
        return list(files.values())
    paths = []
    for name in dict.fromkeys(scales):
        scale = RATING_SCALES.get(name)
        spellings = {name, *(scale.spellings if scale else ())}
        stem = next((s for s in files if name == s or s[:-2] in spellings), None)
        if stem is None:
            raise unknown_scale(folder, name, {*files, *(s[:-2] for s in files)})
        paths.append(files[stem])
    return paths


def _open(path: Path, reader: VisitReader) -> tuple[Cells, list[ScaleColumn]]:
    cells = read_cells(path, second_header=True)
    cells.need(_PARTICIPANT)
    texts = dict(zip(cells.columns, cells.second_header, strict=False))
    _check_descriptions(cells, texts)
    record = {cells.find(name) for name in _RECORD} | {f"{path.stem}_id"}
    keys = reader.keys(cells) | frozenset(name for name in record if name)
    descriptions = {name: {"Description": text} for name, text in texts.items()}
    return cells, scale_columns(cells, descriptions, keys)


def _check_descriptions(cells: Cells, texts: dict[str, str]) -> None:
    """Raise an InputError for a file without descriptions: its first row would be lost."""
    for name, text in texts.items():
        if not is_missing(text) and parse_number(text) is not None:
            raise InputError(
                "the second line holds a number, not a description of the columns",
                file=cells.file,
                where=f"row 2, column {name}",
                value=text,
                remedy="add the line of descriptions, or list the file under data.tables",
            )


def _add_ages(cells: Cells, issues: DataIssues, ages: dict[str, float]) -> None:
    """Add the age in years of each participant, the lowest if there are several."""
    column = cells.find("interview_age")
    if column is None:
        return
    months = cells.numbers(column, issues, low=0, high=1440)
    participants = cells.text(cells.need(_PARTICIPANT))
    for participant, age in zip(participants, months / 12, strict=True):
        if age < ages.get(participant, float("inf")):  # false where the age is missing
            ages[participant] = float(age)
