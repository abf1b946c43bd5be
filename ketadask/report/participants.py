"""Flow of participants, exclusions with reasons, and missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.plot.patients import draw_flow, flow_heights, flow_lines
from ketadask.report.canvas import Drawing, draw_axes
from ketadask.report.context import ReportContext
from ketadask.report.labels import Mask
from ketadask.report.personas import rows_as

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ReasonCount:
    """A reason of exclusion and the number of participants it concerns."""

    reason: str
    participants: int


@dataclass(frozen=True)
class ExclusionRow:
    """One exclusion; period 0 means the whole participant."""

    participant: str
    period: int
    reason: str


@dataclass(frozen=True)
class FlowView:
    """Counts from assessed to searched; None where a count or a list is not available."""

    assessed: int | None
    before: tuple[ReasonCount, ...] | None
    after: tuple[ReasonCount, ...] | None
    exclusions: tuple[ExclusionRow, ...]
    participants: int | None
    cases: int | None
    arms: dict[str, int]
    figure: Drawing


@dataclass(frozen=True)
class ModalityMissingness:
    """Missing values of one modality, and its feature with most of them ('' if complete)."""

    modality: str
    features: int
    complete: int
    fraction: float
    worst_feature: str
    worst_fraction: float


@dataclass(frozen=True)
class MissingnessView:
    """Missing values by modality."""

    modalities: tuple[ModalityMissingness, ...]
    n_rows: int
    row_word: str


def flow_view(context: ReportContext) -> FlowView | None:
    """Return counts and exclusions, separately before the cohort and before the search."""
    cohort, table = context.data.cohort, context.data.exclusions
    if cohort is None and context.data.units is None:
        return None
    identifiers: list[str] = []
    periods: list[int] = []
    if cohort is not None:
        identifiers = [str(p) for p in cohort[nm.PARTICIPANT].values]
        periods = cohort["period"].values.tolist()
    before = after = None
    if table is not None:
        in_cohort = _in_cohort(table, identifiers, periods)
        before = _reasons(table[~in_cohort], context.mask)
        after = _reasons(table[in_cohort], context.mask)
    outside = set() if table is None else set(map(str, table["participant"]))
    listed_table = table if context.identifiers else None
    assessed = None if cohort is None else len({*identifiers, *outside})
    arms = {} if cohort is None else _arm_counts(cohort[nm.ARM].values)
    steps: list[tuple[str, list[str]]] = []
    if cohort is not None:
        participants = f"{len(set(identifiers)):,} participants"
        counts = ", ".join(f"{n:,} {arm}" for arm, n in arms.items())
        cases = f"{participants} with {len(identifiers):,} cases in the cohort ({counts})"
        steps = [
            (f"{assessed:,} participants assessed", _reason_lines(before, "Excluded")),
            (cases, [] if context.n_units is None else _reason_lines(after, "Not searched")),
        ]
    if context.n_units is not None:
        meaning = f": {context.design_meaning}" if context.design_meaning else ""
        last_step = f"{context.n_units:,} {context.unit_word(context.n_units)} searched"
        steps.append((f"{last_step} ({context.design}{meaning})", []))
    return FlowView(
        assessed=assessed,
        before=before,
        after=after,
        exclusions=() if listed_table is None else tuple(rows_as(listed_table, ExclusionRow)),
        participants=None if cohort is None else len(set(identifiers)),
        cases=None if cohort is None else len(identifiers),
        arms=arms,
        figure=_flow_figure(steps),
    )


def _reason_lines(reasons: tuple[ReasonCount, ...] | None, heading: str) -> list[str]:
    """Return the lines beside an arrow: each reason with its number of participants."""
    if reasons is None:
        return ["Exclusions are not available"]
    rows = [
        f"{r.participants:,} participant{'' if r.participants == 1 else 's'}: {r.reason}"
        for r in reasons
    ]
    return [f"{heading}, completely or for one period:", *rows] if rows else ["No exclusions"]


def _flow_figure(steps: list[tuple[str, list[str]]]) -> Drawing:
    alt = "; ".join(". ".join([text, *reasons]) for text, reasons in steps)
    wide, narrow = (
        int(sum(flow_heights(flow_lines(steps, narrow=is_narrow)))) for is_narrow in (False, True)
    )
    return draw_axes("flow", alt, (wide, narrow), lambda ax: draw_flow(steps, ax=ax))


def _in_cohort(table: pd.DataFrame, identifiers: list[str], periods: list[int]) -> np.ndarray:
    """Return whether each exclusion concerns a case or a participant of the cohort."""
    cases = set(zip(identifiers, periods, strict=True)) | {(name, 0) for name in identifiers}
    rows = zip(table["participant"].map(str), table["period"], strict=True)
    return np.array([row in cases for row in rows], bool)


def _reasons(table: pd.DataFrame, mask: Mask) -> tuple[ReasonCount, ...]:
    """Return each reason with its number of participants, the most frequent first."""
    groups = table.assign(reason=[mask(r) for r in table["reason"]]).groupby("reason")
    counts = [ReasonCount(str(r), int(rows["participant"].nunique())) for r, rows in groups]
    return tuple(sorted(counts, key=lambda count: (-count.participants, count.reason)))


def _arm_counts(arm: np.ndarray) -> dict[str, int]:
    return {name: int((arm == name).sum()) for name in nm.ARMS}


def missingness_view(context: ReportContext) -> MissingnessView | None:
    """Return the missing values of each modality; None where there are no rows."""
    dataset = context.data.features
    if dataset is None:
        return None
    missing = np.isnan(np.asarray(dataset["value"].values, float))
    if not len(missing):
        return None
    modality = np.asarray(dataset["modality"].values).astype(str)
    label = np.asarray(dataset["label"].values).astype(str)
    return MissingnessView(
        modalities=tuple(
            _modality_missingness(name, missing[:, modality == name], label[modality == name])
            for name in sorted(set(modality))
        ),
        n_rows=len(missing),
        row_word=context.unit_word() if context.n_units is not None else "cases",
    )


def _modality_missingness(name: str, missing: np.ndarray, label: np.ndarray) -> ModalityMissingness:
    by_feature = missing.mean(axis=0)
    worst = int(by_feature.argmax())
    return ModalityMissingness(
        modality=name,
        features=missing.shape[1],
        complete=int((by_feature == 0).sum()),
        fraction=float(missing.mean()),
        worst_feature=str(label[worst]) if by_feature[worst] > 0 else "",
        worst_fraction=float(by_feature[worst]),
    )
