"""What enrolment by this procedure would buy: the best train persona, tried on the holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from ketadask import names as nm
from ketadask.inference.null import IDS
from ketadask.kernels.resampling import nadeau_bengio

if TYPE_CHECKING:
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range


def enrolled_block(
    problem: SearchProblem, splitter: Any, hits: pd.DataFrame, numbers: Range
) -> pd.DataFrame:
    """Enrol the holdout units inside the best favourable train persona of each split.

    Splits ``numbers``, both ends included; the best persona of a split is the one of rank 1,
    gates or not: an enrolment has to name one. What it gains is measured by scores made of the
    holdout alone: those of the whole trial would carry outcomes of the train side, which chose
    the persona.

    Returns
    -------
    One row per split: ``n_train``, ``n_holdout``, ``enrolled`` (holdout units inside),
    ``benefit`` (mean score of the whole holdout), ``benefit_enrolled`` (of those inside), both
    NaN where nobody has a score.
    """
    trial = problem.trial
    best = hits[(hits["polarity"] == nm.FAVOURABLE) & (hits["rank"] == 1)]
    ids = dict(zip(best["split"], best[list(IDS)].to_numpy(), strict=True))
    rows = []
    for i in range(numbers[0], numbers[1] + 1):
        train = splitter.mask(i, trial.participant, trial.split_stratum, trial.trial)
        inside = np.zeros(len(train), dtype=bool)
        if i in ids:
            inside = problem.literals.conjunction(ids[i][None, :])[0] & ~train
        score = trial.scores(~train)
        seen = np.isfinite(score)
        held, chosen = score[seen], score[seen & inside]
        rows.append(
            {
                "split": i,
                "n_train": int(train.sum()),
                "n_holdout": int((~train).sum()),
                "enrolled": int(inside.sum()),
                "benefit": held.mean() if len(held) else np.nan,
                "benefit_enrolled": chosen.mean() if len(chosen) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def enrichment(
    enrolled: pd.DataFrame,
    sigma: float,
    *,
    paired: bool,
    alpha: float = 0.05,
    power: float = 0.8,
) -> dict[str, float]:
    """Average what was gained over the splits, and say what a trial would need.

    Parameters
    ----------
    enrolled
        Rows of `enrolled_block`, in any order; splits that enrol nobody gain nothing.
    sigma
        Standard deviation of the paired differences (``paired``) or of the outcome within arms.
    paired
        Whether the planned trial is a crossover.
    alpha, power
        Two-sided level and power of the planned trial.

    Returns
    -------
    ``gain`` with ``gain_low``, ``gain_high`` (Nadeau-Bengio interval) of the enrolled units'
    benefit over everybody's, ``share_enrolled``, ``benefit``, ``benefit_enrolled``, ``splits``,
    ``splits_empty``, and the participants needed without and with enrichment, ``n_all`` and
    ``n_enriched`` (to be enrolled), ``n_screened`` (to be seen for it). NaN where the benefit is
    not positive: no sample size would show it.
    """
    rows = enrolled.sort_values("split", ignore_index=True)
    benefit, inside = rows["benefit"].to_numpy(), rows["benefit_enrolled"].to_numpy()
    used = np.isfinite(inside)
    gain = np.where(used, inside - benefit, 0.0)
    share = float((rows["enrolled"] / rows["n_holdout"].clip(lower=1)).mean())
    estimate, low, high = nadeau_bengio(
        gain, float(rows["n_train"].mean()), float(rows["n_holdout"].mean())
    )
    everybody = float(np.nanmean(benefit))
    chosen = everybody + float(estimate)
    n_all = participants_needed(everybody, sigma, paired=paired, alpha=alpha, power=power)
    n_enriched = participants_needed(chosen, sigma, paired=paired, alpha=alpha, power=power)
    return {
        "splits": len(rows),
        "splits_empty": int((~used).sum()),
        "share_enrolled": share,
        "benefit": everybody,
        "benefit_enrolled": chosen,
        "gain": float(estimate),
        "gain_low": float(low),
        "gain_high": float(high),
        "n_all": n_all,
        "n_enriched": n_enriched,
        "n_screened": float(np.ceil(n_enriched / share)) if share > 0 else float("nan"),
    }


def participants_needed(
    benefit: float, sigma: float, *, paired: bool, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return how many participants show a benefit, by the normal formula; NaN if not positive.

    Crossover: ``(z_(1-alpha/2) + z_power)^2 sigma^2 / benefit^2`` with sigma that of the paired
    differences. Two arms of equal size: four times that, with sigma that of the outcome within
    arms. Rounded up; the two arms to an even number.

    Examples
    --------
    >>> participants_needed(5.0, 10.0, paired=False)
    126.0
    """
    if not benefit > 0:
        return float("nan")
    z = norm.ppf(1 - alpha / 2) + norm.ppf(power)
    each = (z * sigma / benefit) ** 2
    return float(np.ceil(each)) if paired else float(2 * np.ceil(2 * each))


def outcome_sigma(outcome: np.ndarray, *, paired: bool) -> float:
    """Return the standard deviation a sample size rests on, from outcomes (unit, 2).

    Paired: of the differences active minus control. Else: pooled within the two arms.

    Examples
    --------
    >>> outcome_sigma(np.array([[3.0, 1.0], [5.0, 1.0]]), paired=True).round(3)
    np.float64(1.414)
    """
    if paired:
        return np.std(outcome[:, 0] - outcome[:, 1], ddof=1)
    arms = [column[np.isfinite(column)] for column in outcome.T]
    squares = sum(((arm - arm.mean()) ** 2).sum() for arm in arms)
    return np.sqrt(squares / (sum(map(len, arms)) - 2))
