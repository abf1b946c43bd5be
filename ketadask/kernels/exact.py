"""The K best personas of a matrix of literals and one score per unit, with proof."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from ketadask.kernels.beam import beam
from ketadask.kernels.branch import branch, price_cuts
from ketadask.kernels.covers import single_bounds, sum_table
from ketadask.kernels.keep import MAX, in_order, new_list, threshold
from ketadask.kernels.popcount import bit_planes, pack, pack_in_order, unpack
from ketadask.kernels.scoring import HETEROGENEITY, Scores, centre
from ketadask.kernels.screens import LANES

STRATEGIES = ("exact", "beam")
DISTINCT = ("covers", "features")
_LEVELS = 255
_FINE = 65535
_PRICES = 8
_TICK = 0.05


@dataclass(frozen=True, eq=False)
class Found:
    """Result of one search.

    Attributes
    ----------
    ids
        int32 (persona, 4): literal numbers, ascending, padded with -1; best persona first.
    n_literals, q, support
        (persona,): number of literals, Q, units held.
    upper
        No persona whatsoever has a larger Q than this.
    root
        The largest Q any set of units of an admitted size could have.
    nodes, screened
        Prefixes expanded, and conjunctions screened by the inner loop.
    proven
        Whether the result is proven to be the K best.
    """

    ids: np.ndarray
    n_literals: np.ndarray
    q: np.ndarray
    support: np.ndarray
    upper: float
    root: float
    nodes: int
    screened: int
    proven: bool

    @property
    def saturation(self) -> float:
        """Best Q over the largest any set could reach; near 1 any data would do so."""
        return float(self.q[0] / self.root) if self.q.size and self.root > 0 else float("nan")

    @property
    def gap(self) -> float:
        """Best still possible minus best found; 0 where the result is proven."""
        if self.proven:
            return 0.0
        found = float(self.q[0]) if self.q.size else -math.inf
        return max(0.0, self.upper - found)

    def __repr__(self) -> str:
        """Say how many, how good, and whether that is proven."""
        if not self.q.size:
            return "<Found: no persona>"
        word = "proven" if self.proven else f"not proven, gap {self.gap:.2f}"
        best = f"best Q {self.q[0]:.2f} of at most {self.root:.2f}"
        return f"<Found: {self.q.size} personas, {best}, {word}>"


def search(
    holds: np.ndarray,
    score: np.ndarray,
    feature: np.ndarray,
    *,
    family: np.ndarray | None = None,
    arm: np.ndarray | None = None,
    max_literals: int = 3,
    min_support: int = 8,
    min_arm: int = 0,
    min_families: int = 1,
    keep: int = 100,
    objective: str = HETEROGENEITY,
    distinct: str = "covers",
    strategy: str = "exact",
    width: int | None = None,
    nodes: int | None = None,
    seconds: float | None = None,
) -> Found:
    """Find the K best conjunctions of 1..L literals on distinct features.

    Parameters
    ----------
    holds
        bool (literal, unit), literals in canonical order; false where a value is missing.
    score
        float64 (unit,).
    feature, family
        int (literal,): what each literal constrains, and the family of that feature.
    arm
        int (unit,) 1 active, 0 control; needed only with ``min_arm``.
    width
        Personas kept per size by the beam; the larger of ``keep`` and 64 by default.
    nodes, seconds
        Budget of an exact search. Where it ends the search, ``proven`` is false and ``gap`` says
        how much better the best persona could still be.

    Examples
    --------
    >>> holds = np.array([[1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 0]], dtype=bool)
    >>> best = search(holds, np.array([0., 5, 4, 1, 0, 2]), np.array([0, 1]), min_support=2)
    >>> best.ids[0], best.support[0]
    (array([ 0,  1, -1, -1], dtype=int32), np.int32(2))
    """
    _refuse(holds, score, feature, max_literals, min_support, keep, distinct, strategy)
    scores = centre(score, objective)
    units = holds.shape[1]
    by_score = np.argsort(-scores.centred, kind="stable")
    centred = scores.centred[by_score]
    with np.errstate(divide="ignore"):
        inverse = 1.0 / scores.denominator
    root = _root_bound(centred, scores.denominator, min_support)
    words = pack_in_order(holds, by_score)
    arms = np.zeros((2, words.shape[0]), dtype=np.uint64)
    if arm is not None and min_arm > 0:
        arms = pack(np.stack([arm[by_score] == 1, arm[by_score] == 0])).T.copy()
    family = np.zeros(len(holds), dtype=np.int32) if family is None else family
    bounds, useful = single_bounds(words, centred, inverse, min_support)
    # Weakest literals first: their long lists of partners are cut short, and the strong ones, whose
    # lists are not, come when few partners are left. Under a budget the best come first.
    direction = 1 if nodes is None and seconds is None else -1
    order = np.argsort(direction * bounds, kind="stable").astype(np.int32)
    order = order[useful[order]]
    spare = np.zeros((words.shape[0], LANES), dtype=np.uint64)
    words, bounds = np.hstack([words[:, order], spare]), bounds[order]
    problem = (
        feature.astype(np.int32),
        family.astype(np.int32),
        arms[0],
        arms[1],
        centred,
        inverse,
        scores.denominator,
        sum_table(centred, words.shape[0]),
    )
    screen = _score_screen(scores, centred)
    limits = (
        int(max_literals),
        int(min_support),
        int(min_arm if arm is not None else 0),
        int(min_families),
        int(distinct == "features"),
        int(units),
    )
    best, counts = new_list(keep, words.shape[0]), np.zeros(2, dtype=np.int64)
    beam_width = int(width or max(keep, 64))
    beam(
        words, order, problem, screen, limits, best,
        new_list(beam_width, words.shape[0]), new_list(beam_width, words.shape[0]), counts,
    )  # fmt: skip
    stopped = 0
    if strategy == "exact":
        stopped = _branch(
            words, order, bounds, problem, screen, limits, best, counts, nodes, seconds
        )
    proven = stopped >= len(order) or max_literals == 1
    upper = -math.inf if proven else float(bounds[stopped:].max())
    return _result(best, counts, upper, root, proven)


def _branch(
    words: np.ndarray,
    order: np.ndarray,
    bounds: np.ndarray,
    problem: tuple,
    screen: tuple,
    limits: tuple,
    best: tuple,
    counts: np.ndarray,
    nodes: int | None,
    seconds: float | None,
) -> int:
    """Run branch and bound over all roots, in slices of roots where a clock has to be watched."""
    rows = len(order)
    if limits[0] == 1 or rows == 0:
        return rows
    prices = _price_screen(words, rows, problem, limits, float(threshold(best)))
    most = np.iinfo(np.int64).max if nodes is None else int(nodes)
    end = math.inf if seconds is None else time.monotonic() + seconds
    first, length = 0, rows if seconds is None else 1
    while first < rows and time.monotonic() < end:
        last, started = min(rows, first + length), time.monotonic()
        stopped = branch(
            words, order, bounds, (first, last), problem, screen, prices, limits, best, most, counts
        )
        if stopped < last:
            return stopped
        first = last
        length = length * 2 if time.monotonic() - started < _TICK else max(1, length // 2)
    return first


def _score_screen(scores: Scores, centred: np.ndarray) -> tuple:
    """Quantise the scores to eight planes; ``base`` lifts each by the worst rounding error.

    Where covers have many words, a finer quantisation decides about those that pass.
    """
    low, high = float(centred[-1]), float(centred[0])
    step = (high - low) / _LEVELS
    planes = bit_planes(np.rint((centred - low) / step).clip(0, _LEVELS))
    numbers = (
        low / step + 0.5 + 1e-9,
        scores.sigma**2 / centred.size / step**2,
        scores.slope,
        float(centred.size),
    )
    fine_step = (high - low) / _FINE
    weights = np.rint((centred - low) / fine_step).clip(0, _FINE)
    fine = bit_planes(weights, 16), fine_step, low + fine_step * (0.5 + 1e-6)
    return planes, numbers, fine


def _price_screen(words: np.ndarray, rows: int, problem: tuple, limits: tuple, q: float) -> tuple:
    """Choose the price that prunes most of a fixed selection of pairs; round weights up.

    Two literals need no price: all pairs are screened by score.
    """
    centred, denominator = problem[4], problem[6]
    units, min_support = limits[5], limits[1]
    if limits[0] == 2:
        return bit_planes(np.zeros(units)), 1.0, 0.0
    pairs = max(64, min(2048, 400_000 // units))
    steps = np.arange(pairs)
    left = steps * 7919 % rows
    right = (left + 1 + steps * 104729) % rows
    inside = unpack(words[:, left] & words[:, right], units)
    parents = unpack(words[:, left], units).sum(axis=1)
    best_price, best_pruned = 0.0, -1
    for price in np.unique(np.quantile(centred, np.linspace(0.3, 0.9, _PRICES)).clip(min=0.0)):
        cuts = np.empty(units + 1)
        price_cuts(q, price, denominator, min_support, cuts)
        pruned = int((inside @ (centred - price).clip(min=0.0) < cuts[parents]).sum())
        if pruned > best_pruned:
            best_price, best_pruned = float(price), pruned
    gains = (centred - best_price).clip(min=0.0)
    step = max(float(gains[0]), 1e-300) / _LEVELS
    return bit_planes(np.ceil(gains / step).clip(0, _LEVELS)), step * (1 + 1e-9), best_price


def _root_bound(centred: np.ndarray, denominator: np.ndarray, min_support: int) -> float:
    """Largest Q of any set of at least ``min_support`` and fewer than all units."""
    q = np.cumsum(centred) / denominator[1:]
    admitted = q[max(1, min_support) - 1 : -1]
    return float(admitted.max()) if admitted.size else float("nan")


def _result(best: tuple, counts: np.ndarray, upper: float, root: float, proven: bool) -> Found:
    q, sizes, ids, covers = in_order(best)
    return Found(
        ids=ids,
        n_literals=sizes.astype(np.int8),
        q=q,
        support=np.bitwise_count(covers).sum(axis=1).astype(np.int32),
        upper=max(upper, float(q[0]) if q.size else -math.inf),
        root=root,
        nodes=int(counts[0]),
        screened=int(counts[1]),
        proven=proven,
    )


def _refuse(
    holds: np.ndarray,
    score: np.ndarray,
    feature: np.ndarray,
    max_literals: int,
    min_support: int,
    keep: int,
    distinct: str,
    strategy: str,
) -> None:
    if holds.ndim != 2 or holds.dtype != bool:
        raise ValueError(
            f"literals must be bool (literal, unit), found {holds.dtype} {holds.shape}"
        )
    if holds.shape[1] != np.size(score):
        raise ValueError(f"{holds.shape[1]} units in the literals but {np.size(score)} scores")
    if len(feature) != len(holds):
        raise ValueError(f"{len(holds)} literals but {len(feature)} feature numbers")
    if not 1 <= max_literals <= MAX:
        raise ValueError(f"max_literals must be 1 to {MAX}, found {max_literals}")
    if min_support < 1:
        raise ValueError(f"min_support must be at least 1, found {min_support}")
    if keep < 1:
        raise ValueError(f"keep must be at least 1, found {keep}")
    if distinct not in DISTINCT:
        raise ValueError(f"distinct must be one of {DISTINCT}, found {distinct!r}")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {STRATEGIES}, found {strategy!r}")
