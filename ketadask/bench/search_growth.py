"""Whole searches, timed: depth by depth, over relabelled trials, and as trials grow."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.bench.ceiling import COUNTS
from ketadask.bench.synthetic import FEATURES, UNITS, synthetic_problem
from ketadask.bench.timing import fastest_times, median_times
from ketadask.cohort.relabel import relabel
from ketadask.kernels.popcount import words_for
from ketadask.search.persona_search import PersonaSearch
from ketadask.store.environment import peak_memory

if TYPE_CHECKING:
    from ketadask.kernels.result import SearchResult
    from ketadask.search.problem import SearchProblem

RELABELLINGS = 20
AT_MOST = {(3, "all", 1): 0.15, (3, "train", 100): 0.05, (4, "all", 100): 1.0}
GROWING_FEATURES = (90, 180, 360, 720, 1440)
GROWING_UNITS = (63, 126, 252, 504, 1000)


def depths(
    *,
    units: int = UNITS,
    features: int = FEATURES,
    keep: int = 100,
    relabellings: int = RELABELLINGS,
    deepest: int = 4,
) -> dict[str, Any]:
    """Search relabelled trials at every depth, on all units and on the training set of a split.

    Returns
    -------
    ``literals``, ``rows`` (a dict per depth, side and number kept; seconds are medians
    over the relabelled trials, candidates are conjunctions on distinct features) and
    ``peak_memory`` of the whole process in MB.
    """
    problem = synthetic_problem(units, features)
    half = half_of_units(units)
    rows = []
    for depth in range(2, deepest + 1):
        for side, count in (("all", 1), ("all", keep), ("train", keep)):
            train = half if side == "train" else None
            row, results = _depth(problem, depth, train, count, relabellings)
            rows.append(
                {
                    "depth": depth,
                    "units": units if train is None else int(train.sum()),
                    "keep": count,
                    "candidates": problem.literals.candidates(depth),
                    **row,
                    "candidates_per_second": problem.literals.candidates(depth) / row["seconds"],
                    "screened": int(np.median([result.screened for result in results])),
                    "proven": all(result.proven for result in results),
                    "at_most": AT_MOST.get((depth, side, count)),
                }
            )
    return {"literals": len(problem.literals), "rows": rows, "peak_memory": peak_memory() / 1e6}


def half_of_units(units: int) -> np.ndarray:
    """Return the larger half of the units, drawn at random: bool (unit,)."""
    rng = np.random.default_rng(np.random.SeedSequence(7))
    return rng.permutation(units) < (units + 1) // 2


def _depth(
    problem: SearchProblem, depth: int, train: np.ndarray | None, keep: int, relabellings: int
) -> tuple[dict[str, float], list[SearchResult]]:
    search = PersonaSearch(max_literals=depth, keep=keep, polarity="favourable")
    results: list[SearchResult] = []

    def call(index: int) -> Callable[[], None]:
        rows, _ = relabel(problem.trial, seed=7, index=index)
        return lambda: results.append(search.solve(problem, train=train, rows=rows))

    call(0)()
    results.clear()
    return median_times([call(index) for index in range(relabellings)]), results


def large_cohorts(
    ceiling: float,
    *,
    units: tuple[int, ...] = (1000, 10_000),
    features: int = FEATURES,
    width: int = 1000,
    keep: int = 100,
    repeats: int = 5,
) -> list[dict[str, Any]]:
    """Search large cohorts, where bounds do not prune and the raw rate counts.

    Whole searches are timed, from truth values to the list of the best, and held against
    ``ceiling`` (words/s) by the words they count: nine per word of every candidate screened.
    """
    rows = []
    for count in units:
        problem = synthetic_problem(count, features)
        kinds = {
            "exhaustive": PersonaSearch(max_literals=2, keep=keep, polarity="favourable"),
            "beam": PersonaSearch(
                max_literals=3, keep=keep, polarity="favourable", strategy="beam", beam_width=width
            ),
        }
        for kind, search in kinds.items():
            best = search.solve(problem)
            seconds = fastest_times({kind: partial(search.solve, problem)}, repeats)[kind]
            words = COUNTS * words_for(count) * best.screened / seconds
            rows.append(
                {
                    "units": count,
                    "search": kind,
                    "depth": search.max_literals,
                    "cpu_seconds": seconds,
                    "screened": best.screened,
                    "candidates_per_second": best.screened / seconds,
                    "words": words,
                    "ratio": words / ceiling,
                    "proven": best.proven,
                }
            )
    return rows


def growth(
    *,
    features: tuple[int, ...] = GROWING_FEATURES,
    units: tuple[int, ...] = GROWING_UNITS,
    depth: int = 3,
    relabellings: int = 5,
    max_seconds: float = 30.0,
) -> list[dict[str, Any]]:
    """Time the search of the best persona for more and more features, then units.

    Each size is searched in ``relabellings`` relabelled trials, or fewer after ``max_seconds``.
    """
    sizes = [(UNITS, count) for count in features] + [(count, FEATURES) for count in units]
    search = PersonaSearch(max_literals=depth, keep=1, polarity="favourable")
    search.solve(synthetic_problem(20, 10))
    search.solve(synthetic_problem(130, 10))
    rows = []
    for unit_count, feature_count in dict.fromkeys(sizes):
        problem = synthetic_problem(unit_count, feature_count)
        results: list[SearchResult] = []
        cpu_seconds: list[float] = []
        while len(cpu_seconds) < relabellings and sum(cpu_seconds) < max_seconds:
            order, _ = relabel(problem.trial, seed=7, index=len(cpu_seconds))
            start = time.process_time()
            results.append(search.solve(problem, rows=order))
            cpu_seconds.append(time.process_time() - start)
        candidates = problem.literals.candidates(depth)
        seconds = float(np.median(cpu_seconds))
        rows.append(
            {
                "units": unit_count,
                "features": feature_count,
                "literals": len(problem.literals),
                "candidates": candidates,
                "relabellings": len(cpu_seconds),
                "cpu_seconds": seconds,
                "candidates_per_second": candidates / seconds,
                "screened": int(np.median([result.screened for result in results])),
                "proven": all(result.proven for result in results),
            }
        )
    return rows
