"""The best training persona of each split, tried on the holdout of its split.

A persona chosen on all data looks good on every holdout, because these are part of the data that
chose it. The best persona of a training set was chosen without its holdout: its figures there are
those of the procedure, free of selection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.null import IDS
from ketadask.inference.second_stage import persona_sides
from ketadask.inference.stability import passes_gate
from ketadask.kernels.gates import gates as compare
from ketadask.kernels.resampling import nadeau_bengio

if TYPE_CHECKING:
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range


def choice_block(
    problem: SearchProblem, splitter: Any, hits: pd.DataFrame, block: Range, *, gate: str
) -> pd.DataFrame:
    """Try the best training persona of each polarity and split on the holdout.

    ``block`` is the first and the last split. The best persona has rank 1, whether or not it
    passes ``gate``. Scores come from the holdout alone, with the regression on features of the
    training set: scores of the whole trial carry outcomes of the training set, which chose the
    persona.

    Returns
    -------
    A row per split and polarity: ``n_train``, ``n_holdout``; ``hits``, personas that pass the gate
    on train; ``inside``, ``outside``, holdout units; ``benefit``, ``benefit_inside``,
    ``benefit_outside``, mean scores of the holdout, NaN without scores; ``d``, Cohen's d inside,
    NaN with fewer than two outcomes in an arm.
    """
    trial, splits = problem.trial, np.arange(block[0], block[1] + 1)
    best = hits[(hits["rank"] == 1) & hits["split"].between(*block)]
    keys = zip(best["split"], best["polarity"], strict=True)
    ids_by_key = dict(zip(keys, best[list(IDS)].to_numpy(), strict=True))
    passing = hits[passes_gate(hits, nm.TRAIN, gate)]
    n_hits = passing.groupby(["split", "polarity"]).size().to_dict()
    rows = []
    for split in splits.tolist():
        train = splitter.train_mask(split, trial)
        score = trial.scores(~train, fit=train)
        has_score = np.isfinite(score)
        ids = np.array([ids_by_key.get((split, p), [-1] * len(IDS)) for p in nm.POLARITIES])
        inside, outside = persona_sides(problem, ids)
        exists = np.array([(ids >= 0).any(axis=1)]).T
        inside, outside = inside & exists & ~train, outside & exists & ~train
        card = compare(
            inside[:, ~train], trial.outcome[~train], trial.participant[~train], trial.has_pairs
        )
        has_value = np.minimum(card["n_active"], card["n_control"]) >= 2
        for k, polarity in enumerate(nm.POLARITIES):
            rows.append(
                {
                    "split": split,
                    "polarity": polarity,
                    "n_train": int(train.sum()),
                    "n_holdout": int((~train).sum()),
                    "hits": int(n_hits.get((split, polarity), 0)),
                    "inside": int(inside[k].sum()),
                    "outside": int(outside[k].sum()),
                    "benefit": _mean(score[has_score]),
                    "benefit_inside": _mean(score[has_score & inside[k]]),
                    "benefit_outside": _mean(score[has_score & outside[k]]),
                    "d": float(card["d"][k]) if has_value[k] else np.nan,
                }
            )
    return pd.DataFrame(rows)


def summarise_choice(choices: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the mean figures of the best training persona on its own holdout, by polarity.

    ``choices`` has rows of `choice_block`, in any order.

    Returns
    -------
    Per polarity with a persona: ``difference`` (benefit inside minus outside) and ``d`` (Cohen's d
    inside), each with ``_low`` and ``_high``, the Nadeau-Bengio interval, over the ``splits`` in
    which the difference is defined; ``splits_empty``, the others.
    """
    summary = {}
    for polarity in nm.POLARITIES:
        rows = choices[choices["polarity"] == polarity].sort_values("split", ignore_index=True)
        difference = (rows["benefit_inside"] - rows["benefit_outside"]).to_numpy(dtype=np.float64)
        has_value = np.isfinite(difference)
        if not has_value.any():
            continue
        sizes = float(rows["n_train"].mean()), float(rows["n_holdout"].mean())
        numbers: dict[str, float] = {
            "splits": int(has_value.sum()),
            "splits_empty": int((~has_value).sum()),
        }
        for name, values in (("difference", difference), ("d", rows["d"].to_numpy(np.float64))):
            mean, low, high = nadeau_bengio(values[np.isfinite(values)], *sizes)
            numbers |= {name: float(mean), f"{name}_low": float(low), f"{name}_high": float(high)}
        summary[polarity] = numbers
    return summary


def hits_by_split(choices: pd.DataFrame) -> pd.Series:
    """Return the number of hits of each split, over both polarities."""
    return choices.groupby("split")["hits"].sum()


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
