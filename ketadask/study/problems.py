"""The problem of a study, made once and kept in the run folder: cohort, units, literals, splits."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.cohort.relabel import need_exchange
from ketadask.study.recordings import measure_recordings
from ketadask.study.room import room
from ketadask.study.trial import read_cohort, search_of, splitter_of, units_of

if TYPE_CHECKING:
    import xarray as xr

    from ketadask.cohort import HoldoutSplit
    from ketadask.kernels.exact import Found
    from ketadask.search import PersonaSearch, Problem
    from ketadask.study.progress import Progress
    from ketadask.study.work import Work

COHORT, LITERALS, SPLITS = "cohort.zarr", "literals.parquet", "splits.zarr"
_MANY_CELLS, _MOST_CELLS = 5_000_000, 200_000_000


@dataclass(frozen=True, eq=False)
class Asked:
    """What is searched: the cohort, its units, the literals and scores, and how.

    ``searched`` is what the search of all units has found, per polarity, once it was asked for;
    what is asked of more or fewer splits shares it.
    """

    cohort: xr.Dataset
    units: xr.Dataset
    problem: Problem
    search: PersonaSearch
    splitter: HoldoutSplit
    searched: dict[str, Found] = field(default_factory=dict)

    def found(self, progress: Progress) -> dict[str, Found]:
        """Search all units, once per polarity; says every now and then that it goes on."""
        wanted = self.search.polarities
        for number, polarity in enumerate(wanted, start=1):
            if polarity not in self.searched:
                what = f"search of all {self.units.sizes[nm.UNIT]:,} units"
                with progress.waiting(f"{what}: {polarity}, {number} of {len(wanted)}"):
                    self.searched[polarity] = self.search.solve(self.problem, polarity=polarity)
        return self.searched


def pose(work: Work) -> Asked:
    """Return the problem of the study, from the run folder where it is there already."""
    settings, run = work.settings, work.run
    cohort = cohort_of(work)
    units = units_of(settings, cohort)
    search = search_of(settings)
    problem = search.problem(units, memory=settings.execution.memory_bytes, folder=run.path)
    splitter = splitter_of(settings, units)
    alone = need_exchange(problem.trial, settings.null.how, where="null.how")
    if not run.has(LITERALS):
        run.write_table(LITERALS, problem.literals.table())
    _write_splits(work, units, splitter)
    say(work, cohort, units, problem)
    narrow = room(search, splitter, units)
    if narrow is not None:
        work.progress.say(f"splits: {narrow.line()}")
    if alone:
        work.progress.say(
            f"null: {alone:,} of {units.sizes[nm.UNIT]:,} units have nobody to exchange with "
            "and are the same in every relabelled trial"
        )
    return Asked(cohort, units, problem, search, splitter)


def cohort_of(work: Work) -> xr.Dataset:
    """Return the cohort, from the run folder where it is there already.

    Recordings that cannot be used stand among its findings.
    """
    if work.run.has(COHORT):
        return work.run.read_dataset(COHORT)
    measured = measure_recordings(work)
    table = None if measured is None else measured.table
    work.progress.say("cohort: reading the tables")
    with work.progress.waiting("cohort: reading"):
        cohort = read_cohort(work.settings, work.place.data, table)
    if measured is not None:
        findings = json.loads(cohort.attrs.get("findings", "[]")) + measured.failures
        cohort.attrs["findings"] = json.dumps(findings)
    work.run.write_dataset(COHORT, cohort)
    return cohort


def say(work: Work, cohort: xr.Dataset, units: xr.Dataset, problem: Problem) -> None:
    """Show what is searched, in one line."""
    work.progress.say(
        f"cohort: {cohort.sizes[nm.CASE]:,} cases of "
        f"{len(np.unique(cohort[nm.PARTICIPANT])):,} participants, {units.sizes[nm.UNIT]:,} units, "
        f"{cohort.sizes[nm.FEATURE]:,} features, {len(problem.literals.feature):,} literals"
    )


def _write_splits(work: Work, units: xr.Dataset, splitter: HoldoutSplit) -> None:
    """Keep the train sides for readers; tasks draw their own, each from its number."""
    import xarray as xr

    count, size = splitter.n_splits, units.sizes[nm.UNIT]
    if count * size > _MOST_CELLS:
        work.progress.say("splits: too many to list; each can be drawn from its number")
        return
    if work.run.has(SPLITS) and work.run.read_dataset(SPLITS).sizes[nm.SPLIT] == count:
        return
    if count * size > _MANY_CELLS:
        work.progress.say(f"splits: listing {count:,} train sides")
    who, stratum, trial = (
        np.asarray(units[name]) for name in (nm.PARTICIPANT, "split_stratum", "trial")
    )
    train = np.stack([splitter.mask(i, who, stratum, trial) for i in range(count)])
    made = xr.Dataset(
        {nm.TRAIN: ((nm.SPLIT, nm.UNIT), train)},
        coords={nm.SPLIT: np.arange(count), nm.PARTICIPANT: (nm.UNIT, who.astype(str))},
        attrs={"seed": splitter.seed, "share": splitter.share, "scheme": splitter.scheme},
    )
    work.run.write_dataset(SPLITS, made)
