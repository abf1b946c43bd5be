"""The data of a search: literals, and the arrays of the trial; immutable, sent to workers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ketadask.cohort.designs import TrialArrays
from ketadask.search.literals import Literals


@dataclass(frozen=True, eq=False)
class SearchProblem:
    """Literals and trial of one study: the one shared node of every search graph.

    ``memory`` limits the bytes of a process that searches them, modules included; no limit by
    default. It determines the blocks of a search, changes no result and enters no key.
    ``values`` are the features searched, float32 (unit, feature), standardised with missing values
    0, and ``value_names`` their names; None where they take too much of the memory. ``labels`` are
    those of the features, by name: words for readers, in no key.
    """

    literals: Literals
    trial: TrialArrays
    memory: float = math.inf
    values: np.ndarray | None = None
    value_names: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Show literals and trial."""
        return f"<SearchProblem: {self.literals!r}, {self.trial!r}>"

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Equal problems have equal tokens, in any process."""
        return (
            "ketadask.search.problem.SearchProblem",
            self.literals.__dask_tokenize__(),
            self.trial.__dask_tokenize__(),
            "" if self.values is None else hashlib.blake2b(self.values.tobytes()).hexdigest(),
        )
