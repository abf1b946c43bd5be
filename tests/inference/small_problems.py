"""Small search problems, and a brute-force search."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ketadask.cohort.designs import TrialArrays
from ketadask.inference.evaluation import PersonaSet
from ketadask.inference.null import null_block
from ketadask.inference.verdicts import build_verdicts
from ketadask.kernels.blocks import PackedRows
from ketadask.kernels.q_statistic import centre
from ketadask.search.literals import Literals
from ketadask.search.problem import SearchProblem


def make_trial(design="crossover", n=24, seed=0, effect=None):
    """Return a trial of n units without structure, ``effect`` (unit,) added to the active arm."""
    rng = np.random.default_rng(seed)
    active_first = np.arange(n) % 2 == 0
    outcome = rng.normal([0.8, 0.0], 1.0, (n, 2))
    if effect is not None:
        outcome[:, 0] += effect
    if design == "crossover":
        stratum = active_first.astype(np.int64)
    else:
        outcome[np.arange(n), active_first.astype(int)] = np.nan
        stratum = np.zeros(n, dtype=np.int64) if design == "parallel" else active_first.astype(int)
    one = np.zeros(n, dtype=np.int64)
    return TrialArrays(design, outcome, np.arange(n), stratum, stratum, one + 1, active_first, one)


@dataclass(frozen=True)
class BruteResult:
    """The result of a search, as far as inference uses it."""

    ids: np.ndarray
    n_literals: np.ndarray
    q: np.ndarray
    support: np.ndarray


def make_problem(design="crossover", n=24, features=4, seed=0, planted=0.0):
    """Return features with three levels and two cuts; ``planted`` is the effect of x0 <= 0."""
    rng = np.random.default_rng([seed, 1])
    value = rng.integers(0, 3, (n, features))
    holds, feature, text = [], [], []
    for f in range(features):
        for cut in (0, 1):
            for sign, inside in (("<=", value[:, f] <= cut), (">", value[:, f] > cut)):
                holds.append(inside)
                feature.append(f)
                text.append(f"x{f} {sign} {cut}")
    effect = planted * (value[:, 0] <= 0)
    feature = np.array(feature, dtype=np.int32)
    bounds = [(-np.inf, t[-1]) if "<" in t else (t[-1], np.inf) for t in text]
    low, high = np.array(bounds, dtype=np.float64).T
    names = tuple(f"x{f}" for f in range(features))
    literals = Literals(
        PackedRows.of(np.array(holds)), feature, np.zeros(features, dtype=np.int32)[feature],
        low, high, names, ("scale",), tuple(text), ("",) * len(text), ("",) * len(text),
    )  # fmt: skip
    return SearchProblem(literals, make_trial(design, n, seed, effect))


@dataclass(frozen=True)
class BruteSearch:
    """Try all conjunctions of up to two literals on distinct features."""

    keep: int = 20
    min_support: int = 4
    min_per_arm: int = 1
    objective: str = "heterogeneity"
    distinct: str = "covers"
    polarities: tuple[str, ...] = ("favourable", "unfavourable")

    def support_floor(self, n):
        return self.min_support

    def all_candidates(self, problem):
        feature = problem.literals.feature
        ids = [(a, -1, -1, -1) for a in range(len(feature))]
        pairs = combinations(range(len(feature)), 2)
        ids += [(a, b, -1, -1) for a, b in pairs if feature[a] != feature[b]]
        return np.array(ids, dtype=np.int32)

    def solve(self, problem, *, polarity, train=None, rows=None, keep=None):
        trial = problem.trial
        ids = self.all_candidates(problem)
        cover = problem.literals.conjunction(ids)
        if rows is not None:
            cover = cover[:, rows]
        train = np.ones(cover.shape[1], bool) if train is None else train
        score = trial.score if train.all() else trial.scores(train)
        cover = cover[:, train]
        sign = 1.0 if polarity == "favourable" else -1.0
        scores = centre(sign * score[train], self.objective)
        size = cover.sum(axis=1)
        q = np.where(cover, scores.centred, 0.0).sum(axis=1) / scores.denominator[size]
        admissible = size >= self.min_support
        if not trial.has_pairs:
            active = trial.arm[train] == 1
            admissible &= (cover & active).sum(axis=1) >= self.min_per_arm
            admissible &= (cover & ~active).sum(axis=1) >= self.min_per_arm
        order = np.lexsort((*ids.T[::-1], (ids >= 0).sum(axis=1), -q))
        best, keys = [], set()
        for k in order[admissible[order]]:
            if self.distinct == "covers":
                key = cover[k].tobytes()
            else:
                key = frozenset(problem.literals.feature[ids[k][ids[k] >= 0]].tolist())
            if key not in keys:
                keys.add(key)
                best.append(k)
        best = best[: self.keep if keep is None else keep]
        return BruteResult(ids[best], (ids[best] >= 0).sum(axis=1), q[best], size[best])


def solve_all(problem, search):
    """Return the result of the search for each polarity."""
    return {polarity: search.solve(problem, polarity=polarity) for polarity in search.polarities}


def persona_set(problem, search):
    """Return the personas of all polarities."""
    return PersonaSet.of(solve_all(problem, search))


def verdicts_of(problem, search, **options):
    """Return the verdicts of a search with 39 relabellings."""
    nulls = null_block(problem, search, (0, 38), seed=1)
    return build_verdicts(problem, search, solve_all(problem, search), nulls, **options)
