"""The stages that compute in bulk: splits, relabelled trials, chosen personas on all splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ketadask.schema import InputError
from ketadask.study.blocks import Ended
from ketadask.study.problems import Asked
from ketadask.study.work import SEARCH, Work

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.inference import Personas
    from ketadask.search.criteria import Gates
    from ketadask.store import Parts


class StudyFailed(RuntimeError):  # noqa: N818 - it says what happened
    """Some tasks of a study failed for their own reasons; what the others made is kept."""

    def __init__(self, failed: list[Ended]) -> None:
        super().__init__("; ".join(each.story() for each in failed))
        self.add_note("finished parts are kept; run again to compute what is missing")


def gates_of(work: Work) -> Gates:
    """Return the thresholds of the gates."""
    from ketadask.search.criteria import Gates

    return Gates(p=work.settings.gates.p, d=work.settings.gates.d)


def search_splits(work: Work, asked: Asked) -> Ended:
    """Search every split that has no part yet."""
    from ketadask.search.graph import hit_blocks

    parts, gates = work.place.hits(), gates_of(work)
    return work.finish(
        "search",
        "splits",
        total=asked.splitter.n_splits,
        parts=parts,
        graph=lambda ranges, pieces=1: hit_blocks(
            asked.problem, asked.search, asked.splitter, ranges, parts, gates, pieces
        ),
        searches=searches_of(asked),
    )


def search_relabelled(work: Work, asked: Asked, count: int | None = None) -> Ended:
    """Search every relabelled trial, or the first ``count``, that has no part yet."""
    from ketadask.inference.graph import null_blocks

    parts, null = work.place.nulls(), work.settings.null
    return work.finish(
        "null",
        "relabelled trials",
        total=null.relabellings if count is None else count,
        parts=parts,
        graph=lambda ranges, pieces=1: null_blocks(
            asked.problem, asked.search, ranges, parts, seed=work.settings.seed, how=null.how,
            pieces=pieces,
        ),
        searches=searches_of(asked),
    )  # fmt: skip


def searches_of(asked: Asked) -> int:
    """Return how many searches a number stands for that may be split over tasks; 0 where none may.

    A search with a budget depends on the order it goes in, and a beam is short.
    """
    search = asked.search
    whole = search.strategy == "exact" and search.max_literals > 1 and search.nodes is None
    return len(search.polarities) if whole else 0


def evaluate(work: Work, asked: Asked, personas: Personas, searches: pd.DataFrame) -> Parts:
    """Hold the chosen personas against every split; return the parts."""
    from ketadask.inference.graph import evaluation_blocks

    parts = work.place.evaluations(personas.frame().to_dict("list"))
    ended = work.finish(
        "evaluate",
        "splits",
        total=asked.splitter.n_splits,
        parts=parts,
        graph=lambda ranges: evaluation_blocks(
            asked.problem,
            personas,
            asked.splitter,
            searches,
            ranges,
            parts,
            search=asked.search,
            gates=gates_of(work),
        ),
    )
    require(ended)
    count(work, "evaluate", "splits", parts, asked.splitter.n_splits)
    return parts


def require(*stages: Ended) -> None:
    """Raise where a stage is not complete."""
    failed = [each for each in stages if not each.complete]
    if failed:
        raise StudyFailed(failed)


class StudyIncomplete(RuntimeError):  # noqa: N818 - it says what happened
    """A stage called itself finished and blocks of it are not on the disk."""


def count(work: Work, name: str, unit: str, parts: Parts, total: int) -> None:
    """Count a finished stage on the disk, checksums compared; what was dropped is an error."""
    missing = parts.missing(total)
    if missing:
        listed = ", ".join(f"{first}-{last}" for first, last in missing[:5])
        left = sum(last - first + 1 for first, last in missing)
        error = StudyIncomplete(
            f"{name}: {left:,} of {total:,} {unit} were dropped without a word ({listed})"
        )
        error.add_note("finished parts are kept; run again to compute what is missing")
        raise error
    work.counted[name] = total


def require_parts(work: Work, asked: Asked, relabellings: int) -> None:
    """Raise where splits or relabelled trials are missing that a verdict needs."""
    for name, parts, total in (
        ("splits", work.place.hits(), asked.splitter.n_splits),
        ("relabelled trials", work.place.nulls(), relabellings),
    ):
        missing = sum(last - first + 1 for first, last in parts.missing(total))
        if missing:
            raise InputError(
                f"{missing:,} of {total:,} {name} have not been searched",
                file=work.run.path,
                remedy="finish them with `ketadask search`, or do everything with `ketadask run`",
            )


def one(work: Work, task: Any) -> Any:
    """Compute one task and return its result."""
    from ketadask.cluster import TaskFailure

    ((_, result),) = work.executor(SEARCH).compute([task])
    if isinstance(result, TaskFailure):
        raise result.error
    return result
