"""Labels exchanged between participants, and everything repeated: the null of the performance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from ketadask import names as nm
from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.nested import NestedCV
from ketadask.predict.performance import within_sites
from ketadask.predict.results import STATISTICS, cv_statistics

if TYPE_CHECKING:
    import pandas as pd

FIXED_PERMUTATIONS = 9_999


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
    label = cases.label.copy()
    for rows in exchange_groups(cases.participant, cases.site):
        label[rows] = cases.label[rows[rng.permutation(len(rows))]]
    return cases.with_labels(label)


def exchange_groups(participant: np.ndarray, *stratum: np.ndarray) -> list[np.ndarray]:
    """Return the rows (participant, case) of those who may exchange all their cases at once.

    They are of one stratum, such as a site, by their first case, and have as many cases.

    Examples
    --------
    >>> [rows.tolist() for rows in exchange_groups(np.array(["a", "b", "b", "c"]), np.ones(4))]
    [[[0], [3]], [[1, 2]]]
    """
    people, of_case = np.unique(participant, return_inverse=True)
    groups: dict[tuple[str, ...], list[np.ndarray]] = {}
    for k in range(len(people)):
        rows = np.flatnonzero(of_case == k)
        key = (*(str(values[rows[0]]) for values in stratum), f"{len(rows):06d}")
        groups.setdefault(key, []).append(rows)
    return [np.stack(groups[key]) for key in sorted(groups)]


def fixed_model_p(
    table: pd.DataFrame, *, seed: int = 0, permutations: int = FIXED_PERMUTATIONS
) -> dict[str, float]:
    """Return p_auc and p_bac of predictions by models that never saw these labels.

    The predictions stay; labels are exchanged between participants of a site, and AUC and balanced
    accuracy within sites are computed again: p = (b + 1) / (m + 1). This is exact for a locked
    model in a new cohort, whatever the model has learnt.

    Parameters
    ----------
    table
        A row per case: participant, site, label, predicted, decision.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"participant": list("abcdefgh"), "site": "1", "label": [0, 1] * 4})
    >>> table = table.assign(predicted=table["label"], decision=table["label"] * 1.0)
    >>> fixed_model_p(table)["p_auc"] < 0.05
    True
    """
    label, site = table["label"].to_numpy(), table["site"].to_numpy().astype(str)
    address = np.random.SeedSequence(seed, spawn_key=(nm.STREAM_PERMUTATION, 0))
    rng = np.random.default_rng(address)
    groups = exchange_groups(table[nm.PARTICIPANT].to_numpy(), site)
    labels = np.tile(label, (permutations + 1, 1))
    for rows in groups:
        order = rng.permuted(np.tile(np.arange(len(rows)), (permutations, 1)), axis=1)
        labels[1:, rows] = label[rows[order]]
    areas, accuracies = np.zeros(len(labels)), np.zeros(len(labels))
    for rows, weight in zip(*within_sites(label, site), strict=True):
        ranks = rankdata(table["decision"].to_numpy()[rows])
        predicted, own = table["predicted"].to_numpy()[rows], labels[:, rows]
        m, n = label[rows].sum(), (1 - label[rows]).sum()
        if not m or not n:
            return {"p_auc": 1.0, "p_bac": 1.0}
        areas += weight * (own @ ranks - m * (m + 1) / 2) / (m * n)
        hits = own @ predicted
        accuracies += weight * (hits / m + (n - (predicted.sum() - hits)) / n) / 2
    return {
        name: float((values >= values[0] - 1e-12).sum() / len(values))
        for name, values in (("p_auc", areas), ("p_bac", accuracies))
    }


def permutation_rows(
    cases: ClassifierData, nested_cv: NestedCV, first: int, last: int
) -> pd.DataFrame:
    """Return the statistics of permutations ``first`` to ``last``, both included."""
    import pandas as pd

    from ketadask.store.environment import one_thread

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
