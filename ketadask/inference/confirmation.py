"""The test of locked personas in a new trial: nothing is chosen, so nothing is corrected for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from ketadask.cohort.relabel import check_exchange, relabel
from ketadask.kernels.contrast import Contrast, contrast
from ketadask.schema.errors import InputError
from ketadask.schema.tables import CONFIRMATIONS
from ketadask.search.persona import INSIDE, OUTSIDE, Persona
from ketadask.store.environment import one_thread

if TYPE_CHECKING:
    from ketadask.cohort.designs import TrialArrays

ALPHA, LEVEL, RELABELLINGS, ENOUGH_POWER = 0.025, 0.95, 1_999, 0.8
CONFIRMED, NOT_CONFIRMED, TOO_SMALL = "confirmed", "not confirmed", "too small to say"
ARMS, NO_EFFECT = "arms", "no-effect"
MIN_SIDE = 2


def confirm_personas(
    trial: TrialArrays,
    personas: Sequence[Persona],
    members: Sequence[np.ndarray],
    *,
    alpha: float = ALPHA,
    relabellings: int = RELABELLINGS,
    seed: int = 7,
) -> pd.DataFrame:
    """Test locked personas in a new trial; return a row per persona.

    Parameters
    ----------
    trial
        The new trial, in any design.
    personas
        Personas of another trial.
    members
        By persona (unit,): inside, outside or unknown, see `Persona.members`. Units of unknown
        membership are left out.
    alpha
        One-sided level, in the direction of the persona; Holm's over several personas.
    relabellings
        Number of relabelled trials; the smallest p is 1 / (relabellings + 1).
    seed
        Seed of the relabelled trials.

    Returns
    -------
    Table that keeps ``schema.CONFIRMATIONS``.

    Notes
    -----
    The statistic is the studentised contrast of the mean scores inside and outside. Its
    distribution without a persona is that of trials whose arms are randomised again under a
    constant effect (`relabel`, method ``arms``). The intervals are estimate -/+ c se, c the 95 %
    point of the absolute value of the studentised estimate, minus its expectation, over the same
    trials. The effect inside is compared with trials whose arms are randomised again under no
    effect. The power is that of the difference at the locked effect: shrunken, or as at
    discovery where there is none.

    A persona is confirmed where the adjusted p is at most ``alpha``. It is not confirmed where the
    power was 80 % or more, or the interval excludes the locked effect. Else the trial is too small
    to say.
    """
    if not 0 < alpha < 1:
        raise InputError(
            "not a level", where="alpha", value=alpha, remedy="choose a value between 0 and 1"
        )
    level = alpha / len(personas)
    fewest = int(np.ceil(1 / level - 1e-9)) - 1
    if relabellings < fewest:
        raise InputError(
            f"{relabellings} relabelled trials cannot give a p of {level:g}",
            where="relabellings",
            value=relabellings,
            remedy=f"use {max(fewest, RELABELLINGS):,}",
        )
    check_exchange(trial, ARMS, where="arms of the trial")
    inside = np.stack([member == INSIDE for member in members])
    outside = np.stack([member == OUTSIDE for member in members])
    sign = np.array([persona.sign for persona in personas])
    estimates = _Estimates(trial, inside, outside)
    with one_thread():
        null, null_inside = _null_estimates(trial, inside, outside, relabellings, seed)
    spread = null[0] - _constant_effects(trial, inside, outside) / null[1]
    t = sign * estimates.t[:, 0]
    p = _p(t, sign * null[0][:, :, 0])
    p_holm = holm(p)
    reach = estimates.se * _quantile(np.abs(spread), LEVEL)
    low, high = estimates.mean - reach, estimates.mean + reach
    target = np.array([_target(persona) for persona in personas])
    critical = _quantile(sign * spread[:, :, 0], 1 - level)
    power = norm.cdf(target / estimates.se[:, 0] - critical)
    rows = []
    for k, persona in enumerate(personas):
        far_end = (high if sign[k] > 0 else -low)[k, 0]
        is_informative = power[k] >= ENOUGH_POWER or far_end < target[k]
        otherwise = NOT_CONFIRMED if is_informative else TOO_SMALL
        rows.append(
            {
                "persona": persona.persona,
                "polarity": persona.polarity,
                "text": " and ".join(literal.text for literal in persona.literals),
                "conclusion": CONFIRMED if p_holm[k] <= alpha else otherwise,
                "inside": int(inside[k].sum()),
                "outside": int(outside[k].sum()),
                "unknown": int((~inside[k] & ~outside[k]).sum()),
                "t": t[k],
                "p": p[k],
                "p_adjusted": p_holm[k],
                "p_inside": _p(estimates.t[[k], 1], null_inside[:, [k]])[0],
                "power": power[k],
                "target": sign[k] * target[k],
                **{
                    f"{name}{end}": values[k, j]
                    for j, name in enumerate(("difference", "benefit_inside", "benefit_outside"))
                    for end, values in (("", estimates.mean), ("_low", low), ("_high", high))
                },
            }
        )
    return CONFIRMATIONS.check(pd.DataFrame(rows))


class _Estimates:
    """Difference, benefit inside and benefit outside of some personas: (persona, 3) each."""

    def __init__(self, trial: TrialArrays, inside: np.ndarray, outside: np.ndarray) -> None:
        parts = (
            contrast(
                inside, trial.score, outside=outside, cluster=trial.cluster, min_outside=MIN_SIDE
            ),
            _benefit(trial, inside),
            _benefit(trial, outside),
        )
        self.mean = np.stack([part.difference for part in parts], axis=1)
        self.se = np.stack([part.se for part in parts], axis=1)
        self.t = self.mean / self.se


def _benefit(trial: TrialArrays, side: np.ndarray) -> Contrast:
    return contrast(side, trial.score, cluster=trial.cluster, objective="effect")


def _constant_effects(trial: TrialArrays, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return what the estimates are on average over trials relabelled under a constant effect."""
    effect = trial.level_effects()
    means = [mask @ effect / np.maximum(mask.sum(axis=1), 1) for mask in (inside, outside)]
    return np.stack([means[0] - means[1], *means], axis=1)


def _null_estimates(
    trial: TrialArrays, inside: np.ndarray, outside: np.ndarray, relabellings: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return t and standard error (2, B, persona, 3) of trials relabelled under a constant effect.

    The second array is t of the benefit inside (B, persona) of trials relabelled under no effect.
    """
    null = np.empty((2, relabellings, len(inside), 3))
    null_inside = np.empty((relabellings, len(inside)))
    for index in range(relabellings):
        _, other = relabel(trial, seed=seed, index=index, method=ARMS)
        estimates = _Estimates(other, inside, outside)
        null[0, index], null[1, index] = estimates.t, estimates.se
        _, other = relabel(trial, seed=seed, index=index, method=NO_EFFECT)
        null_inside[index] = _benefit(other, inside).t
    return null, null_inside


def _p(t: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return one-sided p (persona,) of t among relabelled trials (B, persona); 1 where undefined.

    A relabelled trial without t counts as one that reaches it.
    """
    reaches = ~(null < t - 1e-9 * np.abs(t))
    return np.asarray(np.where(np.isnan(t), 1.0, (reaches.sum(axis=0) + 1) / (len(null) + 1)))


def _quantile(null: np.ndarray, level: float) -> np.ndarray:
    """Return the point that at most 1 - level of relabelled trials and the trial exceed."""
    rank = min(int(np.ceil(level * (len(null) + 1) - 1e-9)), len(null)) - 1
    return np.asarray(np.sort(np.where(np.isnan(null), np.inf, null), axis=0)[rank])


def holm(p: np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p (Holm 1979, Scand J Stat 6:65-70).

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order])
    p_holm = np.empty(len(p))
    p_holm[order] = np.minimum(steps, 1.0)
    return p_holm


def _target(persona: Persona) -> float:
    """Return the locked effect in the direction of the persona."""
    shrunken = persona.discovery.difference_shrunken
    return persona.sign * (shrunken if shrunken else persona.discovery.difference)


def power_text(power: float) -> str:
    """Return the power of a confirmation in words.

    Examples
    --------
    >>> [power_text(power) for power in (0.914, 0.9999, float("nan"))]
    ['91 %', 'above 99 %', 'not estimable']
    """
    if np.isnan(power):
        return "not estimable"
    return "above 99 %" if power > 0.99 else f"{100 * power:.0f} %"


def conclusion(table: pd.DataFrame) -> str:
    """Return the first line of the report of some confirmations.

    Examples
    --------
    >>> row = {"conclusion": CONFIRMED, "p_adjusted": 0.012, "power": 0.91}
    >>> conclusion(pd.DataFrame([row]))
    'Confirmed: p = 0.012, power 91 %.'
    """
    if len(table) == 1:
        row: Any = table.iloc[0]
        word, power = str(row["conclusion"]), power_text(row["power"])
        return f"{word[:1].upper()}{word[1:]}: p = {row['p_adjusted']:.2g}, power {power}."
    counts = [
        f"{int((table['conclusion'] == word).sum())} {word}"
        for word in (CONFIRMED, NOT_CONFIRMED, TOO_SMALL)
    ]
    return f"Of {len(table)} personas: {', '.join(counts)}."
