"""The result of a search, and the merged result of its parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketadask.kernels.best_list import in_order
from ketadask.kernels.blocks import LiteralRows, OrderedCovers
from ketadask.kernels.branch import record
from ketadask.kernels.state import MAX, NODES, SCREENED, SearchState


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Result of one search.

    Attributes
    ----------
    ids
        int32 (persona, 4): literal indices, ascending, padded with -1; best persona first.
    n_literals, q, support
        (persona,): number of literals, Q, units inside.
    upper
        Upper bound on Q of every persona.
    root
        Upper bound on Q of any set of units of an admissible size.
    nodes, screened
        Prefixes expanded, and conjunctions screened by the inner loop.
    proven
        Whether the result is proven to be the K best.
    plan
        How it was searched, see `exact.PLANS`.
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
    plan: str = "branch"

    @property
    def saturation(self) -> float:
        """Best Q over its upper bound for any set of units; near 1, noise reaches it as well."""
        return float(self.q[0] / self.root) if self.q.size and self.root > 0 else float("nan")

    @property
    def gap(self) -> float:
        """Upper bound on Q minus best Q; 0 if the result is proven."""
        if self.proven:
            return 0.0
        best = float(self.q[0]) if self.q.size else -math.inf
        return max(0.0, self.upper - best)

    def __repr__(self) -> str:
        """Return number of personas, best Q and whether it is proven."""
        if not self.q.size:
            return "<SearchResult: no persona>"
        word = "proven" if self.proven else f"not proven, gap {self.gap:.2f}"
        best = f"best Q {self.q[0]:.2f} of at most {self.root:.2f}"
        return f"<SearchResult: {self.q.size} personas, {best}, {word}>"


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


def build_result(
    state: SearchState, upper: float, root: float, proven: bool, plan: str
) -> SearchResult:
    """Return the list of the best as a result."""
    q, sizes, ids, covers = in_order(state.best)
    return SearchResult(
        ids=ids,
        n_literals=sizes.astype(np.int8),
        q=q,
        support=np.bitwise_count(covers).sum(axis=1).astype(np.int32),
        upper=max(upper, float(q[0]) if q.size else -math.inf),
        root=root,
        nodes=int(state.counts[NODES]),
        screened=int(state.counts[SCREENED]),
        proven=proven,
        plan=plan,
    )


def record_start(start: np.ndarray, blocks: OrderedCovers, state: SearchState) -> None:
    """Offer personas of an earlier part, (persona, 4) literal indices, to the list of the best."""
    for row in start:
        ids = row[row >= 0].astype(np.int32)
        covers = np.empty((blocks.words, ids.size), dtype=np.uint64)
        blocks.load(ids, covers)
        cover = np.bitwise_and.reduce(covers, axis=1)
        four_ids = np.full(MAX, -1, dtype=np.int32)
        four_ids[: ids.size] = ids
        record(state, cover, four_ids, ids.size)


def merge(
    results: Sequence[SearchResult],
    rows: LiteralRows,
    feature: np.ndarray,
    *,
    units: np.ndarray | None = None,
    keep: int = 100,
    distinct: str = "covers",
) -> SearchResult:
    """Return one result of the parts of a search; other arguments as the parts were given.

    The K best of the whole are among the K best of the parts, because personas are ranked
    completely: by Q, then number of literals, then literal indices. Of personas with the same
    cover (or features) the first in that ranking is kept, as in the search itself.
    """
    inside = np.zeros(-(-rows.units // 8) * 8, dtype=bool)
    inside[: rows.units][slice(None) if units is None else units] = True
    mask = np.packbits(inside, bitorder="little")
    candidates = {
        tuple(int(i) for i in ids if i >= 0): (float(q), int(support))
        for result in results
        for q, ids, support in zip(result.q, result.ids, result.support, strict=True)
    }
    best: dict[object, tuple[int, ...]] = {}
    for ids in sorted(candidates, key=lambda ids: (-candidates[ids][0], len(ids), ids)):
        key: object = frozenset(feature[list(ids)].tolist())
        if distinct == "covers":
            cover = np.bitwise_and.reduce(rows.take(np.array(ids)), axis=0)
            key = (cover.astype("<u8").view(np.uint8)[: mask.size] & mask).tobytes()
        best.setdefault(key, ids)
        if len(best) == keep:
            break
    personas = list(best.values())
    return SearchResult(
        ids=np.array([ids + (-1,) * (MAX - len(ids)) for ids in personas], np.int32).reshape(
            -1, MAX
        ),
        n_literals=np.array([len(ids) for ids in personas], dtype=np.int8),
        q=np.array([candidates[ids][0] for ids in personas]),
        support=np.array([candidates[ids][1] for ids in personas], dtype=np.int32),
        upper=max(result.upper for result in results),
        root=results[0].root,
        nodes=sum(result.nodes for result in results),
        screened=sum(result.screened for result in results),
        proven=all(result.proven for result in results),
        plan=results[0].plan,
    )
