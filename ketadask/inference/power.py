"""Can a study of this size find anything? Critical values and detection, by simulation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.kernels.maxt import may_reach
from ketadask.kernels.resampling import wilson
from ketadask.schema.errors import InputError, nearest

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range

DESIGNS = ("crossover", "pooled", "parallel")
FEWEST = 4
FOUND = 0.5
"""Jaccard overlap with the true cover from which the best persona counts as the true one."""


@dataclass(frozen=True)
class Scenario:
    """A study that could be made, and the persona that could be true in it.

    Parameters
    ----------
    design
        ``crossover``: both arms of each participant, compared within; ``pooled``: the same two
        cases of each participant, as if unpaired; ``parallel``: one arm each, half and half.
    participants, features
        How many; every other feature is ordinal with five levels, the rest are normal.
    effect
        Benefit inside the persona minus outside, in standard deviations of the outcome in an arm.
    prevalence
        Share of participants inside.
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
            raise InputError("prevalence lies between 0 and 1", value=self.prevalence)
        if not 0 <= self.correlation < 1:
            raise InputError(
                "the correlation of two outcomes is 0 or more, and below 1", value=self.correlation
            )
        if self.participants < FEWEST:
            raise InputError(
                f"a study to be simulated needs {FEWEST} participants or more",
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
    """Return simulated study number ``index`` and who is truly inside, bool (unit,).

    Draws from ``SeedSequence(seed, spawn_key=(names.STREAM_POWER, index))`` alone: scenarios of
    the same size share their participants, so their difference is not blurred by chance.
    """
    from ketadask.cohort.designs import TrialArrays, trial_scores
    from ketadask.kernels.settings import LiteralSettings
    from ketadask.search.encoding import encode_values
    from ketadask.search.problem import SearchProblem

    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(nm.STREAM_POWER, index)))
    n = scenario.participants
    shared, own = rng.normal(size=(n, 1)), rng.normal(size=(n, 2))
    rho = scenario.correlation
    outcome = np.sqrt(rho) * shared + np.sqrt(1 - rho) * own
    active_first = rng.permutation(n) % 2 == 0
    latent = rng.normal(size=(n, scenario.features))
    # True cuts lie between the searched ones, as nature's would.
    cut = np.quantile(latent, scenario.prevalence ** (1 / scenario.literals), axis=0)
    inside = (latent <= cut)[:, : scenario.literals].all(axis=1)
    outcome[:, 0] += scenario.effect * inside
    value = latent.copy()
    value[:, 1::2] = np.digitize(latent[:, 1::2], (-1.0, -0.3, 0.3, 1.0))
    who, arms = _units(scenario.design, outcome, active_first)
    same = np.zeros(len(who), dtype=np.int64)
    stratum = active_first[who].astype(np.int64) if scenario.design == "crossover" else same
    score = trial_scores(
        scenario.design, arms, stratum=stratum, active_first=active_first[who], trial=same
    )
    trial = TrialArrays(
        scenario.design, arms, who, stratum, stratum, same + 1, active_first[who], same, score
    )
    literals = encode_values(
        value[who], LiteralSettings(cuts=search.cuts, intervals=search.intervals)
    )
    return SearchProblem(literals, trial), inside[who]


def _units(
    design: str, outcome: np.ndarray, active_first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return participant (unit,) and outcome (unit, 2) of the units of a design."""
    n = len(outcome)
    if design == "crossover":
        return np.arange(n), outcome
    seen = np.where(active_first[:, None] == [True, False], outcome, np.nan)
    if design == "parallel":
        return np.arange(n), seen
    other = np.where(active_first[:, None] == [False, True], outcome, np.nan)
    return np.repeat(np.arange(n), 2), np.stack([seen, other], axis=1).reshape(2 * n, 2)


def power_block(
    scenario: Scenario, search: PersonaSearch, numbers: Range, *, seed: int
) -> pd.DataFrame:
    """Search the simulated studies ``numbers``, both ends included, and one relabelling of each.

    Returns
    -------
    A row per study: ``q`` and ``q_null``, the largest Q over the polarities, of the study and of
    its relabelling; ``jaccard``, the overlap of those who benefit more by the best persona (the
    units inside; outside, where it is unfavourable) with the true ones, and ``right``, the share
    of true features among its features; ``saturation``, how close q is to what any data would
    allow; ``units``.
    """
    from ketadask.cohort.relabel import relabel

    rows = []
    for index in range(numbers[0], numbers[1] + 1):
        problem, inside = simulate_problem(scenario, search, seed=seed, index=index)
        order, _ = relabel(problem.trial, seed=seed, index=index)
        best, found = _best(problem, search)
        row = {"index": index, "jaccard": 0.0, "right": 0.0, "saturation": found.saturation}
        if len(found.q):
            cover = problem.literals.conjunction(found.ids)[0] == (best == nm.FAVOURABLE)
            used = problem.literals.feature[found.ids[0][found.ids[0] >= 0]]
            row["jaccard"] = (cover & inside).sum() / (cover | inside).sum()
            row["right"] = float((used < scenario.literals).mean())
        row["q"], row["q_null"] = _top(found), _top(_best(problem, search, order)[1])
        rows.append({**row, "units": len(inside)})
    return pd.DataFrame(rows)


def power_studies(
    asked: Sequence[Scenario],
    search: PersonaSearch,
    numbers: Range,
    *,
    simulations: int,
    seed: int,
) -> pd.DataFrame:
    """Return rows of `power_block` with ``scenario``, its place among those asked.

    Number i is study ``i % simulations`` of scenario ``i // simulations``.
    """
    tables = []
    for place in range(numbers[0] // simulations, numbers[1] // simulations + 1):
        first = max(numbers[0] - place * simulations, 0)
        last = min(numbers[1] - place * simulations, simulations - 1)
        made = power_block(asked[place], search, (first, last), seed=seed)
        tables.append(made.assign(scenario=place))
    return pd.concat(tables, ignore_index=True)


def _best(
    problem: SearchProblem, search: PersonaSearch, rows: np.ndarray | None = None
) -> tuple[str, Any]:
    found = {p: search.solve(problem, polarity=p, rows=rows, keep=1) for p in search.polarities}
    best = max(found, key=lambda polarity: _top(found[polarity]))
    return best, found[best]


def _top(found: Any) -> float:
    return float(found.q[0]) if len(found.q) else -np.inf


def scenarios(**choices: Any) -> list[Scenario]:
    """Return the scenarios of all combinations; a value or a sequence of values each.

    Examples
    --------
    >>> [each.effect for each in scenarios(effect=[0.8, 1.2], design="pooled")]
    [0.8, 1.2]
    """
    known = [each.name for each in fields(Scenario)]
    for name in choices:
        if name not in known:
            raise InputError("unknown setting of power", value=name, remedy=nearest(name, known))
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
    null = np.sort(table["q_null"].to_numpy())[::-1]
    allowed = may_reach(alpha, len(null))
    critical = float(null[allowed]) if allowed >= 0 else np.inf
    hit = table["q"].to_numpy() > critical
    found = hit & (table["jaccard"].to_numpy() >= FOUND)
    low, high = wilson(int(hit.sum()), len(hit))
    return {
        **{each.name: getattr(scenario, each.name) for each in fields(scenario)},
        "units": int(table["units"].iloc[0]),
        "simulations": len(table),
        "critical_value": critical,
        "power": float(hit.mean()),
        "power_low": float(low),
        "power_high": float(high),
        "recovered": float(found.mean()),
        "jaccard": float(table["jaccard"][hit].mean()),
        "right": float(table["right"][hit].mean()),
        "saturation": float(table["saturation"].mean()),
    }
