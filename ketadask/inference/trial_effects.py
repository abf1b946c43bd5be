"""Effects of personas trial by trial, and their summary over trials.

Two questions are separate. The persona found without a trial is tested in that trial: this is a
confirmation (`leave_trial_out`). The effect of a persona of the verdicts in each trial
(`trial_effects`) describes the data that chose it: agreement between trials supports the persona,
but selection biases its effects.
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
"""A search finds a persona again where it is among this many best."""
MIN_TRIALS_TO_PREDICT = 5
"""Trials from which the prediction interval of a further one is used for "in all trials"."""
IN_ALL, IN_MOST = "in all trials", "in most trials"
IN_ONE, MAINLY, UNCLEAR = "in a single trial only", "mainly in a single trial", "not settled"


def compare_trials(
    without: ResamplingResult,
    verdicts: pd.DataFrame,
    cohort: Cohort | xr.Dataset,
    *,
    jaccard: float = JACCARD,
) -> dict[str, pd.DataFrame]:
    """Compare the trials: effects of each verdict, and of the personas found without each trial.

    Parameters
    ----------
    without
        Result of `PersonaSearch.run` with ``HoldoutSplit(scheme="leave-trial-out")``.
    verdicts
        Result of `judge` for the same search and cohort.
    cohort
        The cohort, or the search matrix, of the search.
    jaccard
        Minimum Jaccard index of covers at which two personas are the same finding.

    Returns
    -------
    Tables ``trials``, ``summaries`` and ``left_out``, which keep the contracts of these names:
    see `trial_effects`, `summarise_trials` and `leave_trial_out`.

    Examples
    --------
    >>> import ketadask as kd
    >>> folder = kd.simulate_study("study", participants=60, trials=2)
    >>> cohort = kd.assemble(kd.read_phenotype(folder, ["madrs"]), outcome="madrs", day=7)
    >>> search = kd.PersonaSearch(max_literals=1)
    >>> hits = search.run(cohort, kd.HoldoutSplit(10), store="runs")
    >>> verdicts = kd.judge(hits, kd.null(search, cohort, relabellings=39))
    >>> without = search.run(cohort, kd.HoldoutSplit(scheme="leave-trial-out"), store="runs")
    >>> tables = kd.compare_trials(without, verdicts, kd.score_units(cohort))
    >>> tables["left_out"][["trial", "polarity", "n", "inside"]].head(2)
         trial    polarity   n  inside
    0  trial-1  favourable  27      21
    1  trial-2  favourable  27      21
    """
    names = [str(name) for name in np.unique(dataset_of(cohort)["trial"].to_numpy())]
    scheme, n_trials = without.splitter.scheme, len(np.unique(without.problem.trial.trial))
    if scheme != "leave-trial-out" or n_trials < 2:
        raise InputError(
            "comparing trials needs searches that leave each of them out",
            where=f"scheme {scheme}, trials",
            value=n_trials,
            remedy='search with HoldoutSplit(scheme="leave-trial-out") on several trials',
        )
    if len(names) != n_trials:
        raise InputError(
            f"{n_trials} trials were searched, the cohort has another number",
            value=len(names),
            remedy="use the search matrix, as kd.score_units returns it",
        )
    hits = without.hits
    effects = trial_effects(without.problem, verdicts, names, hits, jaccard=jaccard)
    return {
        "trials": effects,
        "summaries": summarise_trials(effects),
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
    """Return the effect of every persona of the verdicts in every trial.

    ``names`` are those of the trials, in the order of their codes; split i of ``hits`` is the
    search on all trials but the i-th. The effect is the mean score inside minus that outside, in
    the units of the scores; positive where members benefit more. Keeps ``schema.TRIALS``, a row per
    persona and trial.
    """
    if verdicts.empty:
        return TRIALS.empty()
    trial = problem.trial
    cover = problem.literals.conjunction(verdicts[list(IDS)].to_numpy(dtype=np.int64))
    parts = []
    for code, name in enumerate(names):
        own = trial.trial == code
        effects = [
            _effect(trial.score[own], inside[own], trial.cluster[own], sign, len(names))
            for inside, sign in zip(cover, _signs(verdicts["polarity"]), strict=True)
        ]
        part = verdicts[["rank", "persona", "polarity"]].assign(trial=name)
        part = part.join(pd.DataFrame(effects, index=part.index))
        part["rank_without"] = _rank_without(problem, cover, verdicts, hits, code, jaccard)
        parts.append(part)
    table = pd.concat(parts).sort_values("rank", kind="stable", ignore_index=True)
    weights = [_pool(rows).weight for _, rows in table.groupby("rank", sort=True)]
    return TRIALS.check(table.assign(weight=np.concatenate(weights)))


def _signs(polarity: pd.Series) -> np.ndarray:
    return np.where(polarity == nm.UNFAVOURABLE, -1.0, 1.0)


def _effect(
    score: np.ndarray, inside: np.ndarray, participant: np.ndarray, sign: float, n_trials: int
) -> dict[str, Any]:
    """Effect in one trial; ``excludes_zero`` uses the interval widened for the number of trials."""
    strict = difference(score, inside, participant, 1 - (1 - LEVEL) / n_trials)
    return {
        "n": score.size,
        "inside": int(inside.sum()),
        **vars(difference(score, inside, participant, LEVEL)),
        "excludes_zero": bool((strict.low if sign > 0 else -strict.high) > 0),
    }


def _rank_without(
    problem: SearchProblem,
    cover: np.ndarray,
    verdicts: pd.DataFrame,
    hits: pd.DataFrame,
    split: int,
    jaccard: float,
) -> np.ndarray:
    """(P,) best rank of the same finding in the search of one split; 0 where it is missing."""
    best = np.zeros(len(verdicts), dtype=np.int64)
    for polarity in nm.POLARITIES:
        mine = (verdicts["polarity"] == polarity).to_numpy()
        ours = hits[(hits["split"] == split) & (hits["polarity"] == polarity)]
        if not mine.any() or not len(ours):
            continue
        other = problem.literals.conjunction(ours[list(IDS)].to_numpy(dtype=np.int64))
        one, two = cover[mine].astype(np.float64), other.astype(np.float64)
        both = one @ two.T
        either = one.sum(axis=1)[:, None] + two.sum(axis=1) - both
        same = both >= jaccard * np.maximum(either, 1.0)
        rank = np.where(same, ours["rank"].to_numpy(), np.iinfo(np.int64).max).min(axis=1)
        best[mine] = np.where(same.any(axis=1), rank, 0)
    return best


def _pool(rows: pd.DataFrame) -> RandomEffects:
    return random_effects(rows["effect"].to_numpy(), rows["se"].to_numpy(), level=LEVEL)


def summarise_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Summarise `trial_effects` over the trials: ``schema.SUMMARIES``, a row per persona."""
    rows = []
    for rank, mine in trials.groupby("rank", sort=True):
        first = mine.iloc[0]
        consistency, only_trial = trial_consistency(mine)
        sign = -1.0 if first["polarity"] == nm.UNFAVOURABLE else 1.0
        rows.append(
            {
                "rank": rank,
                "persona": first["persona"],
                "polarity": first["polarity"],
                "n_trials": len(mine),
                **_pool_columns(mine),
                "n_agreeing": int((sign * mine["effect"] > 0).sum()),
                "n_excluding_zero": int(mine["excludes_zero"].sum()),
                "n_rediscovered": int(mine["rank_without"].between(1, AMONG).sum()),
                "consistency": consistency,
                "only_trial": only_trial,
            }
        )
    return SUMMARIES.check(pd.DataFrame(rows)) if rows else SUMMARIES.empty()


def _pool_columns(rows: pd.DataFrame) -> dict[str, Any]:
    pool = _pool(rows)
    columns = {k: v for k, v in vars(pool).items() if k not in ("trials", "weight", "tau2")}
    return {"n_estimated": pool.trials} | columns | {"tau": float(np.sqrt(pool.tau2))}


def trial_consistency(rows: pd.DataFrame) -> tuple[str, str]:
    """Return in which trials a persona holds, from its rows of ``schema.TRIALS``.

    ``in all trials``: the interval of every trial excludes zero; or all effects have the
    persona's direction, do not differ more than by chance (Cochran's Q, p >= 0.05), and their
    mean and, from five trials on, the prediction interval of a further one exclude zero. ``in a
    single trial only``: the interval of one trial excludes zero, no other does, the mean of the
    others does not, and the trials differ (p < 0.05) or the whole interval of the others lies
    below that of the one. ``mainly in a single trial``: the mean of the others excludes zero,
    which selection alone can cause, but its whole interval lies below that of the one trial;
    Cochran's Q, a test over all trials at once, need not detect this. ``in most trials``: the mean
    excludes zero and more than half of the trials have the persona's direction. Anything else is
    ``not settled``. Trials too small to estimate an effect count as trials without it.

    Returns
    -------
    The words, and the name of the single trial or ``""``.
    """
    n_trials, rows = len(rows), rows[np.isfinite(rows["se"])]
    if len(rows) < 2:
        return UNCLEAR, ""
    sign = float(_signs(rows["polarity"])[0])
    agrees, single, pool = sign * rows["effect"] > 0, rows["excludes_zero"], _pool(rows)
    mean_excludes_zero = _interval(rows, sign)[0] > 0
    heterogeneous = pool.cochran_p < DIFFERENT
    if single.sum() == 1:
        name, one = str(rows.loc[single, "trial"].iloc[0]), _interval(rows[single], sign)
        others = _interval(rows[~single], sign)
        apart = one[0] > others[1]
        if (heterogeneous or apart) and not others[0] > 0:
            return IN_ONE, name
        if apart:
            return MAINLY, name
    further = pool.prediction_low if sign > 0 else -pool.prediction_high
    homogeneous = agrees.all() and not heterogeneous and mean_excludes_zero
    homogeneous = homogeneous and (len(rows) < MIN_TRIALS_TO_PREDICT or further > 0)
    if len(rows) == n_trials and (single.all() or homogeneous):
        return IN_ALL, ""
    return (IN_MOST if mean_excludes_zero and agrees.sum() > n_trials / 2 else UNCLEAR), ""


def _interval(rows: pd.DataFrame, sign: float) -> tuple[float, float]:
    """Return the interval of the mean effect of some trials, in the persona's direction."""
    if len(rows) == 1:
        low, high = rows["low"].iloc[0], rows["high"].iloc[0]
    else:
        pool = _pool(rows)
        low, high = pool.low, pool.high
    return (low, high) if sign > 0 else (-high, -low)


def leave_trial_out(
    problem: SearchProblem, names: Sequence[str], hits: pd.DataFrame
) -> pd.DataFrame:
    """Return the effect, in each trial, of the first persona found without it.

    Keeps ``schema.LEFT_OUT``: a row per trial and polarity. The search uses scores of the other
    trials alone, and the trial its own: nothing of the trial contributes to the choice,
    so its interval is unbiased.
    """
    trial, rows = problem.trial, []
    first = hits[hits["rank"] == 1].sort_values(["polarity", "split"])
    for row in first.to_dict("records"):
        ids = np.array([row[name] for name in IDS], dtype=np.int64)
        own = trial.trial == row["split"]
        inside = problem.literals.conjunction(ids)[0][own]
        rows.append(
            {
                "trial": names[row["split"]],
                "polarity": row["polarity"],
                "text": problem.literals.sentence(ids),
                "n": int(own.sum()),
                "inside": int(inside.sum()),
                **vars(difference(trial.scores(own)[own], inside, trial.cluster[own], LEVEL)),
                "confirmed": bool(row["heterogeneity_holdout"]),
            }
        )
    return LEFT_OUT.check(pd.DataFrame(rows)) if rows else LEFT_OUT.empty()


def summarise_left_out(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Summarise the effects of `leave_trial_out` per polarity.

    The searches share trials, so the effects are not quite independent; no selection uses the
    trial of its effect.
    """
    return {
        str(polarity): _pool_columns(rows) | {"confirmed": int(rows["confirmed"].sum())}
        for polarity, rows in table.groupby("polarity", sort=True)
    }
