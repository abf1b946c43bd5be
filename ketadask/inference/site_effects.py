"""The benefit of each site, and whether the sites differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.cohort.designs import CROSSOVER, starts_active
from ketadask.kernels.equal_effects import equal_effects

if TYPE_CHECKING:
    import xarray as xr


def site_effects(units: xr.Dataset) -> pd.DataFrame:
    """Return the benefit of each site of each trial, without any score.

    In ``crossover``, it is the mean of the sequences' mean differences between the arms; else the
    difference between the arms' means, whose variance takes the cases of a participant together.

    Parameters
    ----------
    units
        Dataset that keeps the contract of units.

    Returns
    -------
    A row per trial and site: trial, site, participants, benefit, variance, and the degrees of
    freedom of the variance; the last three NaN where a site has fewer than two participants per
    arm (in ``crossover``, per sequence with anybody).
    """
    trial, site = (units[name].to_numpy().astype(str) for name in ("trial", "site"))
    participant = units[nm.PARTICIPANT].to_numpy().astype(str)
    outcome = units["outcome"].to_numpy()
    if units.attrs["design"] == CROSSOVER:
        y = outcome[:, 0] - outcome[:, 1]
        side = starts_active(units["sequence"].to_numpy())
    else:
        side = np.isfinite(outcome[:, 0])
        y = np.where(side, outcome[:, 0], outcome[:, 1])
    estimate = _mean_of_sequences if units.attrs["design"] == CROSSOVER else _arm_difference
    rows = []
    for name in sorted(set(zip(trial.tolist(), site.tolist(), strict=True))):
        own = (trial == name[0]) & (site == name[1])
        people = np.unique(participant[own], return_inverse=True)[1]
        rows.append((*name, people.max() + 1, *estimate(y[own], side[own], people)))
    columns = ["trial", "site", "participants", "benefit", "variance", "df"]
    return pd.DataFrame(rows, columns=columns)


def sites_differ_p(effects: pd.DataFrame) -> float:
    """Return the p of equal benefit at all sites of `site_effects`; NaN with fewer than two."""
    return equal_effects(*(effects[name].to_numpy() for name in ("benefit", "variance", "df")))


def _mean_of_sequences(
    y: np.ndarray, side: np.ndarray, people: np.ndarray
) -> tuple[float, float, float]:
    groups = [y[side == value] for value in (True, False) if (side == value).any()]
    if any(len(group) < 2 for group in groups):
        return np.nan, np.nan, np.nan
    variance = sum(group.var(ddof=1) / len(group) for group in groups) / len(groups) ** 2
    df = float(len(people) - len(groups))
    return float(np.mean([group.mean() for group in groups])), float(variance), df


def _arm_difference(
    y: np.ndarray, side: np.ndarray, people: np.ndarray
) -> tuple[float, float, float]:
    """Difference of the arms' means; residuals of a participant are added with their signs."""
    influence = np.empty(len(y))
    for arm in (True, False):
        mask = side == arm
        n = int(mask.sum())
        if n < 2:
            return np.nan, np.nan, np.nan
        influence[mask] = (y[mask] - y[mask].mean()) / np.sqrt(n * (n - 1))
    totals = np.bincount(people, weights=np.where(side, influence, -influence))
    return (
        float(y[side].mean() - y[~side].mean()),
        float(totals @ totals),
        float(max(people.max() - 1, 1)),
    )
