"""Settings and headline numbers that a report mentions, each with one path and one default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ketadask.report.format import python_scalar

_GROUPS = (
    "best",
    "consistency_of_best",
    "searches",
    "selection",
    "left_out",
    "train_choice",
    "companion",
)


def _at(path: str, default: Any = None) -> Any:
    """A field under a dotted path; other fields have the key of their name."""
    return field(default=default, metadata={"path": path})


@dataclass(frozen=True)
class SettingsFacts:
    """Settings of a study; None where the study file does not contain them."""

    seed: int | None = None
    simulation: Mapping[str, Any] | None = _at("data.simulate")
    outcome: str = _at("outcome.scale", "")
    day: int | None = _at("outcome.day")
    endpoint: str = _at("outcome.endpoint", "improvement")
    response_threshold: float | None = _at("outcome.response_threshold")
    design: str = _at("design.kind", "")
    baseline: str | None = _at("design.baseline")
    adjust: str | None = _at("design.adjust")
    missing: str | None = _at("features.missing")
    feature_list: tuple[str, ...] | None = _at("features.include")
    volume_scaling: str | None = _at("features.volumes")
    harmonise: str | None = _at("features.harmonise")
    max_missing: float = _at("features.max_missing", 0.0)
    cuts: int | None = _at("literals.cuts")
    whole_levels: int | None = _at("literals.whole_levels")
    cut_points: Mapping[str, Any] | None = _at("literals.cut_points")
    intervals: bool = _at("literals.intervals", False)
    max_literals: int | None = _at("search.max_literals")
    min_literals: int | None = _at("search.min_literals")
    min_support: int | None = _at("search.min_support")
    strategy: str = _at("search.strategy", "exact")
    objective: str = _at("search.objective", "heterogeneity")
    polarity: str | None = _at("search.polarity")
    keep: int | None = _at("search.keep")
    distinct: str | None = _at("search.distinct")
    splits: int | None = _at("splits.count")
    scheme: str = _at("splits.scheme", "holdout")
    train_size: float | None = _at("splits.train_size")
    group_by: str | None = _at("splits.group_by")
    stratify: bool = _at("splits.stratify", False)
    gate: str | None = _at("gates.use")
    gate_p: float = _at("gates.p", 0.05)
    gate_d: float = _at("gates.d", 0.5)
    relabellings: int | None = _at("null.relabellings")
    null_method: str = _at("null.method", "features")
    alpha: float = _at("verdict.alpha", 0.05)
    suggestive: float | None = _at("verdict.suggestive")
    jaccard: float | None = _at("verdict.jaccard")
    identifiers: bool = _at("report.identifiers", False)


@dataclass(frozen=True)
class SearchFacts:
    """The search of all data for one polarity."""

    q_best: float | None = None
    kept: int | None = None
    saturation: float | None = None
    candidates: int | None = None
    nodes: int | None = None
    proven: bool | None = None
    gap: float | None = None


@dataclass(frozen=True)
class SelectionFacts:
    """Stability of the selected features over the splits."""

    stability: float | None = None
    stability_low: float | None = None
    stability_high: float | None = None
    features_per_split: float | None = None


@dataclass(frozen=True)
class BestFacts:
    """The persona with rank 1."""

    verdict: str = ""
    p_adjusted: float = float("nan")
    benefit_inside: float = float("nan")
    benefit_outside: float = float("nan")
    recurrence: float = float("nan")
    confirmed_rate: float = float("nan")


@dataclass(frozen=True)
class ChoiceFacts:
    """The best persona of each training set on its own holdout, over the splits."""

    difference: float
    difference_low: float
    difference_high: float
    d: float
    d_low: float
    d_high: float
    splits: int
    splits_empty: int = 0


@dataclass(frozen=True)
class ModifierFacts:
    """The feature most associated with the scores, or with their spread; p is over all features.

    ``alpha`` is the level of its test, None where it is not tested.
    """

    feature: str
    correlation: float
    t: float
    p: float
    alpha: float | None = None
    supported: bool = False


@dataclass(frozen=True)
class LeftOutFacts:
    """Mean effect of the personas found without a trial, measured in that trial."""

    effect: float | None = None
    low: float | None = None
    high: float | None = None
    n_estimated: int = 0
    n_confirmed: int = _at("confirmed", 0)


@dataclass(frozen=True)
class ConsistencyFacts:
    """Agreement of the trials about the best persona."""

    consistency: str = ""
    n_estimated: int = 0
    n_agreeing: int = 0
    i2: float = float("nan")
    cochran_p: float = float("nan")


@dataclass(frozen=True)
class SummaryFacts:
    """Headline numbers of a study; None where it has not reached them."""

    design: str | None = None
    outcome: str | None = None
    day: int | None = None
    endpoint: str | None = None
    participants: int | None = None
    cases: int | None = None
    units: int | None = None
    features: int | None = None
    literals: int | None = None
    imputed: int | None = None
    splits: int | None = None
    splits_too_small: int = 0
    relabellings: int | None = None
    statistic: str = "studentised"
    alpha: float | None = None
    units_unexchangeable: int = 0
    n_findings: int | None = _at("findings")
    n_supported: int | None = _at("supported")
    critical_value: float | None = None
    published_both: float | None = _at("gates.published_both_share")
    mean_benefit: float | None = _at("enrichment.benefit")
    n_trials: int | None = _at("trials.count")
    carry_over: Mapping[str, Any] | None = None
    best: BestFacts | None = None
    consistency_of_best: ConsistencyFacts | None = None
    searches: Mapping[str, SearchFacts] = field(default_factory=dict)
    selection: Mapping[str, SelectionFacts] = field(default_factory=dict)
    left_out: Mapping[str, LeftOutFacts] = field(default_factory=dict)
    train_choice: Mapping[str, ChoiceFacts] = field(default_factory=dict)
    companion: Mapping[str, ModifierFacts] = field(default_factory=dict)

    def carry_over_tests(self) -> list[tuple[str, float]]:
        """Return (trial, p) of each test; the name is '' where there is one trial."""
        tests = self.carry_over or {}
        by_trial = {"": tests} if "p" in tests else tests
        return [(name, test["p"]) for name, test in by_trial.items()]


def settings_facts(settings: Mapping[str, Any]) -> SettingsFacts:
    """Read the settings that a report mentions.

    Examples
    --------
    >>> settings_facts({"search": {"max_literals": 3}}).max_literals, settings_facts({}).alpha
    (3, 0.05)
    """
    return SettingsFacts(**_values(SettingsFacts, settings))


def summary_facts(summary: Mapping[str, Any]) -> SummaryFacts:
    """Read the headline numbers that a report mentions.

    Examples
    --------
    >>> summary_facts({"units": 33, "polarities": {"favourable": {"kept": 100}}}).searches
    {'favourable': SearchFacts(q_best=None, kept=100, ...)}
    """
    best, consistency = summary.get("best"), lookup(summary, "trials.best")
    return SummaryFacts(
        **_values(SummaryFacts, summary),
        best=BestFacts(**_values(BestFacts, best)) if best else None,
        consistency_of_best=ConsistencyFacts(**_values(ConsistencyFacts, consistency))
        if consistency
        else None,
        searches=_by_name(SearchFacts, summary, "polarities"),
        selection=_by_name(SelectionFacts, summary, "selection"),
        left_out=_by_name(LeftOutFacts, summary, "trials.left_out"),
        train_choice=_by_name(ChoiceFacts, summary, "train_choice"),
        companion=_by_name(ModifierFacts, summary, "companion"),
    )


def _by_name(cls: Any, summary: Mapping[str, Any], path: str) -> dict[str, Any]:
    groups = lookup(summary, path, {})
    return {name: cls(**_values(cls, values)) for name, values in groups.items()}


def _values(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f.name: lookup(values, f.metadata.get("path", f.name), f.default)
        for f in fields(cls)
        if f.name not in _GROUPS
    }


def lookup(values: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """Return the value under a dotted path, or ``default`` where it is absent or None.

    Examples
    --------
    >>> lookup({"null": {"relabellings": 199}}, "null.relabellings")
    199
    """
    value: Any = values
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return default
        value = value[key]
    return default if value is None else python_scalar(value)
