"""Labels exchanged between participants, and everything repeated: the null of the performance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.nested import NestedCV
from ketadask.predict.results import STATISTICS, cv_statistics

if TYPE_CHECKING:
    import pandas as pd


def permute_labels(cases: ClassifierData, index: int, *, seed: int) -> ClassifierData:
    """Return the cases with labels exchanged between participants of a site.

    Permutation 0 is the cohort itself; permutation i draws from
    SeedSequence(seed, spawn_key=(stream, i)). Participants exchange all their cases at once, with
    others who have as many.

    Examples
    --------
    >>> from ketadask.predict.classifier_data import build_classifier_data
    >>> label, site = np.array([0, 0, 1, 1]), ["a", "a", "b", "b"]
    >>> cases = build_classifier_data(np.zeros((4, 1)), label, site=site)
    >>> permute_labels(cases, 5, seed=1).label.tolist()
    [0, 0, 1, 1]
    """
    if index == 0:
        return cases
    address = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_PERMUTATION, index))
    rng = np.random.default_rng(address)
    people, of_case = np.unique(cases.participant, return_inverse=True)
    rows = [np.flatnonzero(of_case == k) for k in range(len(people))]
    groups: dict[tuple[str, int], list[int]] = {}
    for k, row in enumerate(rows):
        groups.setdefault((str(cases.site[row[0]]), len(row)), []).append(k)
    label = cases.label.copy()
    for key in sorted(groups):
        members = groups[key]
        for target, source in zip(members, rng.permutation(members), strict=True):
            label[rows[target]] = cases.label[rows[source]]
    return cases.with_labels(label)


def permutation_rows(
    cases: ClassifierData, nested_cv: NestedCV, first: int, last: int
) -> pd.DataFrame:
    """Return the statistics of permutations ``first`` to ``last``, both included."""
    import pandas as pd

    from ketadask.predict.solvers import one_thread

    rows = []
    with one_thread():
        for index in range(first, last + 1):
            permutation = permute_labels(cases, index, seed=nested_cv.cv.seed)
            rows.append({"permutation": index, **cv_statistics(permutation, nested_cv)})
    return pd.DataFrame(rows)


def permutation_p(table: pd.DataFrame) -> dict[str, float]:
    """Return p of every statistic, (b + 1) / (m + 1) with b permutations at least as good.

    Phipson & Smyth 2010, 10.2202/1544-6115.1585. p is 1 where the cohort itself has no such
    statistic; a permutation without one counts as at least as good.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"permutation": range(4), "auc": [0.7, 0.5, 0.7, 0.4]})
    >>> permutation_p(table.assign(bac=0.5, bac_folds=0.5, bac_pooled=0.5))["auc"]
    0.5
    """
    own = table["permutation"].to_numpy() == 0
    p = {}
    for name in STATISTICS:
        values = table[name].to_numpy()
        as_good = ~(values[~own] < values[own][0] - 1e-12)
        p[name] = float((as_good.sum() + 1) / (len(as_good) + 1))
    return p
