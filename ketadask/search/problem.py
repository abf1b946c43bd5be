"""What a search is given: literals, and the arrays of the trial. It travels; it never changes."""

from __future__ import annotations

from dataclasses import dataclass

from ketadask.cohort.designs import Trial
from ketadask.search.literals import Literals


@dataclass(frozen=True, eq=False)
class Problem:
    """Literals and trial of one study: the one shared node of every search graph."""

    literals: Literals
    trial: Trial

    def __repr__(self) -> str:
        """Say what is searched."""
        return f"<Problem: {self.literals!r}, {self.trial!r}>"

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Equal problems have equal tokens, in any process."""
        return (
            "ketadask.search.Problem",
            self.literals.__dask_tokenize__(),
            self.trial.__dask_tokenize__(),
        )
