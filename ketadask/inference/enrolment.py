"""Expected gain from enrichment: the best training persona of each split, tried on its holdout."""

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


def enrolment_block(
    problem: SearchProblem, splitter: Any, hits: pd.DataFrame, block: Range
) -> pd.DataFrame:
    """Enrol the holdout units inside the best favourable training persona of each split.

    ``block`` is the first and the last split. The best persona has rank 1, whether or not it
    passes the gates: an enrolment needs one. Scores come from the holdout alone, because scores of
    the whole trial carry outcomes of the training set, which chose the persona.

    Returns
    -------
    One row per split: ``n_train``, ``n_holdout``, ``enrolled`` (holdout units inside),
    ``benefit`` (mean score of the holdout), ``benefit_enrolled`` (of those inside); NaN without
    scores.
    """
    trial = problem.trial
    best = hits[(hits["polarity"] == nm.FAVOURABLE) & (hits["rank"] == 1)]
    ids_by_split = dict(zip(best["split"], best[list(IDS)].to_numpy(), strict=True))
    rows = []
    for split in range(block[0], block[1] + 1):
        train = splitter.train_mask(split, trial)
        inside = np.zeros(len(train), dtype=bool)
        if split in ids_by_split:
            inside = problem.literals.conjunction(ids_by_split[split][None, :])[0] & ~train
        score = trial.scores(~train, fit=train)
        has_score = np.isfinite(score)
        rows.append(
            {
                "split": split,
                "n_train": int(train.sum()),
                "n_holdout": int((~train).sum()),
                "enrolled": int(inside.sum()),
                "benefit": _mean(score[has_score]),
                "benefit_enrolled": _mean(score[has_score & inside]),
            }
        )
    return pd.DataFrame(rows)


def _mean(values: np.ndarray) -> float:
    return values.mean() if len(values) else np.nan


def enrichment(
    enrolment: pd.DataFrame,
    sigma: float,
    *,
    crossover: bool,
    alpha: float = 0.05,
    power: float = 0.8,
) -> dict[str, float]:
    """Average the gain over the splits, and return the sample sizes of a trial.

    ``enrolment`` has rows of `enrolment_block`, in any order; a split without enrolled units gains
    0. ``sigma`` is that of the paired differences of a ``crossover``, else of the outcome within
    arms; ``alpha`` is the two-sided level of the planned trial.

    Returns
    -------
    ``gain`` with ``gain_low``, ``gain_high`` (Nadeau-Bengio interval): benefit of enrolled minus
    benefit of all units; ``share_enrolled``, ``benefit``, ``benefit_enrolled``, ``splits``,
    ``splits_empty``; the participants needed without and with enrichment, ``n_all`` and
    ``n_enriched``, and ``n_screened`` to enrol the latter. NaN where the benefit is not positive:
    no sample size suffices.
    """
    rows = enrolment.sort_values("split", ignore_index=True)
    benefit, inside = rows["benefit"].to_numpy(), rows["benefit_enrolled"].to_numpy()
    nonempty = np.isfinite(inside)
    gain = np.where(nonempty, inside - benefit, 0.0)
    fraction = float((rows["enrolled"] / rows["n_holdout"].clip(lower=1)).mean())
    n_train, n_holdout = float(rows["n_train"].mean()), float(rows["n_holdout"].mean())
    estimate, low, high = nadeau_bengio(gain, n_train, n_holdout)
    benefit_all = float(np.nanmean(benefit))
    benefit_inside = benefit_all + float(estimate)
    n_all, n_inside = (
        participants_to_detect(mean, sigma, crossover=crossover, alpha=alpha, power=power)
        for mean in (benefit_all, benefit_inside)
    )
    return {
        "splits": len(rows),
        "splits_empty": int((~nonempty).sum()),
        "share_enrolled": fraction,
        "benefit": benefit_all,
        "benefit_enrolled": benefit_inside,
        "gain": float(estimate),
        "gain_low": float(low),
        "gain_high": float(high),
        "n_all": n_all,
        "n_enriched": n_inside,
        "n_screened": float(np.ceil(n_inside / fraction)) if fraction > 0 else float("nan"),
    }


def participants_to_detect(
    benefit: float, sigma: float, *, crossover: bool, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the participants needed to detect a benefit (normal formula); NaN if not positive.

    Crossover: ``(z_(1-alpha/2) + z_power)^2 sigma^2 / benefit^2`` with sigma that of the paired
    differences. Two arms of equal size: four times that, with sigma that of the outcome within
    arms. Rounded up; the two arms to an even number.

    Examples
    --------
    >>> participants_to_detect(5.0, 10.0, crossover=False)
    126.0
    """
    if not benefit > 0:
        return float("nan")
    z = norm.ppf(1 - alpha / 2) + norm.ppf(power)
    n = (z * sigma / benefit) ** 2
    return float(np.ceil(n)) if crossover else float(2 * np.ceil(2 * n))


def outcome_sigma(outcome: np.ndarray, *, crossover: bool) -> float:
    """Return the standard deviation for a sample size, from outcomes (unit, 2).

    Crossover: of the differences active minus control. Else: pooled within the two arms.

    Examples
    --------
    >>> round(outcome_sigma(np.array([[3.0, 1.0], [5.0, 1.0]]), crossover=True), 3)
    1.414
    """
    if crossover:
        return float(np.std(outcome[:, 0] - outcome[:, 1], ddof=1))
    arms = [column[np.isfinite(column)] for column in outcome.T]
    squares = sum(((arm - arm.mean()) ** 2).sum() for arm in arms)
    return float(np.sqrt(squares / (sum(map(len, arms)) - 2)))
