"""One self-contained page: every section that has something to show, and what is missing."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ketadask.report.cards import cards, verdict_rows
from ketadask.report.checklists import checklists
from ketadask.report.claims import claims
from ketadask.report.downloads import downloads
from ketadask.report.explained import enrichment_view, explained_view
from ketadask.report.figures import (
    benefit_figure,
    null_figure,
    splits_without_room,
    stability_figure,
)
from ketadask.report.format import lookup, marked, marked_value
from ketadask.report.labels import POLARITY_WORDS, Mask, endpoint, mask_for
from ketadask.report.members import courses_view, family_map
from ketadask.report.methods import headline_numbers, methods, provenance, reproduce, saturation
from ketadask.report.participants import flow_view, missingness
from ketadask.report.prediction import prediction_view
from ketadask.report.recordings import recordings_view
from ketadask.report.report_data import ReportData
from ketadask.report.trials import across_view
from ketadask.schema.errors import InputError
from ketadask.store.disk import write_whole

if TYPE_CHECKING:
    import jinja2
    import pandas as pd
    import xarray as xr

SECTIONS = (
    ("claims", "What may be claimed"),
    ("stages", "How far the study is"),
    ("verdicts", "Verdicts"),
    ("personas", "The leading personas"),
    ("null", "Against relabelled trials"),
    ("stability", "Stability over splits"),
    ("families", "Family map"),
    ("benefit", "Benefit inside and outside"),
    ("across", "Across trials"),
    ("courses", "Scores over the days"),
    ("explained", "Explained and unexplained cases"),
    ("enrichment", "What enrolment by this procedure would buy"),
    ("prediction", "Response foretold from brain structure"),
    ("flow", "Flow and exclusions"),
    ("missingness", "Missing values"),
    ("recordings", "MEG recordings"),
    ("saturation", "Saturation of the search"),
    ("methods", "Methods"),
    ("checklists", "Checklists of reviewers"),
    ("numbers", "All headline numbers"),
    ("provenance", "Provenance"),
    ("reproduce", "How to reproduce this"),
)

ASKED_FOR = ("across", "prediction", "recordings", "stages")  # not every study has it


def write_page(findings: ReportData, path: str | Path, *, identifiers: bool | None = None) -> Path:
    """Write the report as one HTML file that needs no network, and return its path.

    Parameters
    ----------
    findings
        What the study has found so far; a partial study gives a partial report that says so.
    path
        The file; it is written whole or not at all.
    identifiers
        Whether participants may be named; None follows the setting `report.identifiers`.
    """
    if identifiers is None:
        identifiers = bool(lookup(findings.settings, "report.identifiers", False))
    text = render(findings, identifiers=identifiers)
    return write_whole(Path(path), text.encode("utf-8"))


def write_report(
    cohort: xr.Dataset, verdicts: pd.DataFrame, path: str | Path, **parts: Any
) -> Path:
    """Write a report of a cohort and its verdicts; any other part of `Findings` may be named.

    Parameters
    ----------
    cohort, verdicts
        As `assemble` and `judge` give them.
    path
        The file to write.
    parts
        title, units, literals, nulls, stability, summary, settings, ... of `Findings`.
    """
    title = parts.pop("title", "Who benefits, and what of it is noise")
    known = ReportData.__dataclass_fields__
    unknown = sorted(set(parts) - set(known))
    if unknown:
        raise InputError(
            "report does not know a part", value=unknown[0], remedy="valid are " + ", ".join(known)
        )
    return write_page(ReportData(title, cohort=cohort, verdicts=verdicts, **parts), path)


def render(findings: ReportData, *, identifiers: bool = False) -> str:
    """Return the report as HTML text; the same findings give the same text."""
    environment = _environment()
    views = _views(findings, mask_for(findings, identifiers), identifiers)
    shown = [(name, title) for name, title in SECTIONS if views[name] is not None]
    absent = [t for name, t in SECTIONS if views[name] is None and name not in ASKED_FOR]
    script, style = _asset("page.js"), _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = environment.get_template("page.html.j2")
    return page.render(
        title=findings.title,
        sections=shown,
        absent=absent,
        view=views,
        downloads=downloads(findings),
        endpoint=endpoint(findings),
        polarity_words=POLARITY_WORDS,
        style=Markup(style),
        script=Markup(script),
        script_hash=digest,
    )


def _views(findings: ReportData, mask: Mask, identifiers: bool) -> dict[str, Any]:
    """Return what each section shows; None where it has nothing to show."""
    return {
        "claims": claims(findings),
        "stages": findings.stages or None,
        "verdicts": verdict_rows(findings),
        "personas": cards(findings),
        "null": null_figure(findings),
        "stability": stability_figure(findings),
        "narrow": splits_without_room(findings),
        "families": family_map(findings),
        "benefit": benefit_figure(findings),
        "across": across_view(findings),
        "courses": courses_view(findings),
        "explained": explained_view(findings.explained, mask, identifiers),
        "enrichment": enrichment_view(findings.enrichment, mask),
        "prediction": prediction_view(findings.prediction, mask),
        "flow": flow_view(findings, mask, identifiers),
        "missingness": missingness(findings),
        "recordings": recordings_view(findings.recordings, mask, identifiers),
        "saturation": saturation(findings),
        "methods": methods(findings, mask),
        "checklists": checklists(findings, mask),
        "numbers": headline_numbers(findings, mask),
        "provenance": provenance(findings, mask),
        "reproduce": reproduce(findings, mask),
    }


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ketadask.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["num"] = lambda value, digits=3: marked(value, "num", digits)
    environment.filters["end"] = lambda value: marked(value, "end")
    environment.filters["fix"] = lambda value, places=2: marked(value, "fix", places)
    environment.filters["p"] = lambda value: marked(value, "p")
    environment.filters["pct"] = lambda value: marked(value, "pct")
    environment.filters["pctgiven"] = lambda value: marked(value, "pctgiven")
    environment.filters["given"] = lambda value: marked(value, "given")
    environment.filters["value"] = marked_value
    return environment


def _asset(name: str) -> str:
    return (resources.files("ketadask.report") / "templates" / name).read_text("utf-8")
