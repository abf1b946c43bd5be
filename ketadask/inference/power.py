"""Power of a study by simulation: critical values and detection rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.null import critical_value
from ketadask.inference.second_stage import CANDIDATES, STUDENTISED, strongest
from ketadask.kernels.resampling import wilson
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range

DESIGNS = ("crossover", "pooled", "parallel")
MIN_PARTICIPANTS = 4
RECOVERY_JACCARD = 0.5
"""Minimum Jaccard index with the true cover at which the best persona is the true one."""


@dataclass(frozen=True)
class Scenario:
    """A hypothetical study and its true persona.

    Parameters
    ----------
    design
        ``crossover``: both arms of each participant, compared within; ``pooled``: the same two
        cases of each participant, unpaired; ``parallel``: one arm per participant, half and half.
    participants, features
        Numbers; every other feature is ordinal with five levels, the rest are normal.
    effect
        Benefit inside the persona minus outside, in standard deviations of the outcome in an arm.
    prevalence
        Fraction of participants inside.
    literals
        Number of features that make up the persona.
    correlation
        Correlation of a participant's two outcomes.
    """

    design: str = "crossover"
    participants: int = 60
    features: int = 40
    effect: float = 1.2
    prevalence: float = 0.35
    literals: int = 3
    correlation: float = 0.5

    def __post_init__(self) -> None:
        if self.design not in DESIGNS:
            raise InputError(
                "unknown design", value=self.design, remedy=nearest(self.design, DESIGNS)
            )
        if not 0 < self.prevalence < 1:
            raise InputError("prevalence must lie between 0 and 1", value=self.prevalence)
        if not 0 <= self.correlation < 1:
            raise InputError(
                "the correlation of two outcomes must be at least 0 and below 1",
                value=self.correlation,
            )
        if self.participants < MIN_PARTICIPANTS:
            raise InputError(
                f"a simulated study needs {MIN_PARTICIPANTS} participants or more",
                where="participants",
                value=self.participants,
            )
        if not 1 <= self.literals <= min(self.features, nm.MAX_LITERALS):
            raise InputError(
                "the true persona needs 1 to 4 of the features",
                where="literals",
                value=self.literals,
            )


def simulate_problem(
    scenario: Scenario, search: PersonaSearch, *, seed: int, index: int
) -> tuple[SearchProblem, np.ndarray]:
    """Return simulated study ``index`` and the true persona, bool (unit,).

    Draws from ``SeedSequence(seed, spawn_key=(names.STREAM_POWER, index))`` alone: scenarios of
    the same size share their participants, so chance does not blur their difference.
    """
    from ketadask.cohort.designs import TrialArrays
    from ketadask.kernels.settings import LiteralSettings
    from ketadask.search.encoding import encode_values
    from ketadask.search.problem import SearchProblem

    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(nm.STREAM_POWER, index)))
    n = scenario.participants
    common, own = rng.normal(size=(n, 1)), rng.normal(size=(n, 2))
    rho = scenario.correlation
    outcome = np.sqrt(rho) * common + np.sqrt(1 - rho) * own
    active_first = rng.permutation(n) % 2 == 0
    latent = rng.normal(size=(n, scenario.features))
    # True cuts lie between the searched ones.
    cut = np.quantile(latent, scenario.prevalence ** (1 / scenario.literals), axis=0)
    inside = (latent <= cut)[:, : scenario.literals].all(axis=1)
    outcome[:, 0] += scenario.effect * inside
    value = latent.copy()
    value[:, 1::2] = np.digitize(latent[:, 1::2], (-1.0, -0.3, 0.3, 1.0))
    participant, arms = _units(scenario.design, outcome, active_first)
    same = np.zeros(len(participant), dtype=np.int64)
    first = active_first[participant]
    stratum = first.astype(np.int64) if scenario.design == "crossover" else same
    period = np.where(np.isfinite(arms[:, 0]) == first, 1, 2)
    trial = TrialArrays(scenario.design, arms, participant, stratum, stratum, period, first, same)
    settings = LiteralSettings(cuts=search.cuts, intervals=search.intervals)
    literals = encode_values(value[participant], settings)
    return SearchProblem(literals, trial), inside[participant]


def _units(
    design: str, outcome: np.ndarray, active_first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return participant (unit,) and outcome (unit, 2) of the units of a design."""
    n = len(outcome)
    if design == "crossover":
        return np.arange(n), outcome
    one = np.where(active_first[:, None] == [True, False], outcome, np.nan)
    if design == "parallel":
        return np.arange(n), one
    other = np.where(active_first[:, None] == [False, True], outcome, np.nan)
    return np.repeat(np.arange(n), 2), np.stack([one, other], axis=1).reshape(2 * n, 2)


def power_block(
    scenario: Scenario,
    search: PersonaSearch,
    block: Range,
    *,
    seed: int,
    candidates: int = CANDIDATES,
    statistic: str = STUDENTISED,
) -> pd.DataFrame:
    """Search the first to the last simulated study of ``block``, and one relabelling of each.

    ``candidates`` and ``statistic`` are those of `strongest`.

    Returns
    -------
    A row per study: ``value`` and ``value_null``, the largest statistic over the polarities, of the
    study and of its relabelling; ``jaccard``, the Jaccard index of the units that benefit more by
    the best persona (inside; outside, where it is unfavourable) with the true ones, and ``right``,
    the fraction of true features among its features; ``saturation`` of its search; ``units``.
    """
    from ketadask.cohort.relabel import relabel

    keep = min(search.keep, candidates)
    rank = partial(strongest, candidates=candidates, statistic=statistic)
    rows = []
    for index in range(block[0], block[1] + 1):
        problem, inside = simulate_problem(scenario, search, seed=seed, index=index)
        order, _ = relabel(problem.trial, seed=seed, index=index)
        results = {p: search.solve(problem, polarity=p, keep=keep) for p in search.polarities}
        best = rank(problem, search, result_by_polarity=results)
        row = {"index": index, "jaccard": 0.0, "right": 0.0, "saturation": np.nan}
        if len(best):
            polarity, ids = str(best.polarity[0]), best.ids[0]
            cover = problem.literals.conjunction(ids)[0] == (polarity == nm.FAVOURABLE)
            row["saturation"] = results[polarity].saturation
            row["jaccard"] = (cover & inside).sum() / (cover | inside).sum()
            features = problem.literals.feature[ids[ids >= 0]]
            row["right"] = float((features < scenario.literals).mean())
        null = rank(problem, search, rows=order)
        row["value"], row["value_null"] = best.largest(statistic), null.largest(statistic)
        rows.append({**row, "units": len(inside)})
    return pd.DataFrame(rows)


def power_studies(
    scenarios: Sequence[Scenario],
    search: PersonaSearch,
    block: Range,
    *,
    simulations: int,
    **options: Any,
) -> pd.DataFrame:
    """Return rows of `power_block` with ``scenario``, its index among the scenarios.

    Item i of ``block`` is study ``i % simulations`` of scenario ``i // simulations``.
    """
    tables = []
    for k in range(block[0] // simulations, block[1] // simulations + 1):
        first = max(block[0] - k * simulations, 0)
        last = min(block[1] - k * simulations, simulations - 1)
        rows = power_block(scenarios[k], search, (first, last), **options)
        tables.append(rows.assign(scenario=k))
    return pd.concat(tables, ignore_index=True)


def build_scenarios(**choices: Any) -> list[Scenario]:
    """Return the scenarios of all combinations; each choice is a value or a sequence of values.

    Examples
    --------
    >>> [scenario.effect for scenario in build_scenarios(effect=[0.8, 1.2], design="pooled")]
    [0.8, 1.2]
    """
    names = [field.name for field in fields(Scenario)]
    for name in choices:
        if name not in names:
            raise InputError("unknown setting of power", value=name, remedy=nearest(name, names))
    lists = [
        [v] if isinstance(v, str) or not isinstance(v, Iterable) else list(v)
        for v in choices.values()
    ]
    return [Scenario(**dict(zip(choices, values, strict=True))) for values in product(*lists)]


def summarise_power(
    scenario: Scenario, studies: Sequence[pd.DataFrame], alpha: float
) -> dict[str, Any]:
    """Return the row of one scenario from its simulated studies."""
    table = pd.concat(studies).sort_values("index", ignore_index=True)
    threshold = critical_value(table["value_null"].to_numpy()[None], alpha)
    critical = np.inf if threshold is None else threshold
    hit = table["value"].to_numpy() > critical
    recovery = hit & (table["jaccard"].to_numpy() >= RECOVERY_JACCARD)
    low, high = wilson(int(hit.sum()), len(hit))
    return {
        **vars(scenario),
        "units": int(table["units"].iloc[0]),
        "simulations": len(table),
        "critical_value": critical,
        "power": float(hit.mean()),
        "power_low": float(low),
        "power_high": float(high),
        "recovered": float(recovery.mean()),
        "jaccard": float(table["jaccard"][hit].mean()),
        "right": float(table["right"][hit].mean()),
        "saturation": float(table["saturation"].mean()),
    }
