"""Reference implementation of the search: every conjunction, one after the other."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ketadask.kernels.q_statistic import centre


def brute_force(
    holds: np.ndarray,
    score: np.ndarray,
    feature: np.ndarray,
    *,
    max_literals: int,
    min_support: int,
    keep: int,
    objective: str,
    by_features: bool = False,
    arm: np.ndarray | None = None,
    min_per_arm: int = 0,
    modality: np.ndarray | None = None,
    min_modalities: int = 1,
) -> list[tuple[float, tuple[int, ...]]]:
    """Return [(q, ids)] of the K best personas, best first; arguments as `search_literals`."""
    scores, best = centre(score, objective), dict[object, tuple[float, int, tuple[int, ...]]]()
    for size in range(1, max_literals + 1):
        for ids in combinations(range(len(holds)), size):
            cover, features = holds[list(ids)].all(axis=0), frozenset(feature[list(ids)])
            per_arm = [] if arm is None else [(cover & (arm == a)).sum() for a in (0, 1)]
            modalities = 1 if modality is None else len(set(modality[list(ids)]))
            if (
                min_support <= cover.sum() < cover.size
                and len(features) == size
                and min(per_arm, default=min_per_arm) >= min_per_arm
                and modalities >= min_modalities
            ):
                q = scores.centred[cover].sum() / scores.denominator[cover.sum()]
                key = features if by_features else cover.tobytes()
                best[key] = min(best.get(key, (np.inf, 0, ())), (-q, size, ids))
    return [(-q, ids) for q, _, ids in sorted(best.values())[:keep]]
