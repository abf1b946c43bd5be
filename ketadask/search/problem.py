"""The data of a search: literals, and the arrays of the trial; immutable, sent to workers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ketadask.cohort.designs import TrialArrays
from ketadask.search.literals import Literals


@dataclass(frozen=True, eq=False)
class SearchProblem:
    """Literals and trial of one study: the one shared node of every search graph.

    ``memory`` limits the bytes of a process that searches them, modules included; no limit by
    default. It determines the blocks of a search, changes no result and enters no key.
    """

    literals: Literals
    trial: TrialArrays
    memory: float = math.inf

    def __repr__(self) -> str:
        """Show literals and trial."""
        return f"<SearchProblem: {self.literals!r}, {self.trial!r}>"

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Equal problems have equal tokens, in any process."""
        return (
            "ketadask.search.problem.SearchProblem",
            self.literals.__dask_tokenize__(),
            self.trial.__dask_tokenize__(),
        )
