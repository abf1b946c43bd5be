"""Stability of personas over all splits: recurrence, effects, and p-values over splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.kernels.resampling import (
    nadeau_bengio,
    quantile_aggregate,
    twice_mean,
    twice_median,
    wilson,
)
from ketadask.store.ranges import range_name

if TYPE_CHECKING:
    from ketadask.inference.evaluation import PersonaSet
    from ketadask.store.parts import Parts
    from ketadask.store.ranges import Range

CELLS = 1 << 20
"""Split x persona cells held at once: with many splits, personas are taken a few at a time."""

_P = {"published": "p", "heterogeneity": "interaction_p", "both": "interaction_p"}


def passes(table: pd.DataFrame, side: str, use: str) -> np.ndarray:
    """Return whether each row passes, on one side, the gate in use; ``both`` asks for both.

    Examples
    --------
    >>> table = pd.DataFrame({"published_train": [True, True],
    ...                       "heterogeneity_train": [True, False]})
    >>> passes(table, "train", "both")
    array([ True, False])
    """
    gates = ("published", "heterogeneity") if use == "both" else (use,)
    return np.logical_and.reduce([table[f"{gate}_{side}"].to_numpy(dtype=bool) for gate in gates])


def persona_stability(
    parts: Parts, ranges: Sequence[Range], personas: PersonaSet, *, use: str, n: int | None = None
) -> pd.DataFrame:
    """Summarise each persona over the splits below ``n`` of the finished parts ``ranges``.

    Memory does not grow with the number of splits: personas are taken so many at a time that at
    most ``CELLS`` rows are held. Every number is computed from rows in the order of the splits,
    so blocks change nothing.

    Returns
    -------
    The columns of `summarise`, a row per persona in their order; none without personas.
    """
    n_splits = sum(last - first + 1 for first, last in ranges)
    step = max(1, CELLS // max(1, n_splits))
    tables = []
    for start in range(0, len(personas), step):
        rows = [
            _some(parts.read(range_name(*each), "evaluation"), start, start + step, n)
            for each in ranges
        ]
        tables.append(summarise(pd.concat(rows, ignore_index=True), personas, use=use))
    return pd.concat(tables, ignore_index=True) if tables else personas.frame()


def _some(table: pd.DataFrame, start: int, stop: int, n: int | None) -> pd.DataFrame:
    mine = table["persona"].between(start, stop - 1)
    return table[mine if n is None else mine & (table["split"] < n)]


def summarise(table: pd.DataFrame, personas: PersonaSet, *, use: str) -> pd.DataFrame:
    """Summarise the rows of `evaluate_block`: each persona in ``table`` over all its splits.

    A hit is among the K best on train and passes there the gate in use; it is confirmed when it
    passes on holdout too.

    Returns
    -------
    A row per persona in ``table``, by number: ``persona``, polarity and literals, ``splits``,
    ``hits``; ``recurrence`` and ``confirmed`` (shares of all splits) with Wilson intervals;
    ``p_mean``, ``p_sd``, ``d_mean``, ``d_sd`` of the holdout over all splits, hit or not, and
    ``d_low``, ``d_high`` with Nadeau and Bengio's variance; ``p_hits``, ``d_hits``, the means
    over hits alone that published personas report; ``p_twice_mean``, ``p_twice_median``,
    ``p_quantile``, in which every split without a hit, or with an effect of the wrong direction
    on holdout, counts as p = 1; ``train_share`` and ``holdout_share``, ``train_count`` and
    ``holdout_count``, mean shares and numbers of the units inside. p is that of the published
    gate where it is the gate in use, and otherwise that of the interaction.
    """
    table = table.sort_values(["persona", "split"], ignore_index=True)
    numbers, starts = np.unique(table["persona"].to_numpy(), return_index=True)
    hit = table["kept"].to_numpy() & passes(table, nm.TRAIN, use)
    confirmed = hit & passes(table, nm.HOLDOUT, use)
    p = table[f"{_P[use]}_holdout"].to_numpy(dtype=np.float64)
    strictly = np.where(hit & _agrees(table, personas, use), p, 1.0)
    d = table["d_holdout"].to_numpy(dtype=np.float64)
    n_train, n_holdout = (table[f"n_{side}"].to_numpy() for side in nm.SIDES)
    count = {side: table[f"support_{side}"].to_numpy(dtype=np.float64) for side in nm.SIDES}
    share = {side: count[side] / np.maximum(table[f"n_{side}"], 1) for side in nm.SIDES}
    rows = []
    for number, here in zip(numbers, _runs(starts, len(table)), strict=True):
        splits, hits = len(p[here]), int(hit[here].sum())
        _, low, high = nadeau_bengio(
            d[here], float(n_train[here].mean()), float(n_holdout[here].mean())
        )
        rows.append(
            {
                "persona": int(number),
                "splits": splits,
                "hits": hits,
                **_rate("recurrence", hits, splits),
                **_rate("confirmed_rate", int(confirmed[here].sum()), splits),
                "p_mean": p[here].mean(),
                "p_sd": _sd(p[here]),
                "p_mean_hits": _mean(p[here][hit[here]]),
                "p_twice_mean": float(twice_mean(strictly[here])),
                "p_twice_median": float(twice_median(strictly[here])),
                "p_quantile": float(quantile_aggregate(strictly[here])),
                "d_mean": d[here].mean(),
                "d_sd": _sd(d[here]),
                "d_mean_low": float(low),
                "d_mean_high": float(high),
                "d_mean_hits": _mean(d[here][hit[here]]),
                **{f"prevalence_{side}": share[side][here].mean() for side in nm.SIDES},
                **{f"support_{side}_mean": count[side][here].mean() for side in nm.SIDES},
            }
        )
    made = pd.DataFrame(rows)
    keys = personas.frame().iloc[numbers].reset_index(drop=True)
    return pd.concat([made[["persona"]], keys, made.drop(columns="persona")], axis=1)


def _agrees(table: pd.DataFrame, personas: PersonaSet, use: str) -> np.ndarray:
    """Whether the holdout effect has the direction the persona claims."""
    effect = "d_holdout" if use == "published" else "interaction_holdout"
    sign = personas.sign[table["persona"].to_numpy()]
    return sign * table[effect].to_numpy() > 0


def _runs(starts: np.ndarray, end: int) -> list[slice]:
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], end], strict=True)]


def _rate(name: str, successes: int, n: int) -> dict[str, float]:
    low, high = wilson(successes, n)
    return {name: successes / n, f"{name}_low": float(low), f"{name}_high": float(high)}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
