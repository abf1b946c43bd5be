"""Power of a study, from simulations of its size and its search."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.pipeline.run import run_stage
from ketadask.study.comparison import persona_levels
from ketadask.study.from_settings import search_of

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.config.study import StudySettings
    from ketadask.inference.power import Scenario
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.study.study import Study

EFFECTS = (0.8, 1.2, 2.1)
PREVALENCE = 0.35
SHORT_LIST = 20
"""Number of features of a prespecified list."""

FEWEST, MOST, STEP = 20, 60, 10
_NODES = 100_000
_PREVIEW_SECONDS = 5.0


@dataclass(frozen=True)
class PowerPreview:
    """Power of a study of this size for a large persona.

    Parameters
    ----------
    scenario
        Simulated design, size and effect.
    n_detected, simulations
        Number of studies with a supported persona, and of all.
    high
        Upper limit of the 95 % interval of their ratio.
    smaller
        The same three numbers for smaller effects: effect, studies with a supported persona, all.
    """

    scenario: Scenario
    n_detected: int
    simulations: int
    high: float
    smaller: tuple[tuple[float, int, int], ...] = ()

    @property
    def is_very_low(self) -> bool:
        """Whether power is below one half, by the upper limit of its interval."""
        return self.high < 0.5


def size_of(study: Study) -> tuple[int, int]:
    """Return the numbers of participants and features of the study."""
    from ketadask import names as nm
    from ketadask.study.from_settings import later_features, read_cohort, units_of
    from ketadask.study.paths import prepare_data

    settings = study.settings
    cohort = read_cohort(settings, prepare_data(settings, study.out, study.progress))
    units = units_of(settings, cohort)
    features = units.sizes[nm.FEATURE] + len(later_features(settings, cohort))
    return len(set(units[nm.PARTICIPANT].to_numpy().tolist())), features


def plan(
    settings: StudySettings,
    participants: Sequence[int],
    features: Sequence[int],
    effects: Sequence[float] = EFFECTS,
    prevalences: Sequence[float] = (PREVALENCE,),
) -> list[Scenario]:
    """Return scenarios with the design and depth of a study, for all combinations of sizes."""
    from ketadask.inference.power import build_scenarios

    return build_scenarios(
        design=settings.design.kind,
        participants=participants,
        features=features,
        effect=effects,
        prevalence=prevalences,
        literals=min(settings.search.max_literals, *features),
    )


def planned_search(settings: StudySettings) -> PersonaSearch:
    """Return the study's search without settings that name features or modalities."""
    search = search_of(settings)
    keep = min(search.keep, settings.null.candidates)
    return search.set_params(cut_points=None, priority=None, min_modalities=1, keep=keep)


def second_stage(settings: StudySettings) -> dict[str, Any]:
    """Return the settings of the second stage: how many personas, ranked by what."""
    return {"candidates": settings.null.candidates, "statistic": settings.null.statistic}


def preview_power(settings: StudySettings, participants: int, features: int) -> PowerPreview:
    """Simulate studies of this size with a persona as large as the published ones, d = 2.1.

    Simulates 20 to 60 studies in a few seconds, and 20 of each smaller effect where that took
    little time. Limits of nodes and time end long searches with the best personas so far.
    """
    effects = sorted(EFFECTS, reverse=True)
    start = time.monotonic()
    counts: list[tuple[Scenario, int, int, float]] = []
    for most, scenario in zip(
        (MOST, FEWEST, FEWEST), plan(settings, [participants], [features], effects), strict=True
    ):
        if counts and time.monotonic() - start > _PREVIEW_SECONDS:
            break
        counts.append((scenario, *_preview_scenario(settings, scenario, most)))
    (scenario, n_detected, simulations, high), *smaller = counts
    small = tuple((other.effect, n, count) for other, n, count, _ in reversed(smaller))
    return PowerPreview(scenario, n_detected, simulations, high, small)


def _preview_scenario(
    settings: StudySettings, scenario: Scenario, most: int
) -> tuple[int, int, float]:
    """Return the studies with a supported persona, all, and the upper limit of their ratio."""
    from ketadask.inference.power import power_block, summarise_power

    search = planned_search(settings).set_params(max_nodes=_NODES, max_seconds=0.3)
    start, tables = time.monotonic(), []
    for first in range(0, most, STEP):
        block = (first, first + STEP - 1)
        options = second_stage(settings)
        tables.append(power_block(scenario, search, block, seed=settings.seed, **options))
        if first + STEP >= FEWEST and time.monotonic() - start > 2.0:
            break
    count = STEP * len(tables)
    row = summarise_power(scenario, tables, _level(settings, count))
    return round(row["power"] * count), count, row["power_high"]


def study_power(
    study: Study, scenarios: Sequence[Scenario], *, simulations: int
) -> tuple[pd.DataFrame, Path]:
    """Simulate scenarios on the study's cluster; return the table and its folder.

    The folder ``<name>-power-...`` in the folder of runs contains ``power.csv``, the figure
    ``power.svg`` and the parts, which a later call reuses.
    """
    import pandas as pd

    from ketadask.cluster.connect import connect
    from ketadask.inference.power import summarise_power
    from ketadask.inference.power_graph import power_stage
    from ketadask.pipeline.stage import require
    from ketadask.report.canvas import standalone
    from ketadask.report.power_figure import power_figure
    from ketadask.store.fingerprints import code_version, fingerprint
    from ketadask.store.parts import Parts
    from ketadask.store.run_folder import RunFolder
    from ketadask.study.run import SEARCH

    settings = study.settings
    search, alpha = planned_search(settings), _level(settings, simulations)
    key = fingerprint(
        "power",
        [vars(scenario) for scenario in scenarios],
        search.get_params(),
        second_stage(settings),
        simulations,
        settings.seed,
        code_version(),
    )
    folder = RunFolder.make(study.out, f"{settings.name}-power", key)
    parts = Parts(folder.path / "studies", key)
    profile, logs, say = study.profile.for_stage(SEARCH), folder.path / "logs", study.progress.print
    with folder.lock(), connect(profile, logs=logs, say=say) as executor:
        stage = power_stage(
            scenarios,
            search,
            parts,
            simulations=simulations,
            seed=settings.seed,
            **second_stage(settings),
        )
        execution = settings.execution
        result = run_stage(
            stage,
            lambda: executor,
            study.progress,
            block=execution.block,
            task_seconds=execution.task_seconds,
        )
        require(result)
        studies = parts.read_all("studies", result.total)
        rows: list[dict[str, Any]] = [
            summarise_power(scenario, [studies[studies["scenario"] == k]], alpha)
            for k, scenario in enumerate(scenarios)
        ]
        table = pd.DataFrame(rows)
        folder.write_table("power.parquet", table, csv=True)
        folder.write_text("power.svg", standalone(power_figure(table)))
    return table, folder.path


def _level(settings: StudySettings, simulations: int) -> float:
    """Return the level of the personas, or the smallest one that so many simulations can have."""
    return max(persona_levels(settings)[0], 1 / (simulations + 1))


def default_sizes(participants: int, features: int) -> tuple[list[int], list[int]]:
    """Return this number of participants, twice and four times it; few and all features.

    Examples
    --------
    >>> default_sizes(33, 360), default_sizes(33, 12)
    (([33, 66, 132], [20, 360]), ([33, 66, 132], [12]))
    """
    return [participants, 2 * participants, 4 * participants], sorted(
        {min(SHORT_LIST, features), features}
    )
