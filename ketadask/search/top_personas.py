"""The search on bare arrays, without a study."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError, nearest
from ketadask.search.array_search import require_numbers, search_values
from ketadask.search.literals import personas_table
from ketadask.search.settings import PersonaSettings

if TYPE_CHECKING:
    import pandas as pd


def top_personas(
    X: np.ndarray | pd.DataFrame,
    score: np.ndarray | pd.Series,
    *,
    modalities: Sequence[str] | None = None,
    polarity: str = nm.FAVOURABLE,
    equivalents: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Find the K best personas of a table of features and one score per row, exactly.

    Parameters
    ----------
    X
        (unit, feature) numbers, NaN where missing; column names are used where there are any.
    score
        (unit,) whose mean over a set of units estimates the benefit in that set.
    modalities
        Modality of each feature, for ``min_modalities``, ``include``, ``exclude`` and ``priority``.
    equivalents
        Whether to count the other conjunctions with the same cover; for small tables this takes
        longer than the search.
    options
        Other options of `PersonaSearch`.

    Returns
    -------
    A row per persona, best first: rank, persona (text), features, cuts (pairs low, high), q,
    support, mean score inside and outside, number of literals, aliases, and equivalents where
    counted. ``attrs`` holds saturation, candidates, nodes, screened, proven, gap, upper, strategy,
    plan (how it was searched) and seconds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> score = 2.0 * ((X[:, 1] > 0) & (X[:, 3] <= 0)) + rng.normal(size=60)
    >>> best = top_personas(X, score, max_literals=2, keep=1)
    >>> best.features[0], best.attrs["proven"]
    (('x1', 'x3'), True)
    """
    values, names, score = _arrays(X, score)
    if polarity not in nm.POLARITIES:
        raise InputError(
            "unknown polarity", value=polarity, remedy=nearest(polarity, nm.POLARITIES)
        )
    settings = PersonaSettings(**options)
    settings.check()
    start = time.perf_counter()
    literals, results = search_values(
        values, score, settings, names=names, modalities=modalities, polarities=(polarity,)
    )
    result = results[polarity]
    seconds = time.perf_counter() - start
    max_literals = settings.max_literals
    table = personas_table(result, literals, score, max_literals if equivalents else 0)
    table.attrs = {
        "saturation": result.saturation,
        "candidates": literals.candidates(max_literals, settings.min_literals),
        "nodes": result.nodes,
        "screened": result.screened,
        "proven": result.proven,
        "gap": result.gap,
        "upper": result.upper,
        "strategy": settings.strategy,
        "plan": result.plan,
        "seconds": seconds,
    }
    return table


def _arrays(X: Any, score: Any) -> tuple[np.ndarray, list[str] | None, np.ndarray]:
    """Return values, column names and scores as arrays; raise if they are invalid."""
    require_numbers(X)
    names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
    try:
        values = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            "features must be numbers", where="X", value=str(error),
            remedy="encode categories as numbers, or drop the column",
        ) from error  # fmt: skip
    if values.ndim != 2:
        raise InputError("features must have two dimensions", where="X", value=values.shape)
    scores = np.asarray(score, dtype=np.float64)
    if scores.shape != (len(values),):
        raise InputError(
            "needs one score per row of X", where="score", value=scores.shape,
            remedy=f"give {len(values)} scores",
        )  # fmt: skip
    return values, names, scores
