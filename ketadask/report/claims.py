"""The first page: the question, what may be claimed and what may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ketadask import names as nm
from ketadask.plot.effects import draw_forest
from ketadask.plot.results import member_mask
from ketadask.report.canvas import Drawing, draw_axes
from ketadask.report.context import ReportContext
from ketadask.report.facts import LeftOutFacts, ModifierFacts
from ketadask.report.format import format_fixed
from ketadask.report.members import member_masks
from ketadask.report.overall import effect_rows
from ketadask.report.personas import FeatureLabels, PersonaView, rows_as

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_CLAIMS = 3
_HIGH_SATURATION = 0.9
_RESULT_WORDS = {
    "cohort": "the cohort",
    "units": "the search matrix",
    "literals": "the literals",
    "verdicts": "the verdicts",
    "nulls": "the relabelled trials",
    "stability": "the stability over splits",
}


@dataclass(frozen=True)
class ClaimsView:
    """The first page; ``tone`` is pending, none, suggestive or supported.

    ``too_few`` is the number of relabellings where no persona can reach the significance level,
    ``saturation`` the largest one where it is high, ``unproven`` the reason why a better persona
    may exist, ``new_trials`` the effect in trials not used in the search.
    """

    tone: str
    supported_personas: tuple[PersonaView, ...]
    suggestive_personas: tuple[PersonaView, ...]
    n_supported: int
    n_suggestive: int
    all_add: bool
    n_rows: int
    best: PersonaView | None
    too_few: int | None
    saturation: float | None
    unproven: str
    new_trials: LeftOutFacts | None
    new_trials_agree: bool
    missing: tuple[str, ...]
    linear: Modifier | None
    spread: Modifier | None
    effects: tuple[EffectFacts, ...] = ()
    figure: Drawing | None = None


@dataclass(frozen=True)
class EffectFacts:
    """One row of the first forest plot; ``kind`` is that of `ketadask.plot.forest`."""

    label: str
    effect: float
    low: float
    high: float
    n: str
    kind: str


@dataclass(frozen=True)
class Modifier:
    """A single feature with which the benefit, or its spread, changes; with its label."""

    label: str
    facts: ModifierFacts

    @property
    def direction(self) -> str:
        """Whether the benefit, or its spread, grows with the feature."""
        return "increases" if self.facts.correlation > 0 else "decreases"


def claims_view(context: ReportContext) -> ClaimsView:
    """Return the content of the first page."""
    rows = context.personas
    supported_personas = tuple(r for r in rows if r.verdict == nm.SUPPORTED)
    suggestive_personas = tuple(r for r in rows if r.verdict == nm.SUGGESTIVE)
    new_trials = _new_trials(context, supported_personas)
    effects = _effects(context)
    return ClaimsView(
        tone=_tone(context),
        supported_personas=supported_personas[:_MAX_CLAIMS],
        suggestive_personas=suggestive_personas[: _MAX_CLAIMS - 1],
        n_supported=len(supported_personas),
        n_suggestive=len(suggestive_personas),
        all_add=all(r.adds_p is not None for r in supported_personas[1:]),
        n_rows=len(rows),
        best=rows[0] if rows else None,
        too_few=_too_few_relabellings(context),
        saturation=_high_saturation(context),
        unproven=_unproven(context),
        new_trials=new_trials,
        new_trials_agree=new_trials is not None
        and _agrees(new_trials, supported_personas[0].polarity),
        missing=tuple(_RESULT_WORDS[name] for name in context.data.missing),
        linear=modifier(context, "linear"),
        spread=modifier(context, "spread"),
        effects=effects,
        figure=_effects_figure(context, effects) if effects else None,
    )


def _effects(context: ReportContext) -> tuple[EffectFacts, ...]:
    """Return the overall effect and that of the first persona, if it is a claim."""
    units, overall = context.data.units, context.overall
    if units is None or overall is None:
        return ()
    verdicts, literals = context.data.verdicts, context.data.literals
    claim = next((row for row in context.personas if row.is_claim), None)
    inside = None
    if claim is not None and member_masks(context, (claim,)):
        assert verdicts is not None  # the claim is a row of both
        assert literals is not None
        persona = verdicts[verdicts["rank"] == claim.rank].iloc[0]
        inside = member_mask(units, literals, persona)
    rows = effect_rows(units, overall, inside, None if claim is None else vars(claim))
    return tuple(rows_as(pd.DataFrame(rows), EffectFacts))


def _effects_figure(context: ReportContext, effects: tuple[EffectFacts, ...]) -> Drawing:
    endpoint, table = context.endpoint, pd.DataFrame([vars(row) for row in effects])
    alt = f"Benefit in {endpoint.unit}: " + "; ".join(
        f"{row.label} {format_fixed(row.effect, endpoint.places)}" for row in effects
    )
    height = 62 + 40 * len(effects)

    def paint(ax: Axes) -> None:
        draw_forest(table, places=endpoint.places, xlabel=f"benefit, {endpoint.unit}", ax=ax)

    return draw_axes("effects", alt, (height, height + 20), paint)


def modifier(context: ReportContext, name: str) -> Modifier | None:
    """Return the feature most associated with the scores (linear) or with their spread."""
    facts = context.summary.companion.get(name)
    if facts is None:
        return None
    return Modifier(FeatureLabels(context.data.features).label(facts.feature), facts)


def _tone(context: ReportContext) -> str:
    verdicts = {row.verdict for row in context.personas}
    if verdicts & {nm.SUPPORTED, nm.SUGGESTIVE}:
        return nm.SUPPORTED if nm.SUPPORTED in verdicts else nm.SUGGESTIVE
    return "pending" if context.data.verdicts is None else "none"


def _too_few_relabellings(context: ReportContext) -> int | None:
    nulls = context.data.nulls
    if nulls is None or len(nulls) == 0:
        return None
    count = int(nulls["relabelling"].nunique())
    return count if 1 / (count + 1) > context.settings.alpha else None


def _high_saturation(context: ReportContext) -> float | None:
    searches = context.summary.searches.values()
    largest = max((float(s.saturation) for s in searches if s.saturation is not None), default=0.0)
    return largest if largest >= _HIGH_SATURATION else None


def _unproven(context: ReportContext) -> str:
    if all(s.proven in (None, True) for s in context.summary.searches.values()):
        return ""
    if context.settings.strategy == "beam":
        return "was a beam search, which does not examine all combinations"
    return "reached its limit before it could prove this"


def _new_trials(context: ReportContext, claims: tuple[PersonaView, ...]) -> LeftOutFacts | None:
    """Return the effect in trials left out, for the polarity of the first claim."""
    facts = context.summary.left_out.get(claims[0].polarity) if claims else None
    return facts if facts is not None and facts.n_estimated >= 2 else None


def _agrees(facts: LeftOutFacts, polarity: str) -> bool:
    if facts.low is None or facts.high is None:
        return False
    return facts.high < 0 if polarity == nm.UNFAVOURABLE else facts.low > 0
