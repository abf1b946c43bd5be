"""Results of all outer folds: every case once, performance with intervals, weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.kernels.resampling import nadeau_bengio
from ketadask.kernels.roc import auc
from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.nested import NestedCV, majority_vote
from ketadask.predict.performance import performance, point_estimates, pooled_accuracy
from ketadask.predict.weights import weight_table

if TYPE_CHECKING:
    import pandas as pd

STATISTICS = ("bac", "bac_folds", "bac_pooled", "auc")
_CURVE_MEASURES = ("auc", "auc_low", "auc_high", "bac", "bac_low", "bac_high")
CURVE_COLUMNS = ["fraction", "training_cases", *_CURVE_MEASURES]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Out-of-fold predictions of a cohort.

    Parameters
    ----------
    cases
        A row per case: participant, site, label, votes, decision, probability, predicted, each
        the mean over repeats; the majority decides.
    measures
        `performance` of ``cases``, and bac_folds, auc_folds: means over outer folds.
    weights
        A row per region, the most consistent first; empty for models without weights.
    choices
        Hyperparameters that the inner folds of each outer fold chose.
    folds
        A row per outer fold: its own balanced accuracy and AUC.
    """

    cases: pd.DataFrame
    measures: dict[str, float]
    weights: pd.DataFrame
    choices: pd.DataFrame
    folds: pd.DataFrame


def nested_cross_validate(cases: ClassifierData, nested_cv: NestedCV) -> Prediction:
    """Run every outer fold in this process and summarise them.

    Examples
    --------
    >>> from ketadask.predict.classifier_data import build_classifier_data
    >>> from ketadask.predict.folds import NestedFolds
    >>> rng = np.random.default_rng(0)
    >>> label = np.arange(40) % 2
    >>> volume = rng.normal(size=(40, 6)) + 2 * label[:, None]
    >>> folds = NestedFolds(repeats=1, folds=4, inner_repeats=1, inner_folds=3)
    >>> prediction = nested_cross_validate(build_classifier_data(volume, label), NestedCV(folds))
    >>> prediction.measures["bac"] > 0.9, len(prediction.cases)
    (True, 40)
    """
    nested_cv.cv.check(cases)
    tables = fold_tables(cases, nested_cv, range(nested_cv.cv.count(cases)))
    return summarise_prediction(cases, nested_cv, tables)


def fold_tables(
    cases: ClassifierData, nested_cv: NestedCV, indices: Iterable[int]
) -> dict[str, pd.DataFrame]:
    """Run some outer folds on one thread; return their tables, one below the other."""
    import pandas as pd

    from ketadask.store.environment import one_thread

    folds = nested_cv.cv.outer_folds(cases)
    with one_thread():
        parts = [nested_cv.fold(cases, index).tables(cases, folds) for index in indices]
    return {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}


def summarise_prediction(
    cases: ClassifierData, nested_cv: NestedCV, tables: Mapping[str, pd.DataFrame]
) -> Prediction:
    """Return the prediction from the tables of all outer folds, in any order."""
    predictions = tables["predictions"].sort_values(["number", "row"], ignore_index=True)
    by_case = case_predictions(cases, predictions)
    folds = fold_scores(predictions)
    measures = performance(
        by_case["label"].to_numpy(),
        by_case["predicted"].to_numpy(),
        by_case["decision"].to_numpy(),
        by_case[nm.PARTICIPANT].to_numpy(),
        site=by_case["site"].to_numpy(),
        seed=nested_cv.cv.seed,
    )
    n_test = len(cases) / nested_cv.cv.outer_folds(cases)
    for name in ("bac", "auc"):
        values = folds[name].dropna().to_numpy()
        mean, low, high = (float(x) for x in nadeau_bengio(values, len(cases) - n_test, n_test))
        measures |= {
            f"{name}_folds": mean,
            f"{name}_folds_low": max(low, 0.0),
            f"{name}_folds_high": min(high, 1.0),
        }
    return Prediction(
        cases=by_case,
        measures=measures,
        weights=weight_table(cases.region, tables["weights"]),
        choices=tables["choices"].sort_values("number", ignore_index=True),
        folds=folds,
    )


def learning_point(
    cases: ClassifierData, nested_cv: NestedCV, prediction: Prediction
) -> dict[str, float]:
    """Return one point of a learning curve: training cases, AUC and balanced accuracy.

    The number of training cases is the mean over outer folds. All points predict the same cases.
    """
    folds = range(nested_cv.cv.count(cases))
    sizes = [len(nested_cv.cv.outer(cases, index)[0]) for index in folds]
    return {
        "fraction": nested_cv.cv.train_fraction,
        "training_cases": float(np.mean(sizes)),
        **{name: prediction.measures[name] for name in _CURVE_MEASURES},
    }


def case_predictions(cases: ClassifierData, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per case: the mean of its predictions over repeats."""
    import pandas as pd

    mean = predictions.groupby("row", sort=True)[["votes", "decision", "probability"]].mean()
    rows = mean.index.to_numpy()
    return pd.DataFrame(
        {
            nm.PARTICIPANT: cases.participant[rows],
            "site": cases.site[rows],
            "label": cases.label[rows].astype(np.int64),
            **{name: mean[name].to_numpy() for name in mean.columns},
            "predicted": majority_vote(mean["votes"].to_numpy(), mean["decision"].to_numpy()),
        }
    )


def fold_scores(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return balanced accuracy and AUC of every outer fold; NaN where it has one label only."""
    import pandas as pd

    rows = []
    for index, part in predictions.groupby("number", sort=True):
        label = part["label"].to_numpy()
        bac = _balanced_accuracy(label, part["predicted"].to_numpy())
        area = auc(part["decision"].to_numpy(), label)
        rows.append((index, part["repeat"].iloc[0], bac, area))
    return pd.DataFrame(rows, columns=["number", "repeat", "bac", "auc"])


def _balanced_accuracy(label: np.ndarray, prediction: np.ndarray) -> float:
    """Return the balanced accuracy of one fold; NaN where it has one label only."""
    if not 0 < label.sum() < len(label):
        return np.nan
    return float((prediction[label == 1].mean() + 1 - prediction[label == 0].mean()) / 2)


def cv_statistics(cases: ClassifierData, nested_cv: NestedCV) -> dict[str, float]:
    """Return the statistics that permutations compare, of one nested cross-validation."""
    votes, decision, count = (np.zeros(len(cases)) for _ in range(3))
    scores = []
    for index in range(nested_cv.cv.count(cases)):
        fold = nested_cv.fold(cases, index)
        votes[fold.rows] += fold.votes
        decision[fold.rows] += fold.decision
        count[fold.rows] += 1
        scores.append(_balanced_accuracy(cases.label[fold.rows], fold.labels))
    scores = [score for score in scores if not np.isnan(score)]
    prediction = majority_vote(votes / count, decision / count)
    within = point_estimates(cases.label, prediction, decision / count, cases.site)
    return {
        "bac": within["bac"],
        "bac_folds": float(np.mean(scores)) if scores else np.nan,
        "bac_pooled": pooled_accuracy(cases.label, prediction),
        "auc": within["auc"],
    }
