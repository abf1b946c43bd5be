"""The plan of the next trial of a locked persona: table, curves and a page in a folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.pipeline.run import run_stage
from ketadask.schema.notebook_card import NotebookCard

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.inference.trial_assumptions import PersonaEffect, TrialAssumptions
    from ketadask.pipeline.progress import Progress

SIMULATIONS = 4_000


@dataclass(frozen=True, eq=False)
class TrialPlan(NotebookCard):
    """A plan: a row per design, the curves of power and assurance, and the folder with the page."""

    table: pd.DataFrame
    curves: pd.DataFrame
    folder: Path

    @property
    def page(self) -> Path:
        """The page with the table and the curves."""
        return self.folder / "plan.html"


def plan_next_trial(
    persona_file: Path,
    trial: TrialAssumptions,
    *,
    out: Path,
    cluster: Path | None = None,
    simulations: int = SIMULATIONS,
    seed: int = 7,
    progress: Progress | None = None,
) -> TrialPlan:
    """Plan all comers, stratified, enriched and two-stage trials of a persona.

    The first three have formulas; the two-stage design is simulated on the cluster, at some sizes.
    The folder ``<persona>-plan-...`` in ``out`` contains ``plan.csv``, ``curves.csv``, the page
    ``plan.html``, and the simulated sizes, which a later call reuses.
    """
    from ketadask.inference.next_trial import (
        build_plan,
        curve_sizes,
        formula_rows,
        smallest_trials,
    )
    from ketadask.inference.trial_assumptions import persona_effect
    from ketadask.report.plan_page import write_plan_page
    from ketadask.search.persona import Persona
    from ketadask.store.fingerprints import code_version, fingerprint
    from ketadask.store.run_folder import RunFolder

    persona = Persona.read(persona_file)
    effect = persona_effect(persona)
    key = fingerprint("plan", asdict(effect), asdict(trial), simulations, seed, code_version())
    folder = RunFolder.make(out, f"{persona.persona}-plan", key)
    sizes = curve_sizes(smallest_trials(effect, trial), groups=effect.groups)
    with folder.lock():
        two_stage_curve = _two_stage_curve(
            folder, key, sizes, effect, trial,
            cluster=cluster, simulations=simulations, seed=seed, progress=progress,
        )  # fmt: skip
        formulas = formula_rows(sizes, effect, trial, seed=seed)
        table, curves = build_plan(effect, trial, formulas, two_stage_curve, seed=seed)
        folder.write_table("plan.parquet", table, csv=True)
        folder.write_table("curves.parquet", curves, csv=True)
        plan = TrialPlan(table, curves, folder.path)
        write_plan_page(persona, effect, trial, table, curves, plan.page, simulations=simulations)
    return plan


def _two_stage_curve(
    folder: Any, key: str, sizes: list[int], effect: PersonaEffect, trial: TrialAssumptions,
    *, cluster: Path | None, simulations: int, seed: int, progress: Progress | None,
) -> pd.DataFrame:  # fmt: skip
    from ketadask.cluster.connect import connect
    from ketadask.cluster.profile import Profile
    from ketadask.config.reading import read_settings
    from ketadask.inference.power_graph import two_stage_stage
    from ketadask.pipeline.progress import Progress
    from ketadask.pipeline.stage import require
    from ketadask.store.parts import Parts

    progress = progress or Progress.silent()
    profile = Profile() if cluster is None else read_settings(cluster, Profile)
    parts = Parts(folder.path / "two-stage", key)
    with connect(profile, logs=folder.path / "logs", say=progress.print) as executor:
        stage = two_stage_stage(sizes, effect, trial, parts, simulations=simulations, seed=seed)
        result = run_stage(stage, lambda: executor, progress)
        require(result)
    return parts.read_all("trials", result.total)
