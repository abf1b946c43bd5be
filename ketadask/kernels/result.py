"""What a search found, and one result made of the parts of a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketadask.kernels.best_list import MAX, in_order
from ketadask.kernels.blocks import LiteralRows, OrderedCovers
from ketadask.kernels.branch import record
from ketadask.kernels.covers import cover_sum


@dataclass(frozen=True, eq=False)
class SearchResult:
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


def nothing() -> SearchResult:
    """Return the result of a search in which no persona is admissible."""
    none = np.zeros(0)
    return SearchResult(
        ids=np.zeros((0, MAX), dtype=np.int32),
        n_literals=none.astype(np.int8),
        q=none,
        support=none.astype(np.int32),
        upper=-math.inf,
        root=math.nan,
        nodes=0,
        screened=0,
        proven=True,
    )


def report(
    best: tuple, counts: np.ndarray, upper: float, root: float, proven: bool
) -> SearchResult:
    """Return the list of the best as a result."""
    q, sizes, ids, covers = in_order(best)
    return SearchResult(
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


def reoffer(
    start: np.ndarray, blocks: OrderedCovers, problem: tuple, limits: tuple, best: tuple
) -> None:
    """Put personas found before, (persona, 4) literal numbers, into a list of the best."""
    sums = problem[7]
    for row in start:
        ids = row[row >= 0].astype(np.int32)
        covers = np.empty((blocks.words, ids.size), dtype=np.uint64)
        blocks.load(ids, covers)
        cover = np.bitwise_and.reduce(covers, axis=1)
        total, support = cover_sum(cover, sums)
        padded = np.full(MAX, -1, dtype=np.int32)
        padded[: ids.size] = ids
        record(best, cover, total, support, padded, ids.size, problem, limits)


def merge(
    found: Sequence[SearchResult],
    rows: LiteralRows,
    feature: np.ndarray,
    *,
    units: np.ndarray | None = None,
    keep: int = 100,
    distinct: str = "covers",
) -> SearchResult:
    """Make one result of what parts of one search found; arguments as those parts were given.

    The K best of the whole are among the K best of the parts, because places are ranked
    completely: by Q, then number of literals, then literal numbers. Of personas with the same
    cover (or features) the first in that ranking stands for all, as in the search itself.
    """
    inside = np.zeros(-(-rows.units // 8) * 8, dtype=bool)
    inside[: rows.units][slice(None) if units is None else units] = True
    mask = np.packbits(inside, bitorder="little")
    candidates = {
        tuple(int(i) for i in ids if i >= 0): (float(q), int(support))
        for each in found
        for q, ids, support in zip(each.q, each.ids, each.support, strict=True)
    }
    seen: set[object] = set()
    kept: list[tuple[int, ...]] = []
    for ids in sorted(candidates, key=lambda ids: (-candidates[ids][0], len(ids), ids)):
        key: object = frozenset(feature[list(ids)].tolist())
        if distinct == "covers":
            cover = np.bitwise_and.reduce(rows.take(np.array(ids)), axis=0)
            key = (cover.astype("<u8").view(np.uint8)[: mask.size] & mask).tobytes()
        if key not in seen:
            seen.add(key)
            kept.append(ids)
        if len(kept) == keep:
            break
    padded = np.full((len(kept), MAX), -1, dtype=np.int32)
    for row, ids in zip(padded, kept, strict=True):
        row[: len(ids)] = ids
    return SearchResult(
        ids=padded,
        n_literals=np.array([len(ids) for ids in kept], dtype=np.int8),
        q=np.array([candidates[ids][0] for ids in kept]),
        support=np.array([candidates[ids][1] for ids in kept], dtype=np.int32),
        upper=max(each.upper for each in found),
        root=found[0].root,
        nodes=sum(each.nodes for each in found),
        screened=sum(each.screened for each in found),
        proven=all(each.proven for each in found),
    )
