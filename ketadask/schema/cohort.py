"""The cohort of a study: its cases, and the facts about who and what is not among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.schema.notebook_card import NotebookCard
from ketadask.schema.tables import COURSES, EXCLUSIONS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ketadask.schema.phenotype import Finding


@dataclass(frozen=True, eq=False)
class Cohort(NotebookCard):
    """Cases with their features and outcomes, as ``assemble`` returns them.

    Parameters
    ----------
    dataset
        Dataset that keeps ``schema.datasets.COHORT``: one case per participant and infusion.
    exclusions
        Table that keeps ``schema.tables.EXCLUSIONS``: who is not in the cohort, and why.
    flow
        Numbers of participants assessed, studied, excluded by reason, and analysed.
    findings
        Wrong cells of the files: file, where, problem, value, remedy.
    dropped
        Reason by the name of each feature that is not in the cohort.
    columns
        What each column of the tables is used for: file, column, use, reason.
    courses
        Table that keeps ``schema.tables.COURSES``: the outcome scale at every visit of a case.
    """

    dataset: xr.Dataset
    exclusions: pd.DataFrame = field(default_factory=EXCLUSIONS.empty)
    flow: Mapping[str, Any] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[Mapping[str, str]] = ()
    courses: pd.DataFrame = field(default_factory=COURSES.empty)

    def __repr__(self) -> str:
        sizes, participants = self.dataset.sizes, np.unique(self.dataset[nm.PARTICIPANT])
        return (
            f"<Cohort: {sizes[nm.CASE]} cases of {len(participants)} participants, "
            f"{sizes[nm.FEATURE]} features; {len(self.exclusions)} exclusions, "
            f"{len(self.dropped)} features dropped, {len(self.findings)} findings>"
        )


def dataset_of(data: Cohort | xr.Dataset) -> xr.Dataset:
    """Return the dataset of a cohort, or the dataset itself; raise where it is neither."""
    if isinstance(data, Cohort):
        return data.dataset
    if not hasattr(data, "data_vars"):
        raise InputError(
            "a cohort or a search matrix is needed",
            value=type(data).__name__,
            remedy="assemble a cohort, or pass a DataFrame to kd.discover",
        )
    return data
