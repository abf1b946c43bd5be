"""What all sections of a report share: data, settings, headline numbers, personas, privacy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ketadask import names as nm
from ketadask.report.comparison import ComparisonFacts, comparison_facts
from ketadask.report.facts import SettingsFacts, SummaryFacts, settings_facts, summary_facts
from ketadask.report.labels import (
    DESIGN_MEANINGS,
    EFFECT_WORDS,
    NULL_MEANINGS,
    POLARITY_WORDS,
    Endpoint,
    Mask,
    format_scale,
)
from ketadask.report.overall import OverallFacts, overall_facts
from ketadask.report.personas import PersonaView, persona_views
from ketadask.report.report_data import ReportData


@dataclass(frozen=True, eq=False)
class ReportContext:
    """The results of a study, read once for all sections.

    ``mask`` removes participant identifiers from text; it leaves text unchanged where
    ``identifiers`` is true.
    """

    data: ReportData
    settings: SettingsFacts
    summary: SummaryFacts
    comparison: ComparisonFacts | None
    endpoint: Endpoint
    design: str
    personas: tuple[PersonaView, ...]
    identifiers: bool
    mask: Mask
    overall: OverallFacts | None = None

    @property
    def design_meaning(self) -> str:
        """The design in a few words."""
        return DESIGN_MEANINGS.get(self.design, "")

    @property
    def null_meaning(self) -> str:
        """How a trial is relabelled, in a few words."""
        if self.comparison is not None:
            return self.comparison.null_text
        return NULL_MEANINGS.get(self.null_method, self.null_method)

    @property
    def null_method(self) -> str:
        """The relabellings: features, arms, no-effect or both."""
        return self.settings.null_method if self.comparison is None else self.comparison.method

    @property
    def polarity_words(self) -> dict[str, str]:
        """What the members of a persona do, by polarity; the objective `effect` compares with 0."""
        return EFFECT_WORDS if self.settings.objective == "effect" else POLARITY_WORDS

    @property
    def version(self) -> str | None:
        """Version of ketadask that computed the results."""
        return self.data.provenance.get("ketadask")

    @property
    def n_units(self) -> int | None:
        """Units searched."""
        return None if self.data.units is None else self.data.units.sizes[nm.UNIT]

    @property
    def n_features(self) -> int | None:
        """Features searched."""
        return None if self.data.features is None else self.data.features.sizes[nm.FEATURE]

    def unit_word(self, count: int = 2) -> str:
        """Return what a unit of the search is: a case, or a participant."""
        singular = "case" if self.design == "pooled" else "participant"
        return singular if count == 1 else f"{singular}s"


def build_context(data: ReportData, *, identifiers: bool | None = None) -> ReportContext:
    """Read settings, headline numbers and verdicts of a study.

    ``identifiers`` says whether to print participant identifiers; None uses the setting.
    """
    settings = settings_facts(data.settings)
    identifiers = settings.identifiers if identifiers is None else identifiers
    cohort = {} if data.cohort is None else data.cohort.attrs
    units = {} if data.units is None else data.units.attrs
    day = cohort.get("day", settings.day)
    summary = summary_facts(data.summary)
    if summary.alpha is not None:  # the level of the personas, without that of the linear modifier
        settings = replace(settings, alpha=summary.alpha)
    return ReportContext(
        data=data,
        settings=settings,
        summary=summary,
        comparison=comparison_facts(data.summary),
        endpoint=Endpoint(
            str(units.get("endpoint") or settings.endpoint),
            format_scale(str(cohort.get("outcome") or settings.outcome)),
            "" if day is None else str(day),
            str(cohort.get("definition", "")),
        ),
        design=str(units.get("design", "")) if data.units is not None else settings.design,
        personas=persona_views(data),
        identifiers=identifiers,
        mask=Mask(()) if identifiers else Mask(data.participants()),
        overall=(
            None
            if data.units is None or not data.units.sizes["unit"]
            else overall_facts(data.units)
        ),
    )
