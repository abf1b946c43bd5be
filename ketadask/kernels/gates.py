"""Benefit inside a persona (published gate), and its difference to that outside (heterogeneity)."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, stdtr

from ketadask.kernels.compiled import kernel

EPS = float(np.finfo(np.float64).eps)


def gates(
    inside: np.ndarray, outcome: np.ndarray, participant: np.ndarray, paired: bool
) -> dict[str, np.ndarray]:
    """Compare active with control inside each persona, and the benefit inside with that outside.

    Parameters
    ----------
    inside
        (persona, unit) bool, True where the persona holds.
    outcome
        (unit, 2) endpoint on active, on control, larger is better; NaN where missing.
    participant
        (unit,) equal values are the same participant, or cluster of participants.
    paired
        Whether each unit carries both arms.

    Returns
    -------
    Arrays (persona,), positive where active is better:

    ``n_active``, ``n_control`` : int64, outcomes inside.
    ``mean_active``, ``mean_control`` : NaN where there is none.
    ``t``, ``p`` : Welch (1947, 10.1093/biomet/34.1-2.28), or the paired t test; two-sided.
    ``d`` : Cohen's d with the pooled standard deviation of the arms; in paired data too.
    ``g`` : Hedges' g, d times its exact correction (1981, 10.3102/10769986006002107) at
    n_active + n_control - 2 degrees of freedom, at pairs - 1 in paired data.
    ``d_z`` : mean over standard deviation of the pairs' differences; NaN in unpaired data.
    ``interaction``, ``interaction_p`` : coefficient of persona x arm in least squares on persona,
    arm and their product over all units, standard errors clustered by participant (CR1), t with
    clusters - 1 degrees of freedom. Paired units are two rows of one participant.

    Undefined statistics pass no gate: fewer than two outcomes per arm (two pairs), no variance up
    to rounding, a cell of the interaction with fewer than two outcomes, a single participant give
    p = 1, t = 0, d = 0, interaction = 0.

    Examples
    --------
    >>> y = np.array([[9.0, np.nan], [7.0, np.nan], [np.nan, 1.0], [np.nan, 2.0]])
    >>> result = gates(np.ones((1, 4), dtype=bool), y, np.arange(4), paired=False)
    >>> [round(float(result[key][0]), 3) for key in ("t", "p", "d", "interaction_p")]
    [5.814, 0.055, 5.814, 1.0]
    """
    inside = np.asarray(inside, dtype=np.bool_)
    outcome = np.asarray(outcome, dtype=np.float64)
    if inside.shape[1:] != outcome.shape[:1] or np.shape(participant) != outcome.shape[:1]:
        raise ValueError(
            f"personas of {inside.shape[1:]} units, outcomes of {outcome.shape[:1]} and "
            f"participants of {np.shape(participant)} do not match"
        )
    # Clusters are summed in runs, so rows go by participant; the sort is stable, which keeps the
    # sums the same however personas are divided over calls.
    order = np.argsort(participant, kind="stable")
    unit, arm = np.nonzero(np.isfinite(outcome[order]))
    unit = order[unit]
    y = outcome[unit, arm]
    who = np.asarray(participant)[unit]
    fresh = np.ones(unit.shape[0], dtype=np.bool_)
    fresh[1:] = who[1:] != who[:-1]
    least = _rounding(y)
    cells = np.zeros((inside.shape[0], 8))
    _fill_cells(np.ascontiguousarray(inside.T), unit, arm, y, fresh, least, cells)
    statistics, d, correction = _effect_sizes(cells)
    if paired:
        both = order[np.isfinite(outcome[order]).all(axis=1)]
        differences = outcome[both, 0] - outcome[both, 1]
        pairs = np.zeros((inside.shape[0], 3))
        _fill_pairs(np.ascontiguousarray(inside), both, differences, least, pairs)
        t, df, is_defined, statistics["d_z"] = _paired_t(pairs)
        correction = hedges_correction(pairs[:, 0] - 1.0)
    else:
        t, df, is_defined = _welch_t(cells)
        statistics["d_z"] = np.full(cells.shape[0], np.nan)
    statistics["t"] = np.where(is_defined, t, 0.0)
    statistics["p"] = two_sided(t, df, is_defined)
    statistics["d"], statistics["g"] = d, d * correction
    variance = cells[:, 7]
    is_defined = variance > 0.0
    t = cells[:, 6] / np.sqrt(np.where(is_defined, variance, 1.0))
    statistics["interaction"] = np.where(is_defined, cells[:, 6], 0.0)
    statistics["interaction_p"] = two_sided(t, np.full(t.shape, float(fresh.sum() - 1)), is_defined)
    return statistics


def carry_over(outcome: np.ndarray, active_first: np.ndarray) -> dict[str, float]:
    """Compare participants' totals over both periods between the two sequences of a crossover.

    A difference hints at carry-over from the first period into the second. It is reported and
    never selected on (Freeman 1989, 10.1002/sim.4780081202).

    Parameters
    ----------
    outcome
        (unit, 2) endpoint on active, on control.
    active_first
        (unit,) True where the active arm came first.

    Returns
    -------
    ``difference`` of the mean totals, active first minus control first, with Welch's ``t`` and
    two-sided ``p``; 0, 0 and 1 where a sequence has fewer than two participants.

    Examples
    --------
    >>> y = np.array([[5.0, 1.0], [7.0, 2.0], [4.0, 1.0], [6.0, 0.0]])
    >>> carry_over(y, np.array([True, True, False, False]))["difference"]
    2.0
    """
    first = np.asarray(active_first, dtype=bool)
    total = np.asarray(outcome, dtype=np.float64).sum(axis=1)
    by_sequence = np.column_stack((np.where(first, total, np.nan), np.where(first, np.nan, total)))
    unit = np.arange(total.shape[0])
    result = gates(np.ones((1, unit.size), dtype=bool), by_sequence, unit, paired=False)
    enough = min(result["n_active"][0], result["n_control"][0]) >= 2
    difference = float(result["mean_active"][0] - result["mean_control"][0]) if enough else 0.0
    return {"difference": difference, "t": float(result["t"][0]), "p": float(result["p"][0])}


def _rounding(y: np.ndarray) -> float:
    """Return the squared spread per outcome below which outcomes differ by rounding only."""
    return float((8.0 * EPS * np.max(np.abs(y), initial=0.0)) ** 2)


def _effect_sizes(cells: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return counts and means, d with the pooled standard deviation, and the correction of d."""
    n1, n0 = cells[:, 0], cells[:, 1]
    df = n1 + n0 - 2.0
    is_defined = (n1 >= 2) & (n0 >= 2) & (cells[:, 4] + cells[:, 5] > 0.0)
    pooled = np.where(is_defined, cells[:, 4] + cells[:, 5], 1.0) / np.where(is_defined, df, 1.0)
    d = np.where(is_defined, cells[:, 2] - cells[:, 3], 0.0) / np.sqrt(pooled)
    statistics = {
        "n_active": n1.astype(np.int64),
        "n_control": n0.astype(np.int64),
        "mean_active": np.where(n1 > 0, cells[:, 2], np.nan),
        "mean_control": np.where(n0 > 0, cells[:, 3], np.nan),
    }
    return statistics, d, hedges_correction(df)


def _welch_t(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n1, n0 = cells[:, 0], cells[:, 1]
    is_defined = (n1 >= 2) & (n0 >= 2) & (cells[:, 4] + cells[:, 5] > 0.0)
    n1, n0 = np.where(is_defined, n1, 2.0), np.where(is_defined, n0, 2.0)
    v1 = np.where(is_defined, cells[:, 4], 1.0) / (n1 - 1.0) / n1
    v0 = np.where(is_defined, cells[:, 5], 1.0) / (n0 - 1.0) / n0
    # As fractions of their sum the variances cannot underflow when squared.
    w1, w0 = v1 / (v1 + v0), v0 / (v1 + v0)
    df = 1.0 / (w1 * w1 / (n1 - 1.0) + w0 * w0 / (n0 - 1.0))
    return (cells[:, 2] - cells[:, 3]) / np.sqrt(v1 + v0), df, is_defined


def _paired_t(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n = pairs[:, 0]
    is_defined = (n >= 2) & (pairs[:, 2] > 0.0)
    n = np.where(is_defined, n, 2.0)
    d_z = np.where(is_defined, pairs[:, 1], 0.0)
    d_z = d_z / np.sqrt(np.where(is_defined, pairs[:, 2], 1.0) / (n - 1.0))
    return d_z * np.sqrt(n), n - 1.0, is_defined, d_z


def two_sided(t: np.ndarray, df: np.ndarray, is_defined: np.ndarray) -> np.ndarray:
    """Return the two-sided p of Student's t, 1 where it is not defined.

    Examples
    --------
    >>> two_sided(np.array([2.228, 9.0]), np.array([10.0, 3.0]), np.array([True, False])).round(3)
    array([0.05, 1.  ])
    """
    safe_t = np.where(is_defined, np.abs(t), 0.0)
    safe_df = np.where(is_defined, df, 1.0)
    return np.where(is_defined, 2.0 * stdtr(safe_df, -safe_t), 1.0)


def hedges_correction(df: np.ndarray) -> np.ndarray:
    """Return J(df), which makes d unbiased (Hedges 1981, 10.3102/10769986006002107, equation 6e).

    Examples
    --------
    >>> hedges_correction(np.array([2.0, 10.0, 50.0])).round(4)
    array([0.5642, 0.9227, 0.9849])
    """
    safe = np.maximum(df, 2.0)
    cells = np.exp(gammaln(safe / 2.0) - gammaln((safe - 1.0) / 2.0)) / np.sqrt(safe / 2.0)
    # At one degree of freedom the gamma function has its pole and the correction is zero.
    return np.where(df >= 2, cells, 0.0)


@kernel()
def _fill_cells(
    inside: np.ndarray,
    unit: np.ndarray,
    arm: np.ndarray,
    y: np.ndarray,
    fresh: np.ndarray,
    least: float,
    cells: np.ndarray,
) -> None:
    """Fill per persona: counts, means and sums of squares of active and control inside, the
    interaction and its clustered variance (0 where undefined).

    ``inside`` is (unit, persona): all personas take a row at once, each in the same order. Rows are
    single outcomes, those of a participant together, the first of them ``fresh``. With
    persona, arm and product the fit is saturated: coefficients are differences of the four cells'
    means, so a participant adds the sum of +-residual/cell size, squared, to the variance.
    """
    # Unsigned numbers: a signed index may count from the end, and nothing would be vectorised.
    rows, personas = np.uint64(y.shape[0]), np.uint64(inside.shape[1])
    # Cells of a persona: active and control inside, active and control outside.
    count, mean = np.zeros((4, inside.shape[1])), np.zeros((4, inside.shape[1]))
    square, meat = np.zeros((2, inside.shape[1])), np.zeros(inside.shape[1])
    running = np.zeros(inside.shape[1])
    clusters = fresh.sum()
    for r in range(rows):
        u, a, value = unit[r], arm[r], y[r]
        here, counts, others = inside[u], count[a], count[2 + a]
        sums, rest = mean[a], mean[2 + a]
        for k in range(personas):
            member = 1.0 if here[k] else 0.0
            counts[k] += member
            others[k] += 1.0 - member
            sums[k] += member * value
            rest[k] += (1.0 - member) * value
    mean /= np.maximum(count, 1.0)
    for r in range(rows):
        u, a, value = unit[r], arm[r], y[r]
        if fresh[r]:
            for k in range(personas):
                meat[k] += running[k] * running[k]
                running[k] = 0.0
        sign = 1.0 if a == 0 else -1.0
        here, counts, others = inside[u], count[a], count[2 + a]
        sums, rest, spread = mean[a], mean[2 + a], square[a]
        for k in range(personas):
            member = here[k]
            residual = value - (sums[k] if member else rest[k])
            spread[k] += residual * residual if member else 0.0
            pull = sign * (residual if member else -residual)
            running[k] += pull / (counts[k] if member else others[k])
    for k in range(personas):
        meat[k] += running[k] * running[k]
        for cell in range(2):
            cells[k, cell] = count[cell, k]
            cells[k, 2 + cell] = mean[cell, k]
            varies = square[cell, k] > count[cell, k] * least
            cells[k, 4 + cell] = square[cell, k] if varies else 0.0
        cells[k, 6] = mean[0, k] - mean[1, k] - mean[2, k] + mean[3, k]
        smallest = count[:, k].min()
        # A cell of one outcome has residual zero and would seem known without error.
        if smallest >= 2 and clusters >= 2 and meat[k] * smallest * smallest > clusters * least:
            # CR1: G / (G - 1) times (N - 1) / (N - 4), for four coefficients.
            scale = clusters / (clusters - 1.0) * (rows - 1.0) / (rows - 4.0)
            cells[k, 7] = scale * meat[k]


@kernel()
def _fill_pairs(
    inside: np.ndarray, unit: np.ndarray, difference: np.ndarray, least: float, cells: np.ndarray
) -> None:
    """Fill per persona: pairs inside, mean difference, sum of squares about it."""
    for k in range(inside.shape[0]):
        count = 0.0
        mean = 0.0
        square = 0.0
        for r in range(unit.shape[0]):
            if inside[k, unit[r]]:
                count += 1.0
                mean += difference[r]
        mean /= max(count, 1.0)
        for r in range(unit.shape[0]):
            if inside[k, unit[r]]:
                square += (difference[r] - mean) ** 2
        cells[k, 0] = count
        cells[k, 1] = mean
        cells[k, 2] = square if square > 4.0 * count * least else 0.0
