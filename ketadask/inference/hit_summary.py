"""Summary of the hits of many splits: counts that add up over any blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.explained import Votes, count_votes
from ketadask.inference.selection import Selection, selected_features
from ketadask.inference.stability import passes_gate
from ketadask.inference.train_choice import choice_block

if TYPE_CHECKING:
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range


@dataclass(frozen=True, eq=False)
class HitSummary:
    """Selections per polarity, votes per unit, and the best training persona of each split."""

    selection: Mapping[str, Selection]
    votes: Votes
    choices: pd.DataFrame

    def __add__(self, other: HitSummary) -> HitSummary:
        """Add summaries of disjoint blocks, in any order and grouping."""
        rows = pd.concat([self.choices, other.choices])
        return HitSummary(
            {polarity: self.selection[polarity] + other.selection[polarity]
             for polarity in self.selection},
            self.votes + other.votes,
            rows.sort_values(["split", "polarity"], ignore_index=True),
        )  # fmt: skip


def summarise_hits(
    problem: SearchProblem, splitter: Any, hits: pd.DataFrame, block: Range, *, gate: str
) -> HitSummary:
    """Summarise the hits of the first to the last split of ``block``.

    ``hits`` may contain further splits; ``gate`` names the gate that makes a persona a hit.
    """
    hits = hits[hits["split"].between(*block)]
    hit = passes_gate(hits, nm.TRAIN, gate)
    selection = count_selections(problem, hits, block, gate=gate)
    votes = count_votes(problem, splitter, hits, hit, block)
    return HitSummary(selection, votes, choice_block(problem, splitter, hits, block, gate=gate))


def count_selections(
    problem: SearchProblem, hits: pd.DataFrame, block: Range, *, gate: str
) -> dict[str, Selection]:
    """Count the features of the hits of each polarity, over the splits of ``block``."""
    hits = hits[hits["split"].between(*block)]
    hit, n_features = passes_gate(hits, nm.TRAIN, gate), len(problem.literals.feature_names)
    selection = {}
    for polarity in nm.POLARITIES:
        mine = hit & (hits["polarity"] == polarity).to_numpy()
        matrix = selected_features(hits, mine, problem.literals.feature, n_features, block)
        selection[polarity] = Selection.of(matrix)
    return selection


def stability_frame(selection: Mapping[str, Selection], features: tuple[str, ...]) -> pd.DataFrame:
    """Return the selection frequency of each feature, per polarity that selected any."""
    tables = [
        counts.frame(features, polarity)
        for polarity, counts in selection.items()
        if np.any(counts.pair_counts)
    ]
    tables = tables or [selection[nm.FAVOURABLE].frame(features, nm.FAVOURABLE)]
    return pd.concat(tables, ignore_index=True)
