"""The first YAML file of a study, from its tables: each guess with its reason and alternatives."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ketadask.cohort.designs import DESIGNS
from ketadask.cohort.endpoints import Outcome
from ketadask.config.reading import build_settings
from ketadask.config.reference import STUDY_SCHEMA
from ketadask.config.study import StudySettings
from ketadask.schema import roles as r
from ketadask.schema.errors import InputError
from ketadask.sources.arm_columns import guess_pattern, visit_rows
from ketadask.sources.codes import is_word, parse_number
from ketadask.sources.column_kinds import plain_name
from ketadask.sources.column_roles import guess_roles
from ketadask.sources.rating_scales import RATING_SCALES, scale_of
from ketadask.sources.role_names import NAMES_BY_ROLE
from ketadask.sources.scale_columns import KEYS
from ketadask.sources.spreadsheets import TABLE_FORMATS, read_table
from ketadask.sources.trial_table import two_words
from ketadask.sources.visits import ARMS
from ketadask.study.from_settings import read_scales, read_study_participants

if TYPE_CHECKING:
    from ketadask.schema.phenotype import Phenotype
    from ketadask.schema.roles import TableRoles
    from ketadask.sources.cells import Cells

DECIDE = "PLEASE DECIDE"
_FEW, _MANY_PAIRS = 6, 8
_FOLDERS = ("participants.tsv", "phenotype", "nda")


@dataclass
class Draft:
    """Lines of the YAML file at ``target``: key, value and the comment beside it."""

    target: Path
    lines: list[str] = field(default_factory=list)

    def add(self, indent: int, key: str, value: Any = None, comment: str = "") -> None:
        """Add a key; without a value it opens a section."""
        text = "" if value is None else " " + _plain(value)
        line = f"{'  ' * indent}{_plain(key)}:{text}"
        self.lines.append(f"{line:<30}  # {comment}" if comment else line)

    def relative(self, path: Path) -> str:
        """Return a path as the file may write it: relative to its folder."""
        return os.path.relpath(path.resolve(), self.target.resolve().parent)

    def note(self, indent: int, comment: str) -> None:
        """Add a line of comment."""
        self.lines.append(f"{'  ' * indent}# {comment}")

    @property
    def text(self) -> str:
        """The YAML file."""
        return "\n".join(self.lines) + "\n"


def draft_study(data: Path, target: Path) -> str:
    """Return the text of ``target``, the YAML file of a study of a table or folder.

    Nothing is computed. Guesses that only a person can make are marked with PLEASE DECIDE.
    """
    if not data.exists():
        raise InputError("no such file or folder", file=data, remedy="check the path")
    tables = [data] if data.is_file() else _tables(data)
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in data.stem).strip("._-")
    draft = Draft(target)
    draft.note(0, f"yaml-language-server: $schema={STUDY_SCHEMA}")
    draft.note(0, f"Guessed from {data.name} by `ketadask init`. Correct what is wrong, then run")
    draft.note(0, f"`ketadask check {target.name}`. `ketadask keys` describes all keys.")
    draft.add(0, "name", name or "study")
    if tables:
        _draft_tables(draft, tables)
    else:
        _draft_folder(draft, data)
    return draft.text


def _tables(folder: Path) -> list[Path]:
    """Return the tables of a folder, the largest first; none if it is a BIDS or NDA folder."""
    if any((folder / name).exists() for name in _FOLDERS):
        return []
    files = [path for path in folder.iterdir() if path.suffix.lower() in TABLE_FORMATS]
    if not files:
        raise InputError(
            "no table in the folder",
            file=folder,
            remedy=f"name a file that ends in {', '.join(sorted(TABLE_FORMATS))}, or a folder with "
            + ", ".join(_FOLDERS),
        )
    return sorted(files, key=lambda path: (-path.stat().st_size, path.name))


def _draft_tables(draft: Draft, tables: Sequence[Path]) -> None:
    """Write a table of participants and tables of visits, or the largest table alone."""
    cells = {path: read_table(path) for path in tables}
    roles = {path: guess_roles(table) for path, table in cells.items()}
    people = [path for path in tables if roles[path].layout == r.PARTICIPANT_ROW]
    visits = [path for path in tables if roles[path].layout == r.VISIT_ROW]
    if len(people) != 1 or not visits:
        _draft_table(draft, tables)
        return
    draft.add(0, "data")
    draft.add(1, "folder", draft.relative(tables[0].parent))
    draft.add(1, "participants")
    draft.add(2, "file", people[0].name)
    column = roles[people[0]].column_of(r.PARTICIPANT)
    if column not in (None, "participant_id"):
        draft.add(2, "columns", {column: "participant_id"}, "by its name")
    draft.add(2, "features", "all", _list(roles[people[0]].columns_of(r.FEATURE, r.CATEGORY)))
    draft.add(1, "tables")
    for path in visits:
        draft.lines.append(f"  - file: {_plain(path.name)}")
        for role in (r.PARTICIPANT, r.SESSION, r.PERIOD, r.ARM, r.DAY):
            column = roles[path].column_of(role)
            if column is None and role == r.PERIOD:  # the arms are in the other table
                column = _period(cells[path])
            if column is not None:
                draft.add(2, role, column, "by its name")
    _draft_study(draft)


def _period(cells: Cells) -> str | None:
    """Return the column of the periods 1 and 2, by its name."""
    columns = (c for c in cells.columns if plain_name(c) in NAMES_BY_ROLE[r.PERIOD])
    return next((c for c in columns if set(cells.words(c)) - {""} == {"1", "2"}), None)


def _draft_table(draft: Draft, tables: Sequence[Path]) -> None:
    path = tables[0]
    cells = read_table(path)
    pattern = guess_pattern(list(cells.columns))
    if pattern is not None:
        cells = visit_rows(cells, pattern)
    roles = guess_roles(cells)
    draft.add(0, "data")
    draft.add(1, "table")
    others = _list(other.name for other in tables[1:])
    draft.add(2, "file", draft.relative(path), others and f"not used: {others}")
    if pattern is not None:
        draft.add(2, "wide_pattern", pattern, "a column per arm, by their names")
    for role in (r.PARTICIPANT, r.ARM, r.PERIOD, r.DAY, r.SESSION, r.SITE, r.TRIAL):
        column = roles.column_of(role)
        if column is not None:
            entry = roles.by_column[column]
            draft.add(2, role, column, _reason(entry.reason, entry.alternatives))
    features = roles.columns_of(r.FEATURE, r.CATEGORY)
    draft.add(2, "features", "all", _list(features) or "no column is left")
    for entry in _unused(roles)[:_FEW]:
        draft.note(2, f"not used: {entry.column}, {entry.reason}")
    if roles.arms and set(roles.arms) - {"active", "control"}:
        draft.add(1, "arms", None, f"{DECIDE}: {roles.arms_doubt}" if roles.arms_doubt else "")
        for word, arm in roles.arms.items():
            if arm:
                draft.add(2, word, arm)
            else:
                draft.note(2, f"{_plain(word)}: left out; active or control")
    elif not roles.arms:
        draft.note(2, f"{DECIDE}: arm: COLUMN; {roles.arms_doubt}")
    _draft_outcome(draft, cells, roles)
    draft.add(0, "design")
    draft.add(1, "kind", roles.design, _or(kind for kind in DESIGNS if kind != roles.design))


def _draft_outcome(draft: Draft, cells: Cells, roles: TableRoles) -> None:
    """Write the outcome that the names of the columns tell; else that of most visits."""
    time, event = roles.column_of(r.TIME), roles.column_of(r.EVENT)
    outcome = roles.column_of(r.OUTCOME)
    if outcome is None and (time is None or event is None):
        has_days = bool(roles.columns_of(r.DAY, r.SESSION))
        _draft_visits(draft, _phenotype(draft), has_days=has_days)
        return
    draft.add(0, "outcome")
    if time is not None and event is not None:
        draft.add(1, "column", time, roles.by_column[time].reason)
        draft.add(1, "event", event, _event_comment(cells, roles.by_column[event]))
        direction = Outcome(column=time, event=event).direction
        doubt = "" if direction else f"{DECIDE}: "
        draft.add(1, "direction", direction or "higher", f"{doubt}higher where late is better")
        return
    assert outcome is not None
    entry, baseline = roles.by_column[outcome], roles.column_of(r.BASELINE)
    draft.add(1, "column", outcome, _reason(entry.reason, entry.alternatives))
    if baseline is not None:
        draft.add(1, "baseline", baseline, roles.by_column[baseline].reason)
    levels = sorted(set(cells.words(outcome)) - {""}, key=str.lower)
    if len(levels) == 2:
        draft.add(1, "kind", "binary", "or continuous")
    if levels and all(map(is_word, levels)):
        words = two_words(levels) or tuple(levels)
        doubt = "" if len(levels) == 2 else f"{DECIDE}: "
        draft.add(1, "level", words[-1], f"{doubt}counts as 1; or {_list(words[:-1])}")
    _draft_direction(draft, outcome)


def _event_comment(cells: Cells, entry: r.ColumnRole) -> str:
    """Return what the values of an event are, and why the column was chosen."""
    levels = sorted(set(cells.words(entry.column)) - {""})
    numbers = [parse_number(level) for level in levels]
    is_code = numbers in ([0.0, 1.0], [0.0, 1.0, 2.0]) or two_words(levels) is not None
    doubt = "" if is_code else f"{DECIDE}: its values are {_list(levels)}; "
    return f"{doubt}0 censored, 1 event, 2 competing event; {entry.reason}"


def _draft_direction(draft: Draft, column: str) -> None:
    direction = Outcome(column=column).direction
    doubt = "" if direction else f"{DECIDE}: "
    draft.add(1, "direction", direction or "lower", f"{doubt}lower or higher")


def _draft_folder(draft: Draft, folder: Path) -> None:
    draft.add(0, "data")
    draft.add(1, "folder", draft.relative(folder))
    if not len(_phenotype(draft).table):  # no session has the usual name
        draft.add(1, "session_pattern", ARMS, "names of sessions; groups day and period or arm")
    _draft_study(draft)


def _draft_study(draft: Draft) -> None:
    """Write outcome and design, from the scores that the lines so far describe."""
    phenotype = _phenotype(draft)
    _draft_visits(draft, phenotype)
    n_pairs = sum("-" in sequence for sequence in phenotype.sequences.values())
    draft.add(0, "design")
    kind = "crossover" if n_pairs >= _MANY_PAIRS else "parallel"
    others = _or(design for design in DESIGNS if design != kind)
    draft.add(1, "kind", kind, f"{n_pairs} participants have two arms; {others}")


def _draft_visits(draft: Draft, phenotype: Phenotype, *, has_days: bool = True) -> None:
    """Write the outcome: the scale and day with most values after treatment."""
    later = phenotype.table[phenotype.table["day"] > 0]
    counts = {name: later.groupby("day")[columns].count().max(axis=1) for name, columns in
              _outcomes(phenotype).items()}  # fmt: skip
    counts = {name: count[count > 0] for name, count in counts.items() if (count > 0).any()}
    draft.add(0, "outcome")
    if not counts:
        draft.add(1, "column", "COLUMN", f"{DECIDE}: the outcome; no score was found")
        return
    name = max(counts, key=lambda scale: int(counts[scale].max()))  # of equals the first
    count = counts[name]
    day = int(count.index[count >= 0.9 * count.max()].max())
    is_scale = name in RATING_SCALES
    draft.add(1, "scale" if is_scale else "column", name, _or(n for n in counts if n != name))
    if has_days or is_scale:
        draft.add(1, "day", day, _or(str(d) for d in count.index if d != day))
    if not is_scale:
        _draft_direction(draft, name)


def _outcomes(phenotype: Phenotype) -> dict[str, list[str]]:
    """Return the columns of each known scale, most depression scales first, and other scores."""
    columns = [str(name) for name in phenotype.table.columns if name not in KEYS]
    by_scale: dict[str, list[str]] = {name: [] for name in RATING_SCALES}
    for column in columns:
        scale = scale_of(column)
        by_scale.setdefault(scale if scale in RATING_SCALES else column, []).append(column)
    return {name: own for name, own in by_scale.items() if own}


def _phenotype(draft: Draft) -> Phenotype:
    """Return the scores by the lines so far; `check` names invalid cells."""
    settings = build_settings(yaml.safe_load(draft.text), StudySettings, draft.target)
    data = settings.data.model_copy(update={"bad_cells": "missing"})
    settings = settings.model_copy(update={"data": data})
    folder = Path(str(settings.data.folder))
    return read_scales(settings, folder, read_study_participants(settings, folder))


def _unused(roles: TableRoles) -> list[r.ColumnRole]:
    names = (r.FOLLOW_UP, r.DATE, r.TEXT, r.CONSTANT, r.ROW)
    return [entry for entry in roles.columns if entry.role in names]


def _reason(reason: str, alternatives: Sequence[str]) -> str:
    return "; ".join(part for part in (reason, _or(alternatives)) if part)


def _or(names: Iterable[str]) -> str:
    text = _list(names)
    return f"or {text}" if text else ""


def _list(names: Iterable[str]) -> str:
    """Return a few names, and how many more there are.

    Examples
    --------
    >>> _list(["a", "b"]), _list("abcdefgh")
    ('a, b', 'a, b, c, d, e, f and 2 more')
    """
    names = [str(name) for name in names]
    more = f" and {len(names) - _FEW:,} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def _plain(value: Any) -> str:
    """Return a value as it stands in YAML."""
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()
