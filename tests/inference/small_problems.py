"""Small search problems made by hand, and a search that simply tries everything."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ketadask.cohort.designs import TrialArrays, trial_scores
from ketadask.kernels.blocks import PackedRows
from ketadask.kernels.q_statistic import centre
from ketadask.search.literals import Literals
from ketadask.search.problem import SearchProblem


def make_trial(design="crossover", n=24, seed=0, effect=None):
    """A trial of n units without any structure; ``effect`` (unit,) is added to the active arm."""
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
    same = np.zeros(n, dtype=np.int64)
    score = trial_scores(design, outcome, stratum=stratum, active_first=active_first, trial=same)
    return TrialArrays(
        design, outcome, np.arange(n), stratum, stratum, np.ones(n, dtype=np.int64), active_first,
        same, score,
    )  # fmt: skip


@dataclass(frozen=True)
class Few:
    """What a search found, as far as inference looks at it."""

    ids: np.ndarray
    n_literals: np.ndarray
    q: np.ndarray
    support: np.ndarray


def make_problem(design="crossover", n=24, features=4, seed=0, planted=0.0):
    """Features with three levels, two cuts, both directions; persona x0 <= 0 may be planted."""
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
        low, high, names, ("scale",), tuple(text), ("",) * len(text),
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
        good = size >= self.min_support
        if not trial.paired:
            active = trial.arm[train] == 1
            good &= (cover & active).sum(axis=1) >= self.min_per_arm
            good &= (cover & ~active).sum(axis=1) >= self.min_per_arm
        order = [k for k in np.lexsort((*ids.T[::-1], (ids >= 0).sum(axis=1), -q)) if good[k]]
        kept, known = [], set()
        for k in order:
            if self.distinct == "covers":
                key = cover[k].tobytes()
            else:
                key = frozenset(problem.literals.feature[ids[k][ids[k] >= 0]].tolist())
            if key not in known:
                known.add(key)
                kept.append(k)
        kept = kept[: self.keep if keep is None else keep]
        return Few(ids[kept], (ids[kept] >= 0).sum(axis=1), q[kept], size[kept])
