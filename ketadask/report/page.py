"""The report as one self-contained page: every section with results, and what is missing."""

from __future__ import annotations

import base64
import hashlib
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ketadask.cohort.units import design_exclusions
from ketadask.report.baseline import baseline_view, columns_view
from ketadask.report.cards import cards_view, verdicts_view
from ketadask.report.checklists import checklist_views
from ketadask.report.claims import claims_view
from ketadask.report.context import ReportContext, build_context
from ketadask.report.downloads import result_downloads
from ketadask.report.explained import enrichment_view, explained_view
from ketadask.report.figures import benefit_view, null_view, stability_view
from ketadask.report.format import FORMATS, number_element, p_statement, value_element
from ketadask.report.glossary import glossary_section
from ketadask.report.members import courses_view, family_map
from ketadask.report.methods import (
    all_settings,
    headline_numbers,
    provenance_pairs,
    reproduce_view,
    saturation_view,
)
from ketadask.report.participants import flow_view, missingness_view
from ketadask.report.prediction import answer_view, prediction_view
from ketadask.report.recordings import recordings_view
from ketadask.report.report_data import ReportData
from ketadask.report.trials import across_view
from ketadask.schema.cohort import Cohort, dataset_of
from ketadask.schema.errors import InputError
from ketadask.store.disk import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import jinja2
    import pandas as pd
    import xarray as xr


def _stages(context: ReportContext) -> object | None:
    return None if context.data.is_prediction_only else context.data.stages or None


def _claims(context: ReportContext) -> object | None:
    return None if context.data.is_prediction_only else claims_view(context)


# Template, heading and view of each section, in the order of the page.
SECTIONS: tuple[tuple[str, str, Callable[[ReportContext], object | None]], ...] = (
    ("answer", "Response predicted", answer_view),
    ("claims", "What may be claimed", _claims),
    ("stages", "Progress of the study", _stages),
    ("verdicts", "Verdicts", verdicts_view),
    ("personas", "Personas in detail", cards_view),
    ("null", "Comparison with relabelled trials", null_view),
    ("stability", "Stability over splits", stability_view),
    ("families", "Overlap of personas", family_map),
    ("benefit", "Benefit difference, corrected for the search", benefit_view),
    ("across", "Across trials", across_view),
    ("courses", "Scores over time", courses_view),
    ("explained", "Explained and unexplained cases", explained_view),
    ("enrichment", "Expected gain from enrichment", enrichment_view),
    ("prediction", "Response predicted from brain structure", prediction_view),
    ("flow", "Flow of participants and exclusions", flow_view),
    ("baseline", "Baseline", baseline_view),
    ("missingness", "Missing values", missingness_view),
    ("recordings", "MEG recordings", recordings_view),
    ("columns", "Columns of the data", columns_view),
    ("saturation", "Saturation of the search", saturation_view),
    ("methods", "Methods", all_settings),
    ("checklists", "Reporting checklists", checklist_views),
    ("numbers", "All headline numbers", headline_numbers),
    ("provenance", "Provenance", provenance_pairs),
    ("reproduce", "How to reproduce this report", reproduce_view),
)
# Not part of every study.
OPTIONAL = ("answer", "across", "columns", "prediction", "recordings", "stages")
KIND, PREDICTION_KIND = "Report on treatment benefit by persona", "Report on predicted response"


def write_page(data: ReportData, path: str | Path, *, identifiers: bool | None = None) -> Path:
    """Write the report as one HTML file that needs no network, and return its path.

    Parameters
    ----------
    data
        Results of the study; the report of an unfinished study says what is missing.
    path
        The file; it is written completely or not at all.
    identifiers
        Whether to print participant identifiers; None uses the setting `report.identifiers`.
    """
    return write_file(Path(path), render(data, identifiers=identifiers).encode("utf-8"))


def write_report(
    cohort: Cohort | xr.Dataset, verdicts: pd.DataFrame, path: str | Path, **parts: Any
) -> Path:
    """Write a report of a cohort and its verdicts.

    Parameters
    ----------
    cohort, verdicts
        Results of `assemble` and `judge`.
    path
        The file to write.
    parts
        title, units, literals, nulls, stability, summary, settings, ... of `ReportData`.

    Examples
    --------
    >>> import ketadask as kd
    >>> scales = kd.read_phenotype(kd.simulate_study("study", participants=33), ["madrs"])
    >>> cohort = kd.assemble(scales, outcome="madrs", day=7)
    >>> search = kd.PersonaSearch(max_literals=1)
    >>> hits = search.run(cohort, kd.HoldoutSplit(10), store="runs")
    >>> verdicts = kd.judge(hits, kd.null(search, cohort, relabellings=39))
    >>> kd.write_report(cohort, verdicts, "report.html").name
    'report.html'
    """
    title = parts.pop("title", "Benefit by persona")
    names = ReportData.__dataclass_fields__
    unknown = sorted(set(parts) - set(names))
    if unknown:
        raise InputError(
            "unknown part of a report", value=unknown[0], remedy="valid are " + ", ".join(names)
        )
    if isinstance(cohort, Cohort):
        exclusions = _exclusions(cohort, parts.get("units"))
        facts = {"courses": cohort.courses, "columns": cohort.columns}
        parts = {"exclusions": exclusions, **facts} | parts
    data = ReportData(title, cohort=dataset_of(cohort), verdicts=verdicts, **parts)
    return write_page(data, path)


def _exclusions(cohort: Cohort, units: xr.Dataset | None) -> pd.DataFrame:
    if units is None:
        return cohort.exclusions
    design, endpoint = units.attrs["design"], units.attrs["endpoint"]
    return design_exclusions(cohort, design=design, endpoint=endpoint)


def render(data: ReportData, *, identifiers: bool | None = None) -> str:
    """Return the report as HTML text; equal results give equal text."""
    context = build_context(data, identifiers=identifiers)
    views = {name: view(context) for name, _, view in SECTIONS}
    headings = [(name, title) for name, title, _ in SECTIONS if views[name] is not None]
    missing = [t for n, t, _ in SECTIONS if views[n] is None and n not in OPTIONAL]
    return page_text(
        data.title,
        headings,
        views,
        kind=PREDICTION_KIND if data.is_prediction_only else KIND,
        missing=[] if data.is_prediction_only else missing,
        downloads=result_downloads(data),
        study=context,
        endpoint=context.endpoint,
    )


def page_text(
    title: str,
    sections: Sequence[tuple[str, str]],
    views: Mapping[str, object],
    *,
    kind: str = KIND,
    missing: Sequence[str] = (),
    scripts: Sequence[str] = ("page.js",),
    **values: object,
) -> str:
    """Return a page as HTML text.

    Parameters
    ----------
    title, kind
        Heading of the page, and the line above it.
    sections
        Template and heading of each section, in their order.
    views
        View of each template, ``view.NAME`` there.
    missing
        Headings of sections without results.
    scripts
        Names of the scripts.
    values
        Further values of the templates.
    """
    script, style = "".join(map(_asset, scripts)), page_style()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = (
        page_environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            kind=kind,
            sections=sections,
            missing=missing,
            view=views,
            style=Markup(style),
            script=Markup(script),
            script_hash=digest,
            **values,
        )
    )
    return page.replace("</main>", glossary_section(page) + "</main>", 1)


@cache
def page_environment() -> jinja2.Environment:
    """Return the templates with the formats of numbers as filters."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ketadask.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for style in FORMATS:
        environment.filters[style] = partial(number_element, style=style)
    environment.filters["num"] = lambda value, digits=3: number_element(value, "num", digits)
    environment.filters["fix"] = lambda value, places=2: number_element(value, "fix", places)
    environment.filters["value"] = value_element
    environment.filters["p_statement"] = p_statement
    environment.filters["capitalise"] = lambda text: text[:1].upper() + text[1:]
    return environment


def page_style() -> str:
    """Return the style sheet of all pages."""
    return _asset("page.css")


def _asset(name: str) -> str:
    return (resources.files("ketadask.report") / "templates" / name).read_text("utf-8")
