"""Stability of personas over all splits: recurrence, effects, and p-values over splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.kernels.resampling import (
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
"""Split x persona cells of a task: with many splits, personas are summarised a few at a time."""

_P = {"published": "p", "heterogeneity": "interaction_p", "both": "interaction_p"}


def passes_gate(table: pd.DataFrame, side: str, gate: str) -> np.ndarray:
    """Return whether each row passes ``gate`` on one side; ``both`` requires both gates.

    Examples
    --------
    >>> table = pd.DataFrame({"published_train": [True, True],
    ...                       "heterogeneity_train": [True, False]})
    >>> passes_gate(table, "train", "both")
    array([ True, False])
    """
    gates = ("published", "heterogeneity") if gate == "both" else (gate,)
    columns = [f"{name}_{side}" for name in gates]
    return np.asarray(table[columns].to_numpy(dtype=bool).all(axis=1))


def group_stability(
    parts: Parts,
    ranges: Sequence[Range],
    personas: PersonaSet,
    group: Range,
    *,
    gate: str,
    split_hits: pd.Series,
    n: int | None = None,
) -> pd.DataFrame:
    """Summarise the personas of a group over the splits below ``n`` of complete parts."""
    rows = [
        select_group(parts.read(range_name(*block), "evaluation"), group, n) for block in ranges
    ]
    table = pd.concat(rows, ignore_index=True)
    return summarise_personas(table, personas, gate=gate, split_hits=split_hits)


def select_group(table: pd.DataFrame, group: Range, n: int | None = None) -> pd.DataFrame:
    """Return the rows of the first to the last persona of a group, of the splits below ``n``."""
    mine = table["persona"].between(*group)
    return table[mine if n is None else mine & (table["split"] < n)]


def summarise_personas(
    table: pd.DataFrame, personas: PersonaSet, *, gate: str, split_hits: pd.Series
) -> pd.DataFrame:
    """Summarise the rows of `evaluate_block`: each persona in ``table`` over all its splits.

    ``split_hits`` is the number of hits of each split, by split.

    A hit is among the K best on train and passes ``gate`` there; it is confirmed when it
    passes on the holdout too.

    Returns
    -------
    A row per persona in ``table``: ``persona`` (index), polarity and literals, ``splits``,
    ``hits``; ``recurrence`` and ``confirmed_rate`` (over all splits) with Wilson intervals;
    ``p_mean``, ``p_sd``, ``d_mean``, ``d_sd`` of the holdout over all splits, hit or not, and
    ``p_mean_hits``, ``d_mean_hits``, the means over hits alone that published personas report:
    selection flatters all of them where the personas were chosen on all data; ``p_twice_mean``,
    ``p_twice_median``, ``p_quantile``, of the holdout p times the number of hits of the split, in
    which every split without a hit, or with an effect of the wrong direction on holdout, counts as
    p = 1; ``prevalence_*`` and ``support_*_mean``, means over splits. p is that of the published
    gate if ``gate`` names it, else of the interaction.
    """
    table = table.sort_values(["persona", "split"], ignore_index=True)
    personas_in_table, starts = np.unique(table["persona"].to_numpy(), return_index=True)
    hit = table["kept"].to_numpy() & passes_gate(table, nm.TRAIN, gate)
    confirmed_hit = hit & passes_gate(table, nm.HOLDOUT, gate)
    p = table[f"{_P[gate]}_holdout"].to_numpy(dtype=np.float64)
    # A split confirms all its hits: each of them is one of as many tests (Bonferroni).
    n_hits = split_hits.reindex(table["split"], fill_value=0).to_numpy().clip(min=1)
    strict_p = np.where(hit & _right_direction(table, personas, gate), p * n_hits, 1.0)
    strict_p = np.minimum(strict_p, 1.0)
    d = table["d_holdout"].to_numpy(dtype=np.float64)
    support = {side: table[f"support_{side}"].to_numpy(dtype=np.float64) for side in nm.SIDES}
    prevalence = {side: support[side] / np.maximum(table[f"n_{side}"], 1) for side in nm.SIDES}
    rows = []
    for persona, start, stop in zip(
        personas_in_table, starts, [*starts[1:], len(table)], strict=True
    ):
        mine = slice(start, stop)
        splits, hits = int(stop - start), int(hit[mine].sum())
        rows.append(
            {
                "persona": int(persona),
                "splits": splits,
                "hits": hits,
                **_rate("recurrence", hits, splits),
                **_rate("confirmed_rate", int(confirmed_hit[mine].sum()), splits),
                "p_mean": p[mine].mean(),
                "p_sd": _sd(p[mine]),
                "p_mean_hits": _mean(p[mine][hit[mine]]),
                "p_twice_mean": float(twice_mean(strict_p[mine])),
                "p_twice_median": float(twice_median(strict_p[mine])),
                "p_quantile": float(quantile_aggregate(strict_p[mine])),
                "d_mean": d[mine].mean(),
                "d_sd": _sd(d[mine]),
                "d_mean_hits": _mean(d[mine][hit[mine]]),
                **{f"prevalence_{side}": prevalence[side][mine].mean() for side in nm.SIDES},
                **{f"support_{side}_mean": support[side][mine].mean() for side in nm.SIDES},
            }
        )
    summary = pd.DataFrame(rows)
    keys = personas.frame().iloc[personas_in_table].reset_index(drop=True)
    return pd.concat([summary[["persona"]], keys, summary.drop(columns="persona")], axis=1)


def _right_direction(table: pd.DataFrame, personas: PersonaSet, gate: str) -> np.ndarray:
    """Whether the holdout effect has the direction the persona claims."""
    effect = "d_holdout" if gate == "published" else "interaction_holdout"
    sign = personas.sign[table["persona"].to_numpy()]
    return np.asarray(sign * table[effect].to_numpy() > 0)


def _rate(name: str, successes: int, n: int) -> dict[str, float]:
    low, high = wilson(successes, n)
    return {name: successes / n, f"{name}_low": float(low), f"{name}_high": float(high)}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
