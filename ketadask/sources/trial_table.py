"""A trial in one table: a row per participant, or per participant and visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.schema import roles as r
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.cells import Cells
from ketadask.sources.codes import is_word, parse_number, parse_numbers
from ketadask.sources.column_kinds import plain_name
from ketadask.sources.column_roles import AS_SETTINGS, guess_roles
from ketadask.sources.data_issues import DataIssues
from ketadask.sources.participants import SEX_CODES
from ketadask.sources.rating_scales import canonical_column, score_label, score_range
from ketadask.sources.scale_columns import KEYS
from ketadask.sources.trial_rows import TrialRows, trial_rows
from ketadask.sources.visit_labels import unit_days, visit_day
from ketadask.sources.visits import SHARED_BASELINE

AFTER_DAY = 1
_YES = ("yes", "true", "y", "responder", "response", "remission", "success", "dead", "good")
_LATER = (r.SCORE, r.OUTCOME, r.FOLLOW_UP, r.TIME, r.EVENT)
_Codes = tuple[str, ...]
"""The words of a column: those for 0, then the one for 1."""


def read_trial_table(
    cells: Cells,
    *,
    role_columns: Mapping[str, str] | None = None,
    arms: Mapping[str, str] | None = None,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    day: int | None = None,
    level: str | None = None,
    family: str | None = None,
    bad_cells: str = "stop",
) -> Participants:
    """Return the participants of a trial, with their scores at every visit, from one table.

    Columns from before treatment are covariates of the participants; what came later, and a
    baseline of the outcome, are scores of visits. Without a column of visits, a row is one visit
    after treatment.

    Parameters
    ----------
    cells
        The table.
    role_columns
        Column by role, where it is not to be guessed; see ``guess_roles``.
    arms
        ``active`` or ``control`` by the value of the column of arms; other values are left out.
        Needed where no value is a word for a control, or where there are more than two.
    features
        Columns to use as covariates; all that are from before treatment if None.
    ignore
        Columns to ignore.
    day
        Day of the visit after treatment where no column says it.
    level
        Value of the outcome that counts as 1, the others as 0.
    family
        Modality of the covariates; the name of the file if None.
    bad_cells
        ``stop`` raises at the first wrong cell, ``missing`` adds it to the findings.
    """
    issues = DataIssues(bad_cells)
    roles = _with_features(guess_roles(cells, role_columns, ignore), features, cells)
    codes = {c: two_words(cells.words(c)) for c in roles.columns_of(*_LATER)}
    if level is not None:
        codes |= {c: _level_words(cells, c, level) for c in roles.columns_of(r.OUTCOME)}
    roles = _with_codes(roles, codes)
    rows = trial_rows(cells, roles, arms, issues)
    day = AFTER_DAY if day is None else day
    visits, labels, limits = _visits(cells, roles, rows, issues, day, codes)
    covariates = _covariates(cells, roles, rows, issues)
    table = _people_table(cells, roles, rows)
    for name in [n for n in ("age", "sex") if n in covariates and n not in table]:
        table[name] = covariates.pop(name).to_numpy(dtype=np.float64)
    table = table.sort_values(nm.PARTICIPANT, ignore_index=True)
    return Participants(
        table,
        findings=issues.records(),
        file=str(cells.file),
        covariates=covariates.sort_index(),
        family=family or cells.file.stem,
        columns=roles.columns,
        arms=rows.arms,
        scales=Phenotype(
            visits,
            labels=labels,
            limits=limits,
            folder=str(cells.file.parent),
            files=[str(cells.file)],
            sequences=dict(zip(table[nm.PARTICIPANT], table["sequence"], strict=True)),
        ),
    )


def _with_features(
    roles: r.TableRoles, features: Sequence[str] | None, cells: Cells
) -> r.TableRoles:
    """Return the roles with these columns alone as features."""
    if features is None:
        return roles
    names = {cells.need(name) for name in features}
    entries = []
    for entry in roles.columns:
        is_feature = entry.role in (r.FEATURE, r.CATEGORY)
        if entry.column in names and not is_feature:
            is_numeric = all(parse_number(cell) is not None for cell in cells.columns[entry.column])
            role, reason = (r.FEATURE if is_numeric else r.CATEGORY), AS_SETTINGS
            entries.append(replace(entry, role=role, reason=reason))
        elif is_feature and entry.column not in names:
            entries.append(replace(entry, role=r.NO_USE, reason="not among the features to use"))
        else:
            entries.append(entry)
    return replace(roles, columns=tuple(entries))


def _people_table(cells: Cells, roles: r.TableRoles, rows: TrialRows) -> pd.DataFrame:
    columns = {role: roles.column_of(role) for role in (r.TRIAL, r.SITE, r.CLUSTER)}
    words = {role: rows.first(cells.words(name)) for role, name in columns.items() if name}
    ones = [""] * len(rows.people)
    table = pd.DataFrame(
        {
            nm.PARTICIPANT: rows.people,
            "sequence": rows.sequences,
            "trial": [word or "1" for word in words.get(r.TRIAL, ones)],
            "site": [word or "1" for word in words.get(r.SITE, ones)],
            "group": "",
            "washout": np.nan,
            "left_out": rows.left_out,
        }
    )
    if r.CLUSTER in words:
        pairs = zip(words[r.CLUSTER], rows.people, strict=True)
        table["cluster"] = [word or f"={who}" for word, who in pairs]
    return table


def _covariates(
    cells: Cells, roles: r.TableRoles, rows: TrialRows, issues: DataIssues
) -> pd.DataFrame:
    """Return the features of participants: numbers, or text of categories, by their columns."""
    first_row = np.full(len(rows.people), -1)
    columns: dict[str, np.ndarray] = {}
    for entry in roles.columns:
        if entry.role == r.FEATURE:
            name, low, high = entry.column, -np.inf, np.inf
            if plain_name(name) == "age":
                name, low, high = "age", 0.0, 120.0
            values = cells.numbers(entry.column, issues, low=low, high=high)
            columns[name] = _first_numbers(values, rows, first_row)
        elif entry.role == r.CATEGORY:
            words = rows.first(cells.words(entry.column))
            codes = {word: SEX_CODES.get(word.lower()) for word in set(words) - {""}}
            if plain_name(entry.column) in ("sex", "gender") and None not in codes.values():
                columns["sex"] = np.array([codes.get(word, np.nan) for word in words], dtype=float)
            else:
                columns[entry.column] = np.array(words, dtype=object)
    index = pd.Index(rows.people, name=nm.PARTICIPANT)
    return pd.DataFrame(columns, index=index, copy=False)


def _first_numbers(values: np.ndarray, rows: TrialRows, empty: np.ndarray) -> np.ndarray:
    """Return the first number of each participant that is not missing."""
    valid = np.flatnonzero(np.isfinite(values) & (rows.person >= 0))[::-1]
    first_row = empty.copy()
    first_row[rows.person[valid]] = valid
    return np.where(first_row >= 0, values[first_row], np.nan)


def _visits(
    cells: Cells,
    roles: r.TableRoles,
    rows: TrialRows,
    issues: DataIssues,
    day: int,
    codes: Mapping[str, _Codes | None],
) -> tuple[pd.DataFrame, dict[str, str], dict[str, tuple[float, float]]]:
    """Return the scores of every visit, with labels and limits; one baseline before all periods."""
    days, sessions = _days(cells, roles, rows, issues, day)
    scores, labels, limits = {}, {}, {}
    for column in roles.columns_of(*_LATER):
        is_number = parse_numbers(cells.columns[column]) is not None
        entry = roles.by_column[column]
        is_guess = entry.role == r.OUTCOME and entry.reason != AS_SETTINGS
        if (entry.role == r.FOLLOW_UP or is_guess) and codes[column] is None and not is_number:
            continue
        canonical = canonical_column(column, cells.file.stem) if _is_score(roles, column) else None
        name = canonical or column
        limits[name], labels[name] = score_range(name), score_label(name)
        scores[name] = _later_numbers(cells, column, issues, limits[name], codes[column])
    before = roles.columns_of(r.BASELINE)
    has_score = np.logical_or.reduce([np.isfinite(v) for v in scores.values()] or [days >= 0])
    valid = (rows.person >= 0) & (rows.period >= 0) & (days > np.iinfo(np.int64).min) & has_score
    visits = pd.DataFrame(
        {
            nm.PARTICIPANT: np.array(rows.people, dtype=object)[rows.person[valid]],
            "session": sessions[valid],
            "period": rows.period[valid],
            nm.ARM: np.where(rows.period[valid] > 0, "", SHARED_BASELINE).astype(object),
            "day": days[valid],
            **{name: values[valid] for name, values in scores.items()},
        }
    )
    _check_visits(cells, roles, visits, np.flatnonzero(valid))
    if before:
        visits = pd.concat([visits, _baselines(cells, before, rows, issues)], ignore_index=True)
        labels |= {name: name for name in before}
        limits |= dict.fromkeys(before, (-np.inf, np.inf))
    order = [*KEYS, *(name for name in visits.columns if name not in KEYS)]
    return visits[order], labels, limits


def _baselines(
    cells: Cells, columns: Sequence[str], rows: TrialRows, issues: DataIssues
) -> pd.DataFrame:
    """Return the visits before treatment: one per participant, or per period where they differ."""
    table = pd.DataFrame({name: cells.numbers(name, issues) for name in columns})
    table.insert(0, "person", rows.person)
    table.insert(1, "period", rows.period)
    table = table[(table["person"] >= 0) & (table["period"] >= 0)]
    by_period = table.groupby(["person", "period"]).first()[[*columns]]
    if (by_period.groupby("person").nunique() <= 1).all(axis=None):
        table["period"] = 0
    first = table.groupby(["person", "period"], as_index=False).first()
    visits = pd.DataFrame(
        {
            nm.PARTICIPANT: np.array(rows.people, dtype=object)[first["person"]],
            "session": "baseline",
            "period": first["period"].astype(np.int64),
            nm.ARM: np.where(first["period"] > 0, "", SHARED_BASELINE).astype(object),
            "day": np.int64(0),
        }
    )
    return visits.assign(**{name: first[name] for name in columns})


def _is_score(roles: r.TableRoles, column: str) -> bool:
    return roles.by_column[column].role == r.SCORE


def _later_numbers(
    cells: Cells,
    column: str,
    issues: DataIssues,
    limits: tuple[float, float],
    codes: _Codes | None,
) -> np.ndarray:
    """Return a score of every row: 1 for the word that ``codes`` name last, 0 for the others."""
    if codes is not None:
        words = cells.words(column)
        return np.array([np.nan if not word else float(word == codes[-1]) for word in words])
    remedy = "; or name the value that counts as 1 in outcome.level"
    return cells.numbers(column, issues, low=limits[0], high=limits[1], text_remedy=remedy)


def _level_words(cells: Cells, column: str, level: str) -> _Codes:
    """Return the words of a column, ``level`` last."""
    levels = sorted(set(cells.words(column)) - {""}, key=str.lower)
    if level not in levels:
        raise InputError(
            "no row has this value",
            file=cells.file,
            where=f"outcome.level, column {column}",
            value=level,
            remedy=nearest(level, levels),
        )
    return *(word for word in levels if word != level), level


def two_words(words: Sequence[str]) -> _Codes | None:
    """Return the words for 0 and 1 of a column of two words, None for other columns."""
    levels = sorted(set(words) - {""}, key=str.lower)
    if len(levels) != 2 or not all(map(is_word, levels)):
        return None
    yes = next((level for level in levels if level.lower() in _YES), levels[1])
    return next(level for level in levels if level != yes), yes


def _with_codes(roles: r.TableRoles, codes: Mapping[str, _Codes | None]) -> r.TableRoles:
    """Return the roles with what 0 and 1 mean in outcomes of words."""
    entries = []
    for entry in roles.columns:
        words = codes.get(entry.column) if entry.role in (r.OUTCOME, r.EVENT) else None
        reason = f"1 is {words[-1]}, 0 is {', '.join(words[:-1])}" if words else entry.reason
        entries.append(replace(entry, reason=reason))
    return replace(roles, columns=tuple(entries))


def _days(
    cells: Cells, roles: r.TableRoles, rows: TrialRows, issues: DataIssues, day: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return day and session of every row; the smallest integer where there is no day."""
    column = roles.column_of(r.DAY) or roles.column_of(r.SESSION)
    if column is None:
        return np.full(len(cells), day), np.full(len(cells), "", dtype=object)
    words, unit = cells.words(column), unit_days(plain_name(column))
    day_of: dict[str, int] = {"": int(np.iinfo(np.int64).min)}
    for row, word in enumerate(words):
        if word not in day_of:
            value = parse_number(word)
            if value is not None and value.is_integer():
                day_of[word] = int(value) * unit
                continue
            label_day = visit_day(word)
            if label_day is None:
                remedy = "write a day, or a name such as baseline, day 7, week 4; or name another "
                remedy += "column in data.table.day"
                issues.add(cells.error(row, column, "not the day of a visit", remedy))
            day_of[word] = day_of[""] if label_day is None else label_day
    return (
        np.array([day_of[word] for word in words], dtype=np.int64),
        np.array(words, dtype=object),
    )


def _check_visits(
    cells: Cells, roles: r.TableRoles, visits: pd.DataFrame, line: np.ndarray
) -> None:
    again = visits.duplicated([nm.PARTICIPANT, "period", "day"]).to_numpy()
    if not again.any():
        return
    row = int(line[np.flatnonzero(again)[0]])
    column = roles.column_of(r.DAY) or roles.column_of(r.SESSION) or roles.column_of(r.PARTICIPANT)
    remedy = "name the column of days or visits in data.table.day or data.table.session"
    raise (
        cells.error(row, str(column), "a participant has two rows of the same visit", remedy)
        if column
        else InputError("two rows of the same visit", file=cells.file, remedy=remedy)
    )
