"""What is kept of the hits of many splits: counts that add up, whatever the blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.enrolment import enrolled_block
from ketadask.inference.explained import Votes, count_votes
from ketadask.inference.selection import Selection, selected_features
from ketadask.inference.stability import passes

if TYPE_CHECKING:
    from ketadask.search.problem import SearchProblem
    from ketadask.store.ranges import Range


@dataclass(frozen=True, eq=False)
class HitSummary:
    """Selections per polarity, votes per unit, and what each split's enrolment gained."""

    selection: Mapping[str, Selection]
    votes: Votes
    enrolled: pd.DataFrame

    def __add__(self, other: HitSummary) -> HitSummary:
        """Digests of disjoint blocks add up, in any order and grouping."""
        rows = pd.concat([self.enrolled, other.enrolled]).sort_values("split", ignore_index=True)
        return HitSummary(
            {each: self.selection[each] + other.selection[each] for each in self.selection},
            self.votes + other.votes,
            rows,
        )


def summarise_hits(
    problem: SearchProblem, splitter: Any, hits: pd.DataFrame, numbers: Range, *, use: str
) -> HitSummary:
    """Digest the hits of the splits ``numbers``, both ends included.

    ``hits`` may hold further splits; ``use`` names the gate that makes a persona a hit.
    """
    hits = hits[hits["split"].between(*numbers)]
    passed = passes(hits, nm.TRAIN, use)
    n_features = len(problem.literals.feature_names)
    selection = {}
    for polarity in nm.POLARITIES:
        mine = passed & (hits["polarity"] == polarity).to_numpy()
        selected = selected_features(hits, mine, problem.literals.feature, n_features, numbers)
        selection[polarity] = Selection.of(selected)
    votes = count_votes(problem, splitter, hits, passed, numbers)
    return HitSummary(selection, votes, enrolled_block(problem, splitter, hits, numbers))


def stability_frame(digest: HitSummary, features: tuple[str, ...]) -> pd.DataFrame:
    """Return the selection frequency of each feature, per polarity that selected any."""
    frames = [
        each.frame(features, polarity)
        for polarity, each in digest.selection.items()
        if np.any(each.together)
    ]
    frames = frames or [digest.selection[nm.FAVOURABLE].frame(features, nm.FAVOURABLE)]
    return pd.concat(frames, ignore_index=True)
