"""Two-stage trials with adaptive enrichment: inverse normal combination and closed testing.

The first stage enrols all comers. At the interim analysis the trial stops for futility, continues
with participants inside the persona, or continues with all comers. "No benefit inside" and "no
benefit of all" are tested at one familywise level: each claim needs its own combination test and
that of the intersection (Simes), so the choice of the population costs no error (Bauer and Kohne
1994, 10.2307/2533441; Brannath et al. 2009, 10.1002/sim.3559).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri, stdtr
from scipy.stats import multivariate_normal, norm


@dataclass(frozen=True)
class InterimRule:
    """Decisions at the interim analysis; levels and p-values are one-sided.

    Parameters
    ----------
    fraction
        Fraction of the participants in the first stage.
    futility
        The trial stops if p inside is above this; 1 never. Critical values ignore the stop.
    enrichment
        It continues with participants inside only if p outside is above this; 1 never.
    alpha
        Familywise level of both stages.
    interim_alpha
        Level of a claim at the interim analysis; 0 for none.
    """

    fraction: float = 0.5
    futility: float = 0.5
    enrichment: float = 0.3
    alpha: float = 0.05
    interim_alpha: float = 0.0

    def critical_values(self) -> tuple[float, float]:
        """Return the critical values of the interim and the final statistic.

        Examples
        --------
        >>> interim = InterimRule(alpha=0.025, interim_alpha=0.0147)  # Pocock: 2.178 twice
        >>> [round(value, 3) for value in interim.critical_values()]
        [2.178, 2.178]
        """
        if not self.interim_alpha:
            return float("inf"), float(norm.isf(self.alpha))
        first = float(norm.isf(self.interim_alpha))
        rho = np.sqrt(self.fraction)
        joint = multivariate_normal(cov=[[1.0, rho], [rho, 1.0]])
        level = 1 - self.alpha
        return first, float(brentq(lambda z: joint.cdf([first, z]) - level, 0.0, 9.0))


@dataclass(frozen=True, eq=False)
class StageStatistics:
    """Standard normal statistics (trial,) of one stage: inside, outside, and of all."""

    inside: np.ndarray
    outside: np.ndarray
    overall: np.ndarray

    @property
    def intersection(self) -> np.ndarray:
        """Statistic of "no benefit inside and none of all", by Simes' test."""
        p = norm.sf(np.stack([self.inside, self.overall]))
        simes = np.minimum(np.minimum(2 * p.min(axis=0), p.max(axis=0)), 1.0)
        return np.asarray(norm.isf(simes))


@dataclass(frozen=True, eq=False)
class TwoStageTrials:
    """Simulated trials; all (trial,).

    Attributes
    ----------
    claim_inside, claim_all
        Whether a benefit is claimed inside, and of all.
    early, futile, enrichment
        Whether the trial ended with a claim at the interim analysis or for futility, and whether
        its second stage enrolled participants inside only.
    """

    claim_inside: np.ndarray
    claim_all: np.ndarray
    early: np.ndarray
    futile: np.ndarray
    enrichment: np.ndarray

    @property
    def claim(self) -> np.ndarray:
        """Whether anything is claimed."""
        return np.asarray(self.claim_inside | self.claim_all)

    @property
    def stages(self) -> np.ndarray:
        """Number of stages of each trial."""
        return np.where(self.early | self.futile, 1, 2)


def enriches(first: StageStatistics, interim: InterimRule) -> np.ndarray:
    """Return whether a second stage would enrol participants inside only."""
    return np.asarray(norm.sf(first.outside) > interim.enrichment)


def decide(first: StageStatistics, second: StageStatistics, interim: InterimRule) -> TwoStageTrials:
    """Return claims and interim decisions.

    Where the second stage is enriched, only ``second.inside`` is used.
    """
    early_critical, critical = interim.critical_values()
    enrichment = enriches(first, interim)
    weights = np.sqrt([interim.fraction, 1 - interim.fraction])
    intersection = np.where(enrichment, second.inside, second.intersection)
    both = weights[0] * first.intersection + weights[1] * intersection >= critical
    inside = weights[0] * first.inside + weights[1] * second.inside >= critical
    overall = weights[0] * first.overall + weights[1] * second.overall >= critical
    early_both = first.intersection >= early_critical
    early_inside = early_both & (first.inside >= early_critical)
    early_overall = early_both & (first.overall >= early_critical)
    early = early_inside | early_overall
    futile = ~early & (norm.sf(first.inside) > interim.futility)
    final = ~early & ~futile & both
    return TwoStageTrials(
        np.where(early, early_inside, final & inside),
        np.where(early, early_overall, final & overall & ~enrichment),
        early, futile, enrichment & ~early & ~futile,
    )  # fmt: skip


def simulate_two_stage(
    rng: np.random.Generator,
    *,
    inside: np.ndarray,
    outside: np.ndarray,
    prevalence: np.ndarray,
    sd: float,
    participants: int,
    interim: InterimRule,
    groups: int = 2,
) -> TwoStageTrials:
    """Simulate trials of normal scores.

    Parameters
    ----------
    inside, outside, prevalence
        (trial,) true benefits, and fraction of people inside.
    sd
        Standard deviation of the scores.
    participants
        With outcome, over both stages.
    groups
        Means estimated per population: 2 of two arms, 1 of paired differences.
    """
    n_first = round(interim.fraction * participants)
    n_second = participants - n_first
    draw = partial(_draw_stage, rng, inside=inside, outside=outside, sd=sd, groups=groups)
    first = draw(rng.binomial(n_first, prevalence), n_first)
    count = rng.binomial(n_second, prevalence)
    count = np.where(enriches(first, interim), n_second, count)
    second = draw(count, n_second)
    return decide(first, second, interim)


def _draw_stage(
    rng: np.random.Generator, count: np.ndarray, size: int, *,
    inside: np.ndarray, outside: np.ndarray, sd: float, groups: int,
) -> StageStatistics:  # fmt: skip
    """Draw the statistics of a stage of ``size`` people, ``count`` (trial,) of them inside."""
    counts = np.stack([count, size - count]).astype(float)
    means = np.stack([inside, outside]) + sd * rng.standard_normal(counts.shape) / np.sqrt(
        np.maximum(counts, 1)
    )
    df = np.maximum(counts - groups, 0)
    squares = np.where(df > 0, sd**2 * rng.chisquare(np.maximum(df, 1)), 0.0)
    own = _z(means, squares, counts, df)
    overall = (counts * means).sum(axis=0) / size
    return StageStatistics(
        own[0], own[1], _z(overall, squares.sum(axis=0), float(size), df.sum(axis=0))
    )


def _z(
    mean: np.ndarray, squares: np.ndarray, count: np.ndarray | float, df: np.ndarray
) -> np.ndarray:
    """Return the normal statistic with the p of a t test; 0 where there is no variance."""
    degrees = np.maximum(df, 1)
    se = np.sqrt(squares / degrees / np.maximum(count, 1))
    t = np.divide(mean, se, out=np.zeros(np.shape(mean)), where=se > 0)
    z = -ndtri(np.maximum(stdtr(degrees, -np.abs(t)), 1e-300))
    return np.where(df > 0, np.sign(t) * z, 0.0)
