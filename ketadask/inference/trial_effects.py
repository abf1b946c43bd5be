"""Personas trial by trial: each one's effect where it was and was not found, and the summary.

Two questions are kept apart. What the procedure finds without a trial is measured in that trial,
which had no say: that is a confirmation (`left_out`). What a judged persona is worth in each trial
describes the data that chose it (`trial_effects`): where trials agree it may be believed more, but
the effects themselves are flattered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.null import IDS
from ketadask.inference.verdicts import JACCARD
from ketadask.kernels.random_effects import RandomEffects, difference, random_effects
from ketadask.schema.cohort import Cohort, dataset_of
from ketadask.schema.errors import InputError
from ketadask.schema.tables import LEFT_OUT, SUMMARIES, TRIALS

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.search.problem import SearchProblem
    from ketadask.search.resampling import ResamplingResult

LEVEL, DIFFERENT = 0.95, 0.05
AMONG = 10
"""A search finds a persona again where it lists it among its first so many."""
FORETELLING = 5
"""Trials from which the prediction interval of a further one can speak against "in all trials"."""
IN_ALL, IN_MOST = "in all trials", "in most trials"
IN_ONE, MAINLY, UNSETTLED = "in a single trial only", "mainly in a single trial", "not settled"


def compare_trials(
    without: ResamplingResult,
    verdicts: pd.DataFrame,
    cohort: Cohort | xr.Dataset,
    *,
    jaccard: float = JACCARD,
) -> dict[str, pd.DataFrame]:
    """Return what several trials say of each verdict, and of what is found without each of them.

    Parameters
    ----------
    without
        What `PersonaSearch.run` returned for ``HoldoutSplit(scheme="leave-trial-out")``.
    verdicts
        What `judge` returned for the same search and cohort.
    cohort
        The cohort, or the search matrix, that was searched.
    jaccard
        Overlap of covers from which a persona found counts as the judged one.

    Returns
    -------
    Tables ``trials``, ``summaries`` and ``left_out``, which keep the contracts of these names:
    see `trial_effects`, `summaries` and `left_out`.
    """
    names = [str(name) for name in np.unique(dataset_of(cohort)["trial"].to_numpy())]
    scheme, found = without.splitter.scheme, len(np.unique(without.problem.trial.trial))
    if scheme != "leave-trial-out" or found < 2:
        raise InputError(
            "trials are compared by searches that leave each of them out",
            where=f"scheme {scheme}, trials",
            value=found,
            remedy='search with HoldoutSplit(scheme="leave-trial-out") on several trials',
        )
    if len(names) != found:
        raise InputError(
            f"{found} trials were searched, other than are here",
            value=len(names),
            remedy="give the search matrix, as kd.score_units returns it",
        )
    hits = without.hits
    effects = trial_effects(without.problem, verdicts, names, hits, jaccard=jaccard)
    return {
        "trials": effects,
        "summaries": summaries(effects),
        "left_out": leave_trial_out(without.problem, names, hits),
    }


def trial_effects(
    problem: SearchProblem,
    verdicts: pd.DataFrame,
    names: Sequence[str],
    hits: pd.DataFrame,
    *,
    jaccard: float,
) -> pd.DataFrame:
    """Return the effect of every judged persona in every trial.

    Parameters
    ----------
    verdicts
        Table that keeps ``schema.VERDICTS``.
    names
        Name of each trial, in the order of the codes of ``problem.trial.trial``.
    hits
        Table that keeps ``schema.HITS``: split i is the search on all trials but the i-th.
    jaccard
        Overlap of covers from which a persona found counts as the judged one.

    Returns
    -------
    Table that keeps ``schema.TRIALS``, a row per persona and trial. The effect is the mean score
    inside minus that outside, in the units of the scores; positive where members benefit more.
    """
    if verdicts.empty:
        return TRIALS.empty()
    trial = problem.trial
    cover = problem.literals.conjunction(verdicts[list(IDS)].to_numpy(dtype=np.int64))
    parts = []
    for code, name in enumerate(names):
        own = trial.trial == code
        made = [
            _measured(trial.score[own], inside[own], trial.participant[own], sign, len(names))
            for inside, sign in zip(cover, _signs(verdicts["polarity"]), strict=True)
        ]
        part = verdicts[["rank", "persona", "polarity"]].assign(trial=name)
        part = part.join(pd.DataFrame(made, index=part.index))
        part["rank_without"] = _found_rank(problem, cover, verdicts, hits, code, jaccard)
        parts.append(part)
    table = pd.concat(parts).sort_values("rank", kind="stable", ignore_index=True)
    weights = [_pooled(rows).weight for _, rows in table.groupby("rank", sort=True)]
    return TRIALS.check(table.assign(weight=np.concatenate(weights)))


def _signs(polarity: pd.Series) -> np.ndarray:
    return np.where(polarity == nm.UNFAVOURABLE, -1.0, 1.0)


def _measured(
    score: np.ndarray, inside: np.ndarray, participant: np.ndarray, sign: float, trials: int
) -> dict[str, Any]:
    """One persona in one trial; clear is what stands out even among so many trials looked at."""
    made = difference(score, inside, participant, LEVEL)
    strict = difference(score, inside, participant, 1 - (1 - LEVEL) / trials)
    return {
        "n": score.size,
        "inside": int(inside.sum()),
        **vars(made),
        "excludes_zero": bool((strict.low if sign > 0 else -strict.high) > 0),
    }


def _found_rank(
    problem: SearchProblem,
    cover: np.ndarray,
    verdicts: pd.DataFrame,
    hits: pd.DataFrame,
    split: int,
    jaccard: float,
) -> np.ndarray:
    """(P,) best rank of the same finding in the search of one split; 0 where it is not there."""
    best = np.zeros(len(verdicts), dtype=np.int64)
    for polarity in nm.POLARITIES:
        mine = (verdicts["polarity"] == polarity).to_numpy()
        there = hits[(hits["split"] == split) & (hits["polarity"] == polarity)]
        if not mine.any() or not len(there):
            continue
        other = problem.literals.conjunction(there[list(IDS)].to_numpy(dtype=np.int64))
        one, two = cover[mine].astype(np.float64), other.astype(np.float64)
        both = one @ two.T
        either = one.sum(axis=1)[:, None] + two.sum(axis=1) - both
        alike = both >= jaccard * np.maximum(either, 1.0)
        rank = np.where(alike, there["rank"].to_numpy(), np.iinfo(np.int64).max).min(axis=1)
        best[mine] = np.where(alike.any(axis=1), rank, 0)
    return best


def _pooled(rows: pd.DataFrame) -> RandomEffects:
    return random_effects(rows["effect"].to_numpy(), rows["se"].to_numpy(), level=LEVEL)


def summaries(trials: pd.DataFrame) -> pd.DataFrame:
    """Return what the trials say together about each persona of `trial_effects`.

    Returns
    -------
    Table that keeps ``schema.SUMMARIES``, a row per persona.
    """
    rows = []
    for rank, mine in trials.groupby("rank", sort=True):
        first = mine.iloc[0]
        where, only = where_it_holds(mine)
        sign = -1.0 if first["polarity"] == nm.UNFAVOURABLE else 1.0
        rows.append(
            {
                "rank": rank,
                "persona": first["persona"],
                "polarity": first["polarity"],
                "n_trials": len(mine),
                **_summed(_pooled(mine)),
                "n_agreeing": int((sign * mine["effect"] > 0).sum()),
                "n_excluding_zero": int(mine["excludes_zero"].sum()),
                "n_rediscovered": int(mine["rank_without"].between(1, AMONG).sum()),
                "consistency": where,
                "only_trial": only,
            }
        )
    return SUMMARIES.check(pd.DataFrame(rows)) if rows else SUMMARIES.empty()


def _summed(made: RandomEffects) -> dict[str, Any]:
    told = {k: v for k, v in vars(made).items() if k not in ("trials", "weight", "tau2")}
    return {"n_estimated": made.trials} | told | {"tau": float(np.sqrt(made.tau2))}


def where_it_holds(mine: pd.DataFrame) -> tuple[str, str]:
    """Say in which trials a persona holds, from its rows of ``schema.TRIALS``.

    ``in all trials``: every trial shows it by itself (`clear`); or all effects point its way, they
    do not differ more than chance lets them (Cochran's Q, p >= 0.05), and their mean and, from
    five trials on, the prediction interval of a further one are above chance. ``in a
    single trial only``: one trial shows it by itself, no other does, the mean of the others is
    not above chance, and the trials differ (p < 0.05) or the whole interval of the others lies
    below that of the one. ``mainly in a single trial``: the mean of the others is above chance,
    which the search that chose the persona may have seen to, but its whole interval lies below
    that of the one trial; Q, which asks about all trials at once, need not have noticed. ``in most
    trials``: the mean is above chance and more than half of the trials point its way. Anything
    else is ``not settled``. Trials too small to tell count as trials that do not show it.

    Returns
    -------
    The words, and the name of the single trial or ``""``.
    """
    trials, mine = len(mine), mine[np.isfinite(mine["se"])]
    if len(mine) < 2:
        return UNSETTLED, ""
    sign = float(_signs(mine["polarity"])[0])
    toward, clear, made = sign * mine["effect"] > 0, mine["excludes_zero"], _pooled(mine)
    beyond, differ = _bounds(mine, sign)[0] > 0, made.cochran_p < DIFFERENT
    if clear.sum() == 1:
        name, one = str(mine.loc[clear, "trial"].iloc[0]), _bounds(mine[clear], sign)
        others = _bounds(mine[~clear], sign)
        apart = one[0] > others[1]
        if (differ or apart) and not others[0] > 0:
            return IN_ONE, name
        if apart:
            return MAINLY, name
    further = made.prediction_low if sign > 0 else -made.prediction_high
    agree = toward.all() and not differ and beyond and (len(mine) < FORETELLING or further > 0)
    if len(mine) == trials and (clear.all() or agree):
        return IN_ALL, ""
    return (IN_MOST, "") if beyond and toward.sum() > trials / 2 else (UNSETTLED, "")


def _bounds(rows: pd.DataFrame, sign: float) -> tuple[float, float]:
    """Return the interval of the mean effect of some trials, turned to the persona's side."""
    if len(rows) == 1:
        low, high = rows["low"].iloc[0], rows["high"].iloc[0]
    else:
        made = _pooled(rows)
        low, high = made.low, made.high
    return (low, high) if sign > 0 else (-high, -low)


def leave_trial_out(
    problem: SearchProblem, names: Sequence[str], hits: pd.DataFrame
) -> pd.DataFrame:
    """Return what the first persona found without a trial is worth in that trial.

    Parameters
    ----------
    names, hits
        As for `trial_effects`.

    Returns
    -------
    Table that keeps ``schema.LEFT_OUT``: a row per trial and polarity in which something was
    found. The search had scores made of the others alone, and the trial has scores of its own:
    nothing of the trial had a say in the choice, so its interval is an honest one. (Expected
    outcomes of an adjusted score were cross-fitted on all trials.)
    """
    trial, rows = problem.trial, []
    first = hits[hits["rank"] == 1].sort_values(["polarity", "split"])
    for row in first.to_dict("records"):
        ids = np.array([row[name] for name in IDS], dtype=np.int64)
        own = trial.trial == row["split"]
        inside = problem.literals.conjunction(ids)[0][own]
        made = difference(trial.scores(own)[own], inside, trial.participant[own], LEVEL)
        rows.append(
            {
                "trial": names[row["split"]],
                "polarity": row["polarity"],
                "text": problem.literals.sentence(ids),
                "n": int(own.sum()),
                "inside": int(inside.sum()),
                **vars(made),
                "confirmed": bool(row["heterogeneity_holdout"]),
            }
        )
    return LEFT_OUT.check(pd.DataFrame(rows)) if rows else LEFT_OUT.empty()


def left_out_summary(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return per polarity what the effects of `left_out` say together.

    The searches share trials, so the effects are not quite independent; the selection never saw
    the trial it is measured in.
    """
    return {
        str(polarity): _summed(_pooled(mine)) | {"confirmed": int(mine["confirmed"].sum())}
        for polarity, mine in table.groupby("polarity", sort=True)
    }
