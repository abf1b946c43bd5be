"""Random trials with everything that makes searches go wrong, and searches of them in parts."""

import numpy as np

from ketadask.kernels.exact import search_packed
from ketadask.kernels.result import merge
from ketadask.kernels.settings import LiteralSettings, SearchSettings
from ketadask.search.encoding import encode_values


def random_trial(seed, units, kinds, features, *, cuts=5, max_literals=3):
    """A trial with ties, gaps, doubled features and intervals, options, and a number of parts.

    ``kinds`` of features: c continuous, o ordinal, b binary, d double, m with gaps, g both.
    """
    rng = np.random.default_rng(seed)
    columns = []
    for kind in rng.choice(list(kinds), features):
        column = rng.normal(size=units)
        if kind in "obg":
            column = rng.integers(0, 2 if kind == "b" else 6, units).astype(float)
        if kind == "d" and columns:
            column = columns[-1].copy()
        if kind in "mg":
            column[rng.random(units) < 0.2] = np.nan
        columns.append(column)
    literals = encode_values(
        np.column_stack(columns),
        LiteralSettings(cuts=int(rng.integers(1, cuts + 1)), intervals=bool(rng.random() < 0.3)),
        modalities=[f"m{i}" for i in rng.integers(0, 3, len(columns))],
    )
    score = rng.normal(size=units) + 1.5 * rng.integers(0, 2) * (np.nan_to_num(columns[0]) > 0)
    score = (score, np.round(score), np.round(3 * score), np.exp(2 * score))[rng.integers(0, 4)]
    settings = SearchSettings(
        max_literals=max_literals if len(literals) < 50 and rng.random() < 0.5 else 3,
        keep=int(rng.choice([1, 3, 20, 100])),
        objective=str(rng.choice(["heterogeneity", "effect"])),
        min_support=int(rng.integers(1, units // 2)),
        min_per_arm=int(rng.integers(1, 4)),
        min_modalities=int(rng.choice([1, 1, 2])),
        distinct=str(rng.choice(["covers", "covers", "features"])),
    )
    arm = rng.integers(0, 2, units) if rng.random() < 0.4 else None
    return literals, score, settings, arm, int(rng.choice([1, 1, 3]))


def search_in_parts(plan, literals, score, settings, arm, parts):
    """The list of the best of a search in parts, as arrays by name, and its plans."""
    results = [
        search_packed(
            literals.rows, score, literals.feature, settings,
            modality=literals.modality, arm=arm, part=(i, parts), plan=plan,
        )
        for i in range(parts)
    ]  # fmt: skip
    whole = merge(
        results, literals.rows, literals.feature, keep=settings.keep, distinct=settings.distinct
    )
    names = ("q", "ids", "support", "proven", "root")
    return {name: getattr(whole, name) for name in names}, {result.plan for result in results}


def searches_by(plan, trials):
    """Compare a plan with the general branch and bound; return how many searches it did."""
    n_searches = 0
    for trial in trials:
        if np.ptp(trial[1]) == 0.0:
            continue
        special, plans = search_in_parts(plan, *trial)
        general, _ = search_in_parts("branch", *trial)
        n_searches += plans == {plan}
        for name, values in special.items():
            assert np.array_equal(values, general[name], equal_nan=name == "root"), name
    return n_searches
