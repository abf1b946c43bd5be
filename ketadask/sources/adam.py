"""CDISC ADaM: the scores of ADQS, a row per parameter and visit, with the subjects of ADSL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ketadask.schema.errors import InputError
from ketadask.sources.cells import Cells

SUBJECT, PARAMETER, VALUE = "USUBJID", "PARAMCD", "AVAL"
_VISIT = ("AVISIT", "AVISITN", "ADY")
_FLAG = "ANL01FL"


def is_parameter_table(cells: Cells) -> bool:
    """Return whether a table is one of ADaM's basic data structure, such as ADQS."""
    return all(cells.find(name) for name in (SUBJECT, PARAMETER, VALUE))


def subjects_path(path: Path) -> Path | None:
    """Return the subject-level table, ``adsl``, beside a table of parameters."""
    if path.stem.lower().startswith("adsl"):
        return None
    names = [path.with_name(f"adsl{path.suffix}"), path.with_name(f"ADSL{path.suffix}")]
    return next((name for name in names if name.is_file()), None)


def wide_parameters(cells: Cells, read: Callable[[Path], Cells]) -> Cells:
    """Return a row per subject and visit, a column per parameter, and the columns of ADSL.

    Rows without an analysis flag ``ANL01FL``, where the table has one, are left out; of several
    records of a subject, parameter and visit there may be one. Baselines (``BASE``) and changes
    (``CHG``) follow from the visits and are not read.

    Parameters
    ----------
    cells
        The table of parameters.
    read
        Reads the table of subjects beside it.
    """
    subject, parameter, value = (cells.need(name) for name in (SUBJECT, PARAMETER, VALUE))
    visit_column = next((name for name in map(cells.find, _VISIT) if name), None)
    if visit_column is None:
        remedy = "export it with AVISIT, AVISITN or ADY"
        raise cells.header_error("no column names the visit", remedy)
    flag = cells.find(_FLAG)
    rows: dict[tuple[str, str], int] = {}
    names = sorted(set(cells.words(parameter)) - {""})
    scores: dict[str, list[str]] = {name: [] for name in names}
    lines: list[int] = []
    for row, key in enumerate(zip(cells.words(subject), cells.words(visit_column), strict=True)):
        if not all(key) or (flag and not cells.columns[flag][row]):
            continue
        position = rows.setdefault(key, len(rows))
        if position == len(lines):
            lines.append(cells.lines[row])
            for column in scores.values():
                column.append("")
        name = cells.columns[parameter][row]
        if scores[name][position]:
            problem = f"{name} appears twice at {key[1]}"
            remedy = f"flag one record for analysis in {_FLAG}"
            raise cells.error(row, parameter, problem, remedy, key[0])
        scores[name][position] = cells.columns[value][row]
    columns = {SUBJECT: [key[0] for key in rows], visit_column: [key[1] for key in rows]}
    source = _subjects(cells, read)
    positions = {who: row for row, who in enumerate(source.words(source.need(SUBJECT)))}
    missing = next((who for who in columns[SUBJECT] if who not in positions), None)
    if missing is not None:
        remedy = "export both tables of the same subjects"
        raise InputError("a subject is not in ADSL", file=source.file, value=missing, remedy=remedy)
    for name in _constant(source):
        own = source.columns[name]
        columns[name] = [own[positions[who]] for who in columns[SUBJECT]]
    return Cells(cells.file, columns | scores, lines, missing=cells.missing)


def _subjects(cells: Cells, read: Callable[[Path], Cells]) -> Cells:
    path = subjects_path(cells.file)
    return cells if path is None else read(path)


def _constant(source: Cells) -> Sequence[str]:
    """Return the columns of subjects: all of ADSL, without ADSL those of treatment and person."""
    if source.find(PARAMETER) is None:
        return [name for name in source.columns if name != source.need(SUBJECT)]
    names = ("TRT01P", "TRTP", "TRTA", "AGE", "SEX", "RACE", "SITEID", "STUDYID")
    return [column for column in map(source.find, names) if column]
