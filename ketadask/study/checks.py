"""What a study would be made of, found by reading its tables and computing nothing else."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.config import Settings
from ketadask.study.inputs import input_hashes, make_data
from ketadask.study.progress import Progress
from ketadask.study.trial import exclusions_of, read_cohort, units_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Checked:
    """What the tables of a study hold."""

    folder: Path
    files: int
    participants: int
    cases: dict[str, int]
    units: int
    design: str
    families: pd.DataFrame
    dropped: dict[str, str]
    exclusions: pd.DataFrame

    @property
    def reasons(self) -> dict[str, int]:
        """How many participant periods were left out for each reason."""
        return dict(Counter(self.exclusions["reason"]).most_common())


def checked(settings: Settings, out: Path, progress: Progress) -> Checked:
    """Read the tables of a study and count what is in them."""
    import pandas as pd

    folder = make_data(settings, out, progress)
    cohort = read_cohort(settings, folder)
    units = units_of(settings, cohort)
    missing = np.isnan(cohort["value"].to_numpy()).mean(axis=0)
    table = pd.DataFrame(
        {"family": cohort["family"].to_numpy(), "kind": cohort["kind"].to_numpy(), "m": missing}
    )
    families = table.groupby(["family", "kind"], as_index=False, sort=False).agg(
        features=("m", "size"), missing=("m", "mean"), most_missing=("m", "max")
    )
    arms = [str(arm) for arm in cohort[nm.ARM].to_numpy()]
    return Checked(
        folder=folder,
        files=len(input_hashes(settings, folder)),
        participants=len(np.unique(cohort[nm.PARTICIPANT])),
        cases={arm: arms.count(arm) for arm in nm.ARMS},
        units=units.sizes[nm.UNIT],
        design=settings.design.kind,
        families=families,
        dropped=json.loads(cohort.attrs.get("dropped", "{}")),
        exclusions=exclusions_of(units),
    )
