"""Cards of a notebook: the numbers that matter of each object, and a figure where one helps.

A card has no identifiers of participants, no script and no style sheet, and what its figure shows
in colours also differs in markers or words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, singledispatch
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ketadask import names as nm
from ketadask.inference.hit_summary import count_selections, stability_frame
from ketadask.inference.notebook import NullDistribution
from ketadask.inference.null import critical_value, maxima_by_method
from ketadask.inference.selection import Selection
from ketadask.inference.verdicts import ALPHA
from ketadask.kernels.result import SearchResult
from ketadask.plot.effects import draw_personas
from ketadask.plot.results import label_text
from ketadask.plot.search_figures import draw_null, draw_stability, largest_statistics
from ketadask.plot.style import INK, LINE, MUTED, PAPER, wrap_label
from ketadask.report.canvas import Drawing, draw_axes, in_own_colours
from ketadask.report.format import ABSENT, format_fixed, format_p, format_percentage
from ketadask.report.labels import NULL_MEANINGS, POLARITY_WORDS, Endpoint, Mask, format_scale
from ketadask.schema.cohort import Cohort
from ketadask.search.literals import Literals
from ketadask.search.persona import Persona
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.resampling import ResamplingResult
from ketadask.store.ranges import range_name
from ketadask.study.discover import Discovery
from ketadask.study.plan import TrialPlan

TOP = 5
_GATE = "heterogeneity"  # that of `judge`
_NOTE = "The best of many candidates always looks good: kd.null and kd.judge test it."
_REPORT = "The full report: .report(path)"
_CARD = (
    f"max-width:46em;padding:.7em 1em;border:1px solid {LINE};border-radius:6px;"
    f"background:{PAPER};color:{INK};line-height:1.45"
)
_LIST = "display:grid;grid-template-columns:fit-content(45%) 1fr;gap:.1em 1.2em;margin:.4em 0"
_CELL = "width:auto;margin:0;padding:0;float:none;font-weight:normal"


@singledispatch
def card_html(value: Any) -> str:
    """Return the card of a `NotebookCard`.

    Examples
    --------
    >>> import ketadask as kd
    >>> "up to 3 value ranges" in card_html(kd.PersonaSearch(max_literals=3))
    True
    """
    raise TypeError(f"no card of a {type(value).__name__}")


def _card(
    title: str, facts: Mapping[str, str], figure: Drawing | None = None, note: str = ""
) -> str:
    """Return title, words with their values, figure and note; every text is escaped."""
    rows = Markup("").join(
        Markup('<dt style="{}">{}</dt><dd style="{}">{}</dd>').format(
            f"{_CELL};color:{MUTED}", word, _CELL, text
        )
        for word, text in facts.items()
    )
    drawing = "" if figure is None else in_own_colours(figure.wide)
    end = Markup("<div>{}</div>").format(note) if note else ""
    card = Markup('<div style="{}"><strong>{}</strong><dl style="{}">{}</dl>{}{}</div>')
    return str(card.format(_CARD, title, _LIST, rows, drawing, end))


def _counts(counts: Mapping[Any, int] | pd.Series[int]) -> str:
    return ", ".join(f"{count:,} {word}" for word, count in counts.items())


def _size(literals: Literals) -> str:
    names = literals.feature_names
    return (
        f"{len(literals):,} value ranges of {len(names):,} features, {literals.rows.units:,} units"
    )


def _best(
    results: Mapping[str, SearchResult], literals: Literals, labels: Mapping[str, str]
) -> dict[str, str]:
    """Return the best persona of each polarity."""
    facts = {}
    for polarity, result in results.items():
        text = "no admissible persona"
        if result.q.size:
            ids, proof = result.ids[0], "proven best" if result.proven else "not proven best"
            text = label_text(literals.sentence(ids), literals.features_of(ids), labels)
            text += f" (Q {format_fixed(result.q[0])}, {result.support[0]:,} units inside, {proof})"
        facts[f"Who {POLARITY_WORDS[polarity]}"] = text
    return facts


def _difference(row: Mapping[Any, Any], places: int) -> str:
    """Return a benefit difference as selected and, where it has an interval, corrected."""
    value, low, high = (
        format_fixed(row[f"difference_{name}"], places) for name in ("shrunken", "low", "high")
    )
    text = f"{format_fixed(row['difference'], places)} on these data"
    return text if low == ABSENT else f"{text}, {value} ({low} to {high}) corrected"


def _figure(name: str, alt: str, height: int, paint: Callable[..., object]) -> Drawing:
    return draw_axes(name, alt, (height, height), lambda ax: paint(ax=ax))


@card_html.register
def _(cohort: Cohort) -> str:
    data, people = cohort.dataset, np.unique(cohort.dataset[nm.PARTICIPANT])
    arm, modality = (data[name].to_series() for name in (nm.ARM, "modality"))
    mask = Mask(map(str, [*people, *cohort.exclusions[nm.PARTICIPANT]]))
    reasons = cohort.exclusions["reason"].map(mask).value_counts().head(TOP)
    endpoint = Endpoint("value", format_scale(data.attrs["outcome"]), str(data.attrs["day"] or ""))
    facts = {
        "Participants": f"{len(people):,} ({data.sizes[nm.CASE]:,} cases: "
        f"{_counts(arm.value_counts().sort_index())})",
        "Outcome": str(endpoint),
        "Features": f"{data.sizes[nm.FEATURE]:,} ({_counts(modality.value_counts())}); "
        f"{format_percentage(float(np.isnan(data['value'].values).mean()))} of values missing",
        "Features dropped": f"{len(cohort.dropped):,}",
        "Exclusions": f"{len(cohort.exclusions):,}"
        + (f" ({_counts(reasons)})" if len(reasons) else ""),
        "Findings in files": f"{len(cohort.findings):,}",
    }
    return _card("Cohort", facts)


@card_html.register
def _(search: PersonaSearch) -> str:
    size = f"up to {search.max_literals} value ranges; the best {search.keep:,} are kept"
    if not hasattr(search, "literals_"):
        return _card("Search, not run yet", {"Personas": size})
    literals, problem = search.literals_, getattr(search, "problem_", None)  # arrays have no labels
    best = _best(search.result_by_polarity_, literals, {} if problem is None else problem.labels)
    facts = {"Personas": size, "Searched": _size(literals)} | best
    return _card("Search", facts, note=_NOTE)


@card_html.register
def _(hits: ResamplingResult) -> str:
    literals, labels, n = hits.problem.literals, hits.problem.labels, hits.splitter.n_splits
    selection: dict[str, Selection] = {}
    for first, last in hits.parts.ranges(n):  # one part in memory at a time
        part = hits.parts.read(range_name(first, last), "hits")
        counts = count_selections(hits.problem, part, (first, min(last, n - 1)), gate=_GATE)
        selection = {p: selection[p] + c if selection else c for p, c in counts.items()}
    table = stability_frame(selection, literals.feature_names)
    best = table.iloc[int(table["frequency"].argmax())]
    name = labels.get(best["feature"], best["feature"])
    often = f"{name}, in {format_percentage(best['frequency'])} of splits"
    often = often if best["frequency"] else "no feature"
    facts = {"Splits": f"{n:,} ({hits.problem.trial.design})", "Searched": _size(literals)}
    facts |= _best(hits.result_by_polarity, literals, labels) | {"Selected most often": often}
    figure = _figure(
        "stability",
        f"Features selected in the splits; most often {often}",
        100 + 30 * min(TOP, len(literals.feature_names)),
        partial(draw_stability, table, labels=labels, top=TOP),
    )
    return _card("Hits of all splits", facts, figure, _NOTE)


@card_html.register
def _(null: NullDistribution) -> str:
    values = largest_statistics(null.table)
    critical = critical_value(maxima_by_method(null.table), ALPHA)
    facts = {
        "Relabelled trials": f"{null.relabellings:,} (seed {null.seed})",
        "Relabelling": NULL_MEANINGS.get(null.method, null.method),
        "Smallest possible p": format_p(1 / (null.relabellings + 1)),
        f"p at most {ALPHA:g}": "never, too few relabelled trials"
        if critical is None
        else f"where t is above {format_fixed(critical)}",
    }
    if not values.size:
        return _card("Search noise", facts)
    ends = f"median {format_fixed(np.median(values))}, at most {format_fixed(values.max())}"
    paint = partial(draw_null, null.table, critical=critical)
    figure = _figure("null", f"Largest t of each relabelled trial: {ends}", 250, paint)
    return _card("Search noise", facts | {"Largest t by chance": ends}, figure)


@card_html.register
def _(discovery: Discovery) -> str:
    run, verdicts, labels = discovery.run, discovery.verdicts, list(discovery.run.labels)
    count = verdicts["verdict"].value_counts()
    facts = {} if run.overall is None else {"Overall effect": run.overall.line}
    facts["Verdicts"] = _counts(
        {word: count.get(word, 0) for word in (nm.SUPPORTED, nm.SUGGESTIVE, nm.NOISE)}
    )
    for label, row in zip(labels[:TOP], verdicts.to_dict("records"), strict=False):
        facts[f"{row['rank']}. {label}"] = (
            f"{row['verdict']}, {POLARITY_WORDS[row['polarity']]}: p {format_p(row['p_adjusted'])},"
            f" {row['support']:,} inside, {row['outside']:,} outside, difference "
            + _difference(row, run.places)
        )
    if verdicts.empty:
        return _card("Discovery", facts)
    paint = partial(draw_personas, verdicts, labels=labels[:TOP], top=TOP, places=run.places)
    lines = 1 + max(wrap_label(label, 44).count("\n") for label in labels[:TOP])
    height = 90 + max(36, 20 * lines) * len(labels[:TOP])
    alt = "Benefit inside minus outside of the first personas"
    return _card("Discovery", facts, _figure("personas", alt, height, paint), _REPORT)


@card_html.register
def _(persona: Persona) -> str:
    effect, outcome = persona.discovery, persona.outcome
    day = "" if outcome.day is None else str(outcome.day)
    endpoint = Endpoint(outcome.endpoint, format_scale(outcome.scale), day)
    inside, outside = (
        format_fixed(value, endpoint.places)
        for value in (effect.benefit_inside, effect.benefit_outside)
    )
    facts = {
        "Persona": persona.persona,
        "Who is inside": f"{POLARITY_WORDS[persona.polarity]} than the others: {endpoint}, "
        f"{persona.arms[nm.ACTIVE]} compared with {persona.arms[nm.CONTROL]}",
        "Units": f"{effect.inside:,} inside ({format_percentage(effect.prevalence)}), "
        f"{effect.outside:,} outside, {effect.unknown:,} unknown",
        "Benefit": f"{inside} inside, {outside} outside ({endpoint.unit})",
        "Difference": _difference(effect.model_dump(), endpoint.places),
        "Verdict": f"{effect.verdict}, p {format_p(effect.p_adjusted)} corrected for the search",
        "Study": persona.run.name,
    }
    table = pd.DataFrame([effect.model_dump()]).filter(like="difference").astype(float)
    paint = partial(
        draw_personas, table.assign(rank=1), labels=["difference"], places=endpoint.places
    )
    alt = f"Benefit inside minus outside: {facts['Difference']}"
    return _card(persona.sentence(), facts, _figure("persona", alt, 130, paint))


@card_html.register
def _(plan: TrialPlan) -> str:
    facts = {}
    for row in plan.table.to_dict("records"):
        text = "no size reaches the power"
        if np.isfinite(row["randomised"]):
            text = f"{row['randomised']:,.0f} randomised, {row['screened']:,.0f} screened; power "
            text += f"{format_percentage(row['power'])}, averaged over the uncertainty of the "
            text += f"effect {format_percentage(row['assurance'])}"
        facts[f"{row['design']} ({row['question']})"] = text
    return _card("Next trial", facts, note=f"Curves, costs and assumptions: {plan.page.name}")
