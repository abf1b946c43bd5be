"""What was measured after each infusion, and who has to be left out for want of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.features.scales import baseline_visits
from ketadask.kernels.scores import percent_improvement
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.names_order import natural_key
from ketadask.sources.rating_scales import INSTRUMENTS
from ketadask.sources.scale_columns import KEYS
from ketadask.sources.visits import SHARED, UNPLACED


def outcome_values(phenotype: Phenotype, outcome: str) -> np.ndarray:
    """Return the outcome (visit,) of a scale: its total, else the sum of its items.

    The sum needs every item: one missing item makes it missing. ``outcome`` may also be a column.
    """
    table = phenotype.table
    columns = [name for name in table.columns if name not in KEYS]
    for name in (outcome, f"{outcome}_total"):
        if name in columns:
            return table[name].to_numpy(dtype=np.float64)
    items = [
        c for c in columns if c.rpartition("_")[0] == outcome and c.rpartition("_")[2].isdigit()
    ]
    if items:
        _all_items(phenotype, outcome, items)
        ordered = sorted(items, key=natural_key)  # one order of summation whatever the file's order
        return table[ordered].to_numpy(dtype=np.float64).sum(axis=1)
    scales = sorted({c.removesuffix("_total").rstrip("0123456789").rstrip("_") for c in columns})
    raise InputError(
        "no such outcome scale",
        file=phenotype.folder,
        where="outcome",
        value=outcome,
        remedy=nearest(outcome, scales),
    )


def outcome_visits(phenotype: Phenotype, outcome: str) -> pd.DataFrame:
    """Return participant, session, period, arm and day of every visit, and the ``outcome``."""
    return phenotype.table[list(KEYS)].assign(outcome=outcome_values(phenotype, outcome))


def _all_items(phenotype: Phenotype, outcome: str, items: list[str]) -> None:
    """Refuse to call the sum of some items of a known scale its total."""
    known = INSTRUMENTS.get(outcome)
    expected = [] if known is None else [f"{outcome}_{n}" for n in range(1, len(known.items) + 1)]
    lacking = [name for name in expected if name not in items]
    if lacking:
        raise InputError(
            f"the outcome {outcome} has neither a total nor all of its {len(expected)} items",
            file=phenotype.folder,
            where="outcome",
            value=f"without {', '.join(lacking)}",
            remedy=f"add the column {outcome}_total, or the items",
        )


def infusion_cases(people: Participants) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one case per participant and infusion, and the participants without one.

    Cases: participant, period, arm. Exclusions: participant, period (0 for all), reason.
    """
    crossover = any("-" in sequence for sequence in people.table["sequence"])
    cases, left_out = [], []
    for person, sequence in people.sequences.items():
        if not sequence:
            left_out.append((person, 0, "unknown arm: no infusion is recorded"))
            continue
        arms = sequence.split("-")
        cases += [(person, period, arm) for period, arm in enumerate(arms, start=1)]
        if crossover and len(arms) == 1:
            left_out.append((person, 2, "the second infusion was not given"))
    return (
        pd.DataFrame(cases, columns=[nm.PARTICIPANT, "period", nm.ARM]),
        exclusion_table(left_out),
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
            remedy="add infusion_1_date and infusion_2_date, or leave washout out",
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
    cases: pd.DataFrame, visits: pd.DataFrame, *, outcome: str, day: int, window: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cases with baseline and follow-up, and those without, with the reason.

    Parameters
    ----------
    cases
        participant, period, arm.
    visits
        Visits with their period; the column ``outcome`` holds the outcome.
    outcome
        Name of the scale, for the reasons.
    day, window
        Follow-up day and how many days off a visit may be. The nearest visit counts, of two
        equally near the earlier one.
    """
    baseline = _at_cases(cases, baseline_visits(visits.dropna(subset="outcome"))["outcome"])
    followup = _at_cases(cases, _followups(visits, day, window), shared=False)
    seen = visits["outcome"].notna()
    unplaced = set(visits.loc[(visits["period"] == UNPLACED) & seen, nm.PARTICIPANT])
    exact = f"at day {day}" if window == 0 else f"within {window} days of day {day}"
    reasons = np.full(len(cases), "", dtype=object)
    reasons[np.isnan(followup)] = f"no {outcome} {exact}"
    reasons[np.isnan(baseline)] = f"no {outcome} before the infusion"
    contradicted = (reasons != "") & cases[nm.PARTICIPANT].isin(list(unplaced)).to_numpy()
    reasons[contradicted] += "; a session contradicts the sequence of infusions"
    kept = reasons == ""
    complete = cases[kept].assign(baseline=baseline[kept], followup=followup[kept])
    left_out = cases.loc[~kept, [nm.PARTICIPANT, "period"]].assign(reason=reasons[~kept])
    return complete.reset_index(drop=True), left_out


def contradictions(visits: Phenotype, people: Participants) -> list[dict[str, str]]:
    """Return one finding per visit that does not fit the participant's sequence of infusions.

    Where the reader knew the sequence, it has compared the visits and its findings hold them.
    """
    sequences, table = people.sequences, visits.table
    odd = table.loc[table["period"] == UNPLACED, [nm.PARTICIPANT, "session"]]
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
    after = (visits["day"] > 0) & (visits[nm.ARM] != SHARED) & (visits["period"] != UNPLACED)
    rows = visits[after & (off <= window) & visits["outcome"].notna()].assign(off=off)
    keys = [nm.PARTICIPANT, "period"]
    return rows.sort_values([*keys, "off", "day"]).drop_duplicates(keys).set_index(keys)["outcome"]


def _at_cases(cases: pd.DataFrame, values: pd.Series, *, shared: bool = True) -> np.ndarray:
    keys = [cases[nm.PARTICIPANT], cases["period"]]
    own = values.reindex(pd.MultiIndex.from_arrays(keys)).to_numpy(dtype=np.float64)
    if not shared:
        return own
    once = pd.MultiIndex.from_arrays([keys[0], np.zeros(len(cases), dtype=np.int64)])
    return np.where(np.isnan(own), values.reindex(once).to_numpy(dtype=np.float64), own)


def improvement(
    baseline: np.ndarray, followup: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return improvement, percent improvement and response per case.

    Improvement is baseline minus follow-up, positive is better; percent is of the baseline, NaN
    where that is not above 0; response is 1 where improvement is positive and reaches
    ``threshold`` of the baseline.

    Examples
    --------
    >>> [part.tolist() for part in improvement(np.array([30.0]), np.array([18.0]), 0.4)]
    [[12.0], [40.0], [1.0]]
    """
    better = baseline - followup
    # 0.56 * 25 is 14.000000000000002 in floating point, and 14 of 25 points reach it.
    reached = better >= threshold * baseline - 1e-9
    percent = percent_improvement(better, baseline)
    return better, percent, (reached & (better > 0)).astype(np.float64)
