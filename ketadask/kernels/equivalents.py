"""How many conjunctions describe the same cover."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel
from ketadask.kernels.popcount import pack


def count_equivalents(
    holds: np.ndarray, feature: np.ndarray, cover: np.ndarray, max_literals: int
) -> int:
    """Count the conjunctions of up to ``max_literals`` literals that hold exactly ``cover``.

    Parameters
    ----------
    holds
        bool (literal, unit).
    feature
        int (literal,): literals of one conjunction constrain distinct features.
    cover
        bool (unit,).

    Examples
    --------
    >>> holds = np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]], dtype=bool)
    >>> count_equivalents(holds, np.arange(3), np.array([True, False, False]), 2)
    4
    """
    around = holds[:, cover].all(axis=1)
    words = np.ascontiguousarray(pack(holds[around]).T)
    return int(
        _count(words, feature[around].astype(np.int64), pack(cover[None]).T[0], max_literals)
    )


@kernel()
def _count(words: np.ndarray, feature: np.ndarray, target: np.ndarray, depth: int) -> int:
    rows, width = words.shape
    prefix = np.zeros((depth, width), dtype=np.uint64)
    cursor = np.zeros(depth, dtype=np.int64)
    constrained_feature = np.zeros(depth, dtype=np.int64)
    count, level = 0, 0
    while level >= 0:
        t = cursor[level]
        cursor[level] += 1
        if t >= rows:
            level -= 1
            continue
        is_new = True
        for other in range(level):
            is_new = is_new and constrained_feature[other] != feature[t]
        if not is_new:
            continue
        same = True
        for w in range(width):
            word = words[t, w] if level == 0 else prefix[level - 1, w] & words[t, w]
            prefix[level, w] = word
            same = same and word == target[w]
        count += same
        if level + 1 < depth:
            constrained_feature[level] = feature[t]
            cursor[level + 1] = t + 1
            level += 1
    return count
