"""A study of several trials, trial by trial: the search without each, each persona in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.study.stages import count, gates_of, require, searches_of

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.store import RunFolder
    from ketadask.study.problems import Asked
    from ketadask.study.work import Work

TRIALS, SUMMARIES, LEFT_OUT = "trials.parquet", "trial_summaries.parquet", "trials_left_out.parquet"


def trial_tables(run: RunFolder) -> dict[str, pd.DataFrame] | None:
    """Return the tables by the names of their contracts, or None where the study has one trial."""
    names = {"trials": TRIALS, "summaries": SUMMARIES, "left_out": LEFT_OUT}
    if not all(run.has(name) for name in names.values()):
        return None
    return {contract: run.read_table(name) for contract, name in names.items()}


def trial_names(asked: Asked) -> list[str]:
    """Return the names of the trials, in the order in which splits leave them out."""
    return [str(name) for name in np.unique(asked.units["trial"].to_numpy())]


def across_trials(
    work: Work, asked: Asked, verdicts: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables and the headline numbers of the trials; both empty where there is one."""
    from ketadask.inference.across import left_out, left_out_summary, summaries, trial_effects

    names = trial_names(asked)
    if len(names) < 2:
        return {}, {}
    hits = _without_each(work, asked, len(names))
    effects = trial_effects(
        asked.problem, verdicts, names, hits, jaccard=work.settings.verdict.jaccard
    )
    told = summaries(effects)
    honest = left_out(asked.problem, names, hits)
    best = told.iloc[0].to_dict() if len(told) else None
    numbers = {
        "count": len(names),
        "left_out": left_out_summary(honest),
        "best": best,
        "where": {str(word): int(n) for word, n in sorted(told["where"].value_counts().items())},
    }
    return {TRIALS: effects, SUMMARIES: told, LEFT_OUT: honest}, {"trials": numbers}


def _without_each(work: Work, asked: Asked, trials: int) -> pd.DataFrame:
    """Search all trials but one, for each; return the hits."""
    from ketadask.cohort import HoldoutSplit
    from ketadask.search.graph import hit_blocks

    splitter = HoldoutSplit(trials, seed=work.settings.seed, scheme="leave-trial-out")
    parts, gates = work.place.left_out(), gates_of(work)
    ended = work.finish(
        "leave out",
        "trials",
        total=trials,
        parts=parts,
        graph=lambda ranges, pieces=1: hit_blocks(
            asked.problem, asked.search, splitter, ranges, parts, gates, pieces
        ),
        searches=searches_of(asked),
    )
    require(ended)
    count(work, "leave out", "trials", parts, trials)
    table = parts.read_all("hits", trials)
    order = ["split", "polarity", "rank"]
    return table[table["split"] < trials].sort_values(order, ignore_index=True)
