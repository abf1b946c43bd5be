"""The first page: the question, what may be claimed and what may not."""

from __future__ import annotations

from dataclasses import dataclass

from ketadask import names as nm
from ketadask.report.context import ReportContext
from ketadask.report.facts import LeftOutFacts, ModifierFacts
from ketadask.report.personas import FeatureLabels, PersonaView

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
    )


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
