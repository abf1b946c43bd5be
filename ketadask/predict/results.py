"""From outer folds to what is reported: every case once, measures with intervals, weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.kernels.resampling import nadeau_bengio
from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.nested import NestedCV, majority
from ketadask.predict.performance import auc, performance, points, pooled_accuracy
from ketadask.predict.weights import weight_table

if TYPE_CHECKING:
    import pandas as pd

STATISTICS = ("bac", "bac_folds", "bac_pooled", "auc")


@dataclass(frozen=True, eq=False)
class Prediction:
    """Out-of-fold predictions of a cohort.

    Parameters
    ----------
    cases
        A row per case: participant, site, label, votes, decision, probability, predicted, each
        the mean over repeats; the majority decides.
    measures
        What `measured` says of ``cases``, and bac_folds, auc_folds: means over outer folds.
    weights
        A row per region, the strongest first; empty for models without weights.
    choices
        What the inner folds of each outer fold chose.
    folds
        A row per outer fold: its own balanced accuracy and AUC.
    """

    cases: pd.DataFrame
    measures: dict[str, float]
    weights: pd.DataFrame
    choices: pd.DataFrame
    folds: pd.DataFrame


def nested_cross_validate(cases: ClassifierData, nested: NestedCV) -> Prediction:
    """Run every outer fold here and now, and sum up.

    Examples
    --------
    >>> from ketadask.predict.classifier_data import cases
    >>> from ketadask.predict.folds import Frame
    >>> rng = np.random.default_rng(0)
    >>> label = np.arange(40) % 2
    >>> volume = rng.normal(size=(40, 6)) + 2 * label[:, None]
    >>> frame = Frame(repeats=1, folds=4, inner_repeats=1, inner_folds=3)
    >>> made = predict(cases(volume, label), Nested(frame))
    >>> made.measures["bac"] > 0.9, len(made.cases)
    (True, 40)
    """
    import pandas as pd

    from ketadask.predict.scikit import one_thread

    nested.frame.check(cases)
    folds = nested.frame.outer_folds(cases)
    with one_thread():
        made = [
            nested.fold(cases, number).tables(cases, folds)
            for number in range(nested.frame.count(cases))
        ]
    return summed_up(cases, nested, {name: pd.concat([m[name] for m in made]) for name in made[0]})


def summed_up(
    cases: ClassifierData, nested: NestedCV, tables: Mapping[str, pd.DataFrame]
) -> Prediction:
    """Return the prediction from the tables of all outer folds, in whatever order these ended."""
    predictions = tables["predictions"].sort_values(["number", "row"], ignore_index=True)
    by_case = one_row_per_case(cases, predictions)
    folds = fold_scores(predictions)
    measures = performance(
        by_case["label"].to_numpy(),
        by_case["predicted"].to_numpy(),
        by_case["decision"].to_numpy(),
        by_case[nm.PARTICIPANT].to_numpy(),
        site=by_case["site"].to_numpy(),
        seed=nested.frame.seed,
    )
    held = len(cases) / nested.frame.outer_folds(cases)
    for name in ("bac", "auc"):
        values = folds[name].dropna().to_numpy()
        mean, low, high = (float(x) for x in nadeau_bengio(values, len(cases) - held, held))
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


def one_row_per_case(cases: ClassifierData, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over repeats of what was said about each case."""
    import pandas as pd

    mean = predictions.groupby("row", sort=True)[["votes", "decision", "probability"]].mean()
    rows = mean.index.to_numpy()
    return pd.DataFrame(
        {
            nm.PARTICIPANT: cases.participant[rows],
            "site": cases.site[rows],
            "label": cases.label[rows].astype(np.int64),
            **{name: mean[name].to_numpy() for name in mean.columns},
            "predicted": majority(mean["votes"].to_numpy(), mean["decision"].to_numpy()),
        }
    )


def fold_scores(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return balanced accuracy and AUC of every outer fold; NaN where it has one label only."""
    import pandas as pd

    rows = []
    for number, part in predictions.groupby("number", sort=True):
        label, said = part["label"].to_numpy(), part["predicted"].to_numpy()
        both = 0 < label.sum() < len(label)
        bac = (said[label == 1].mean() + 1 - said[label == 0].mean()) / 2 if both else np.nan
        rows.append((number, part["repeat"].iloc[0], bac, auc(part["decision"].to_numpy(), label)))
    return pd.DataFrame(rows, columns=["number", "repeat", "bac", "auc"])


def statistics(cases: ClassifierData, nested: NestedCV) -> dict[str, float]:
    """Return the statistics a permutation compares, of one whole nested cross-validation."""
    made: list[Any] = [nested.fold(cases, k) for k in range(nested.frame.count(cases))]
    votes, decision, seen = (np.zeros(len(cases)) for _ in range(3))
    scores = []
    for each in made:
        votes[each.rows] += each.votes
        decision[each.rows] += each.decision
        seen[each.rows] += 1
        label, said = cases.label[each.rows], each.predicted
        if 0 < label.sum() < len(label):
            scores.append((said[label == 1].mean() + 1 - said[label == 0].mean()) / 2)
    predicted = majority(votes / seen, decision / seen)
    within = points(cases.label, predicted, decision / seen, cases.site)
    return {
        "bac": within["bac"],
        "bac_folds": float(np.mean(scores)) if scores else np.nan,
        "bac_pooled": pooled_accuracy(cases.label, predicted),
        "auc": within["auc"],
    }
