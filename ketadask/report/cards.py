"""The verdict table and the cards of the leading personas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketadask import names as nm
from ketadask.report.context import ReportContext
from ketadask.report.marks import Axis, RangeBar, range_bar, shared_axis
from ketadask.report.personas import FeatureLabels, LiteralView, PersonaView

MAX_CARDS = 5
MIN_ROWS, MAX_ROWS = 5, 12


@dataclass(frozen=True)
class VerdictTable:
    """All verdicts; the first ``n_open`` rows are visible at first."""

    rows: tuple[PersonaView, ...]
    n_open: int
    has_added_p: bool


@dataclass(frozen=True)
class ArmMean:
    """Mean of the endpoint inside a persona on one arm, with its 95 % interval."""

    name: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PersonaCard:
    """One persona with the range bar of each literal and the means of both arms."""

    persona: PersonaView
    literals: tuple[tuple[LiteralView, RangeBar | None], ...]
    arms: tuple[ArmMean, ...]


@dataclass(frozen=True)
class CardsView:
    """Cards of the leading personas, with one axis for their means."""

    cards: tuple[PersonaCard, ...]
    axis: Axis
    has_supported: bool


def verdicts_view(context: ReportContext) -> VerdictTable | None:
    """Return the verdicts in the order of their rank, or None where there are none yet."""
    if context.data.verdicts is None:
        return None
    n_claims = sum(row.is_claim for row in context.personas)
    return VerdictTable(
        rows=context.personas,
        n_open=min(max(n_claims + 2, MIN_ROWS), MAX_ROWS),
        has_added_p=any(row.adds_p is not None for row in context.personas),
    )


def leading(personas: tuple[PersonaView, ...]) -> tuple[PersonaView, ...]:
    """Return the supported and suggestive personas, or the first one where there are none."""
    claims = tuple(row for row in personas if row.is_claim)
    return claims[:MAX_CARDS] or personas[:1]


def cards_view(context: ReportContext) -> CardsView | None:
    """Return the cards of the leading personas."""
    labels = FeatureLabels(context.data.features)
    cards = tuple(_card(row, labels) for row in leading(context.personas))
    if not cards:
        return None
    ends = [end for card in cards for arm in card.arms for end in (arm.mean, arm.low, arm.high)]
    return CardsView(
        cards=cards,
        axis=shared_axis(ends),
        has_supported=any(card.persona.verdict == nm.SUPPORTED for card in cards),
    )


def _card(persona: PersonaView, labels: FeatureLabels) -> PersonaCard:
    return PersonaCard(
        persona,
        tuple((literal, _range_bar(literal, labels)) for literal in persona.literals),
        (
            ArmMean(nm.ACTIVE, persona.active_mean, persona.active_low, persona.active_high),
            ArmMean(nm.CONTROL, persona.control_mean, persona.control_low, persona.control_high),
        ),
    )


def _range_bar(literal: LiteralView, labels: FeatureLabels) -> RangeBar | None:
    low = -np.inf if literal.low is None else literal.low
    high = np.inf if literal.high is None else literal.high
    return None if literal.low is None else range_bar(labels.values(literal.feature), low, high)
