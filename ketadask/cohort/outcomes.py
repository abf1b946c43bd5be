"""The outcome of each infusion, and the exclusions where it is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.cohort.endpoints import LAST_DAY, MIXED_MODEL, SLOPE, Outcome
from ketadask.features.scales import baseline_visits
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.names_order import natural_key
from ketadask.sources.rating_scales import RATING_SCALES
from ketadask.sources.scale_columns import KEYS
from ketadask.sources.visits import NO_PERIOD, SHARED_BASELINE


def outcome_values(
    phenotype: Phenotype, outcome: str, missing_items: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcome (visit,) of a scale: its total, else the sum of its items.

    ``outcome`` may also be a column. With ``missing_items``, up to so many items of a visit may be
    missing; each counts as the mean of the participant's other items at that visit, also where the
    file has a total that is missing. The second array is why a value is missing, for readers.
    """
    table = phenotype.table
    columns = [name for name in table.columns if name not in KEYS]
    total = next((name for name in (outcome, f"{outcome}_total") if name in columns), None)
    items = [
        c for c in columns if c.rpartition("_")[0] == outcome and c.rpartition("_")[2].isdigit()
    ]
    is_complete = len(items) == len(_item_names(outcome))
    if total is not None and not (missing_items and items and is_complete):
        return table[total].to_numpy(dtype=np.float64), np.full(len(table), "", dtype=object)
    if items:
        _check_items(phenotype, outcome, items)
        items.sort(key=natural_key)  # the order of summation does not depend on that of the file
        values = table[items].to_numpy(dtype=np.float64)
        sums, n_missing = person_mean_sums(values, missing_items)
        if total is not None:
            totals = table[total].to_numpy(dtype=np.float64)
            sums = np.where(np.isnan(totals), sums, totals)
        reasons = [f"{n} of {len(items)} items missing" if n else "" for n in n_missing.tolist()]
        return sums, np.array(reasons, dtype=object)
    scales = sorted({c.removesuffix("_total").rstrip("0123456789").rstrip("_") for c in columns})
    raise InputError(
        "no such outcome scale",
        file=phenotype.folder,
        where="outcome",
        value=outcome,
        remedy=nearest(outcome, scales),
    )


def outcome_visits(phenotype: Phenotype, outcome: Outcome) -> pd.DataFrame:
    """Return participant, session, period, arm and day of every visit, and the ``outcome``.

    A baseline, event or exposure in a column of its own is a column of that name.
    """
    values, reasons = outcome_values(phenotype, outcome.name, outcome.missing_items)
    visits = phenotype.table[list(KEYS)].assign(outcome=values, reason=reasons)
    columns = {"baseline": outcome.baseline, "event": outcome.event, "exposure": outcome.exposure}
    return visits.assign(
        **{key: outcome_values(phenotype, name)[0] for key, name in columns.items() if name}
    )


def columns_of_outcome(phenotype: Phenotype, outcome: Outcome) -> list[str]:
    """Return the columns that are the outcome after the infusion, as `outcome_values` reads them.

    The column madrs of a file is madrs_total here.
    """
    columns = [name for name in phenotype.table.columns if name not in KEYS]
    own = []
    for name in outcome.columns:
        total = next((c for c in (name, f"{name}_total") if c in columns), None)
        items = [c for c in columns if c in _item_names(name)]
        own += items if total is None else [total]
    return own


def person_mean_sums(items: np.ndarray, most_missing: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the items of each row, and the number that are missing.

    A missing item counts as the mean of the others of its row; a row with more than
    ``most_missing`` has no sum, nor has one without any item.

    Examples
    --------
    >>> person_mean_sums(np.array([[2.0, 4.0, np.nan], [1.0, np.nan, np.nan]]), 1)
    (array([ 9., nan]), array([1, 2]))
    """
    n_items, missing = items.shape[1], np.isnan(items)
    n_missing = missing.sum(axis=1)
    sums = np.where(missing, 0.0, items).sum(axis=1)
    n_present = n_items - n_missing
    valid = (n_missing <= most_missing) & (n_present > 0)
    means = sums / np.maximum(n_present, 1)
    return np.where(valid, np.where(n_missing, means * n_items, sums), np.nan), n_missing


def _item_names(outcome: str) -> list[str]:
    scale = RATING_SCALES.get(outcome)
    return [] if scale is None else [f"{outcome}_{n}" for n in range(1, len(scale.items) + 1)]


def _check_items(phenotype: Phenotype, outcome: str, items: list[str]) -> None:
    """Raise where the file lacks items of a common scale: their sum would not be its total."""
    names = _item_names(outcome)
    missing = [name for name in names if name not in items]
    if missing:
        raise InputError(
            f"the outcome {outcome} has neither a total nor all of its {len(names)} items",
            file=phenotype.folder,
            where="outcome",
            value=f"without {', '.join(missing)}",
            remedy=f"add the column {outcome}_total, or the items",
        )


def infusion_cases(people: Participants) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one case per participant and infusion, and the participants without one.

    Cases: participant, period, arm. Exclusions: participant, period (0 for all), reason.
    """
    crossover = any("-" in sequence for sequence in people.table["sequence"])
    cases, exclusions = [], []
    table = people.table.set_index(nm.PARTICIPANT)
    left_out = table["left_out"].to_dict() if "left_out" in table else {}
    for person, sequence in people.sequences.items():
        if not sequence:
            reason = left_out.get(person) or "unknown arm: no infusion is recorded"
            exclusions.append((person, 0, reason))
            continue
        arms = sequence.split("-")
        cases += [(person, period, arm) for period, arm in enumerate(arms, start=1)]
        if crossover and len(arms) == 1:
            exclusions.append((person, 2, "the second infusion was not given"))
    return (
        pd.DataFrame(cases, columns=[nm.PARTICIPANT, "period", nm.ARM]),
        exclusion_table(exclusions),
    )


def drop_early_infusions(
    cases: pd.DataFrame, people: Participants, washout: int | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cases without second infusions that came too early, and these with the reason.

    Infusions without a date are kept; without any date the wash-out cannot be checked.
    """
    days = people.table.set_index(nm.PARTICIPANT)["washout"] if washout else pd.Series(dtype=float)
    if washout and not days.notna().any():
        raise InputError(
            "no participant has dates of both infusions",
            file=people.file,
            where="washout",
            remedy="add infusion_1_date and infusion_2_date, or remove washout",
        )
    between = cases[nm.PARTICIPANT].map(days).to_numpy(dtype=np.float64)
    early = (cases["period"] == 2).to_numpy() & (between < (washout or 0))
    reason = f"the second infusion came before a wash-out of {washout} days"
    rows = [(person, 2, reason) for person in cases[nm.PARTICIPANT][early]]
    return cases[~early].reset_index(drop=True), exclusion_table(rows)


def exclusion_table(rows: list[tuple[str, int, str]]) -> pd.DataFrame:
    """Return rows of (participant, period, reason) as a table."""
    return pd.DataFrame(rows, columns=[nm.PARTICIPANT, "period", "reason"])


def attach_outcome(
    cases: pd.DataFrame, visits: pd.DataFrame, outcome: Outcome
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cases with baseline and follow-up, and those without, with the reason.

    Parameters
    ----------
    cases
        participant, period, arm.
    visits
        Visits with their period and ``outcome``.
    outcome
        Its day and window: the nearest visit counts, of two equally near the earlier one. Without a
        day, a case has the last value of its period, or the one that the file gives without a
        period if the participant has one case. Cases without baseline stay where the endpoint
        needs none.
    """
    name, day, window = outcome.name, outcome.day, outcome.window
    has_visit, exact = None, ""
    if day is None:
        followup = _last_values(cases, visits, "outcome")
        missing = f"no {name}"
    elif outcome.endpoint in (SLOPE, MIXED_MODEL):
        last = day if outcome.endpoint == SLOPE else LAST_DAY
        followup = _at_cases(cases, _followups(visits, day, window), or_both=False)
        has_visit = np.isfinite(_at_cases(cases, _followups(visits, 0, last), or_both=False))
        missing = f"no {name} after the infusion"
    else:
        followup = _at_cases(cases, _followups(visits, day, window), or_both=False)
        exact = f"at day {day}" if window == 0 else f"within {window} days of day {day}"
        missing = f"no {name} {exact}"
    if outcome.baseline is not None:
        baseline = _last_values(cases, visits, "baseline", of_both=True)
    elif day is not None:
        baseline = _at_cases(cases, baseline_visits(visits.dropna(subset="outcome"))["outcome"])
    else:
        baseline = np.full(len(cases), np.nan)
    odd = (visits["period"] == NO_PERIOD) & visits["outcome"].notna()
    odd_participants = visits.loc[odd, nm.PARTICIPANT].unique().tolist()
    reasons = np.full(len(cases), "", dtype=object)
    no_followup = np.isnan(followup) if has_visit is None else ~has_visit
    no_baseline = np.isnan(baseline) & outcome.needs_baseline
    reasons[no_followup] = missing
    if day is not None and exact:
        own = visits[_is_after(visits) & ((visits["day"] - day).abs() <= window)]
        reasons[no_followup] = _missing_reasons(cases[no_followup], own, name, exact)
    others = {
        key: _last_values(cases, visits, key) for key in ("event", "exposure") if key in visits
    }
    for key, values in others.items():
        reasons[np.isnan(values)] = f"no {getattr(outcome, key)}"
    if outcome.baseline is not None or day is None:
        reasons[no_baseline] = f"no {outcome.baseline or f'{name} before the infusion'}"
    else:
        own = visits[_is_before(visits)]
        before = _missing_reasons(cases[no_baseline], own, name, "before the infusion")
        reasons[no_baseline] = before
    if outcome.needs_baseline:
        reasons[no_followup & ~no_baseline] = (
            "baseline only: " + reasons[no_followup & ~no_baseline]
        )
        reasons[~no_followup & no_baseline] = (
            "follow-up only: " + reasons[~no_followup & no_baseline]
        )
    is_odd = (reasons != "") & cases[nm.PARTICIPANT].isin(odd_participants).to_numpy()
    reasons[is_odd] += "; a session contradicts the sequence of infusions"
    valid = reasons == ""
    columns = {"baseline": baseline, "followup": followup, **others}
    complete = cases[valid].assign(**{key: values[valid] for key, values in columns.items()})
    exclusions = cases.loc[~valid, [nm.PARTICIPANT, "period"]].assign(reason=reasons[~valid])
    return complete.reset_index(drop=True), exclusions


def _missing_reasons(cases: pd.DataFrame, visits: pd.DataFrame, name: str, when: str) -> np.ndarray:
    """Return why each case has no value: no visit, missing items, or a visit without the scale."""
    rows = visits[visits[nm.PARTICIPANT].isin(cases[nm.PARTICIPANT])]
    reason_of: dict[tuple[str, int], str] = {}
    for person, period, reason in rows[[nm.PARTICIPANT, "period", "reason"]].itertuples(
        index=False
    ):
        reason_of.setdefault((person, period), reason)
    reasons = np.full(len(cases), "", dtype=object)
    for row, key in enumerate(zip(cases[nm.PARTICIPANT], cases["period"], strict=True)):
        reason = reason_of.get(key, reason_of.get((key[0], 0)))
        if reason is None:
            reasons[row] = f"no visit {when}"
        else:
            side = when.removeprefix("at ")
            reasons[row] = f"{side}: {reason}" if reason else f"no {name} {when}"
    return reasons


def _last_values(
    cases: pd.DataFrame, visits: pd.DataFrame, column: str, *, of_both: bool = False
) -> np.ndarray:
    """Return (case,) the last value in the period of a case, or the one without a period.

    A value without a period cannot be that of two cases, unless it is ``of_both``.
    """
    keys = [nm.PARTICIPANT, "period"]
    rows = visits[visits[column].notna() & (visits["period"] != NO_PERIOD)]
    last = rows.sort_values([*keys, "day"]).groupby(keys)[column].last()
    is_single = ~cases[nm.PARTICIPANT].duplicated(keep=False).to_numpy()
    own, both = _at_cases(cases, last, or_both=False), _at_cases(cases, last)
    return both if of_both else np.where(is_single, both, own)


def contradictions(visits: Phenotype, people: Participants) -> list[dict[str, str]]:
    """Return one finding per visit that does not fit the participant's sequence of infusions.

    Where the reader knew the sequence, it has compared the visits and its findings hold them.
    """
    sequences, table = people.sequences, visits.table
    odd = table.loc[table["period"] == NO_PERIOD, [nm.PARTICIPANT, "session"]]
    return [
        {
            "file": "",
            "where": f"participant {person}",
            "problem": f"session does not fit the infusions {sequences[person]}",
            "value": str(session),
            "remedy": "correct the session, or the infusions in participants.tsv",
        }
        for person, session in odd.itertuples(index=False)
        # without a sequence the participant is excluded anyway
        if sequences[person] not in ("", visits.sequences.get(person))
    ]


def _followups(visits: pd.DataFrame, day: int, window: int) -> pd.Series:
    off = (visits["day"] - day).abs()
    rows = visits[_is_after(visits) & (off <= window) & visits["outcome"].notna()].assign(off=off)
    keys = [nm.PARTICIPANT, "period"]
    return rows.sort_values([*keys, "off", "day"]).drop_duplicates(keys).set_index(keys)["outcome"]


def _is_after(visits: pd.DataFrame) -> pd.Series:
    """Whether a visit comes after an infusion."""
    at_both = visits[nm.ARM] == SHARED_BASELINE
    return (visits["day"] > 0) & ~at_both & (visits["period"] != NO_PERIOD)


def _is_before(visits: pd.DataFrame) -> pd.Series:
    """Whether a visit comes before an infusion; see ``baseline_visits``."""
    before = (visits["day"] <= 0) | (visits[nm.ARM] == SHARED_BASELINE)
    return before & (visits["period"] != NO_PERIOD)


def _at_cases(cases: pd.DataFrame, values: pd.Series, *, or_both: bool = True) -> np.ndarray:
    """Return (case,) the value of each case's period, else of both periods if ``or_both``."""
    keys = [cases[nm.PARTICIPANT], cases["period"]]
    own = values.reindex(pd.MultiIndex.from_arrays(keys)).to_numpy(dtype=np.float64)
    if not or_both:
        return own
    both = pd.MultiIndex.from_arrays([keys[0], np.zeros(len(cases), dtype=np.int64)])
    return np.where(np.isnan(own), values.reindex(both).to_numpy(dtype=np.float64), own)
