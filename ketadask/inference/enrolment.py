"""Expected gain from enrichment: the best training persona of each split, tried on its holdout."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.kernels.resampling import nadeau_bengio
from ketadask.kernels.sample_size import smallest_size, t_test_power


def enrichment(
    choices: pd.DataFrame,
    sigma: float,
    *,
    crossover: bool,
    alpha: float = 0.05,
    power: float = 0.8,
) -> dict[str, float]:
    """Average the gain over the splits, and return the sample sizes of a trial.

    ``choices`` has rows of `choice_block`, in any order: the best favourable training persona of a
    split enrols the holdout units inside. A split without enrolled units gains 0. ``sigma`` is that
    of the paired differences of a ``crossover``, else of the outcome within arms; ``alpha`` is the
    two-sided level of the planned trial.

    Returns
    -------
    ``gain``, ``benefit`` and ``benefit_enrolled``, each with ``_low`` and ``_high`` (Nadeau-Bengio
    interval): benefit of enrolled minus benefit of all units, and both; ``share_enrolled``,
    ``splits``, ``splits_empty``; the participants needed without and with enrichment, ``n_all`` and
    ``n_enriched``, and ``n_screened`` to enrol the latter, with ``_low`` and ``_high``: the sizes
    at the ends of the interval of the benefit. NaN where the benefit is not positive: no sample
    size suffices.
    """
    rows = choices[choices["polarity"] == nm.FAVOURABLE].sort_values("split", ignore_index=True)
    benefit, inside = rows["benefit"].to_numpy(), rows["benefit_inside"].to_numpy()
    nonempty = np.isfinite(inside)
    gain = np.where(nonempty, inside - benefit, 0.0)
    fraction = float((rows["inside"] / rows["n_holdout"].clip(lower=1)).mean())
    sizes = float(rows["n_train"].mean()), float(rows["n_holdout"].mean())
    numbers: dict[str, float] = {
        "splits": len(rows),
        "splits_empty": int((~nonempty).sum()),
        "share_enrolled": fraction,
        **_interval("gain", gain, sizes),
        **_interval("benefit", benefit, sizes),
        **_interval("benefit_enrolled", benefit + gain, sizes),
    }
    for name, mean in (("n_all", "benefit"), ("n_enriched", "benefit_enrolled")):
        # The larger the benefit, the fewer participants.
        for end, other in (("", ""), ("_low", "_high"), ("_high", "_low")):
            numbers[name + end] = participants_to_detect(
                numbers[mean + other], sigma, crossover=crossover, alpha=alpha, power=power
            )
    for end in ("", "_low", "_high"):
        n = numbers[f"n_enriched{end}"]
        numbers[f"n_screened{end}"] = float(np.ceil(n / fraction)) if fraction > 0 else np.nan
    return numbers


def _interval(name: str, values: np.ndarray, sizes: tuple[float, float]) -> dict[str, float]:
    mean, low, high = nadeau_bengio(values[np.isfinite(values)], *sizes)
    return {name: float(mean), f"{name}_low": float(low), f"{name}_high": float(high)}


def participants_to_detect(
    benefit: float, sigma: float, *, crossover: bool, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the participants needed to detect a benefit (two-sided t test); NaN if not positive.

    ``sigma`` is that of the paired differences of a crossover, else of the outcome within two arms
    of equal size.

    Examples
    --------
    >>> participants_to_detect(5.0, 10.0, crossover=False)
    128.0
    """
    if not benefit > 0:
        return float("nan")
    groups = 1 if crossover else 2

    def power_of(n: int) -> float:
        se = groups * sigma / np.sqrt(n)
        return float(t_test_power(benefit, se, n - groups, alpha=alpha, sides=2))

    return smallest_size(power_of, power, step=groups)


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
