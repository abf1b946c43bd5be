"""What a search is given: literals, and the arrays of the trial. It travels; it never changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ketadask.cohort.designs import TrialArrays
from ketadask.search.literals import Literals


@dataclass(frozen=True, eq=False)
class SearchProblem:
    """Literals and trial of one study: the one shared node of every search graph.

    ``memory`` is how many bytes a process that searches them may take, its own modules included;
    no limit by default. It decides what is done in blocks, changes no result, and is no part of
    what is asked.
    """

    literals: Literals
    trial: TrialArrays
    memory: float = math.inf

    def __repr__(self) -> str:
        """Say what is searched."""
        return f"<Problem: {self.literals!r}, {self.trial!r}>"

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Equal problems have equal tokens, in any process."""
        return (
            "ketadask.search.problem.SearchProblem",
            self.literals.__dask_tokenize__(),
            self.trial.__dask_tokenize__(),
        )
