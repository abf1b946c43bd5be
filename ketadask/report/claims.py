"""The first page: what was asked, what may be claimed, what may not."""

from __future__ import annotations

from typing import Any

from ketadask import names as nm
from ketadask.report.format import lookup
from ketadask.report.labels import DESIGNS, design, endpoint, simulated, unit_word
from ketadask.report.personas import ranked
from ketadask.report.report_data import ReportData

_MOST = 3
_SATURATED = 0.9


def claims(findings: ReportData) -> dict[str, Any]:
    """Return what the first page says; its tone is pending, none, suggestive or supported."""
    rows = ranked(findings)
    by_word = {w: [r for r in rows if r["verdict"] == w] for w in (nm.SUPPORTED, nm.SUGGESTIVE)}
    tone = "pending" if findings.verdicts is None else "none"
    if by_word[nm.SUGGESTIVE]:
        tone = "suggestive"
    if by_word[nm.SUPPORTED]:
        tone = "supported"
    return {
        "tone": tone,
        "supported": by_word[nm.SUPPORTED][:_MOST],
        "suggestive": by_word[nm.SUGGESTIVE][: _MOST - 1],
        "n_supported": len(by_word[nm.SUPPORTED]),
        "n_suggestive": len(by_word[nm.SUGGESTIVE]),
        "adds": all(r["adds"] is not None for r in by_word[nm.SUPPORTED][1:]),
        "n_rows": len(rows),
        "best": rows[0] if rows else None,
        "asked": asked(findings),
        "simulated": simulated(findings),
        "alpha": lookup(findings.settings, "verdict.alpha", 0.05),
        "gate_p": lookup(findings.settings, "gates.p", 0.05),
        "gate_d": lookup(findings.settings, "gates.d", 0.5),
        "gate_passed": lookup(findings.summary, "gates.published_both_share"),
        "too_few": too_few_relabellings(findings),
        "saturated": saturated(findings),
        "unproven": unproven(findings),
        "unseen": unseen(findings, by_word[nm.SUPPORTED]),
        "missing": [_PARTS_IN_WORDS[p] for p in findings.missing if p in _PARTS_IN_WORDS],
    }


def asked(findings: ReportData) -> dict[str, Any]:
    """Return the question of the study: endpoint, design, units, features, literals."""
    units = None if findings.units is None else findings.units.sizes[nm.UNIT]
    searched = findings.features
    return {
        "endpoint": endpoint(findings),
        "design": design(findings),
        "design_words": DESIGNS.get(design(findings), ""),
        "units": units,
        "unit_word": unit_word(findings, units or 0),
        "features": None if searched is None else searched.sizes[nm.FEATURE],
        "against_rest": lookup(findings.settings, "search.objective") != "effect",
        "max_literals": lookup(findings.settings, "search.max_literals"),
        "relabellings": lookup(findings.summary, "relabellings"),
        "splits": lookup(findings.summary, "splits"),
    }


def too_few_relabellings(findings: ReportData) -> int | None:
    """Return the number of relabellings where it is too small for any verdict to be supported."""
    if findings.nulls is None or len(findings.nulls) == 0:
        return None
    done = int(findings.nulls["relabelling"].nunique())
    alpha = float(lookup(findings.settings, "verdict.alpha", 0.05))
    return done if 1 / (done + 1) > alpha else None


def saturated(findings: ReportData) -> float | None:
    """Return the largest saturation of a search where it is near its ceiling."""
    known = lookup(findings.summary, "polarities", {})
    values = [lookup(v, "saturation") for v in known.values()]
    most = max((float(v) for v in values if v is not None), default=0.0)
    return most if most >= _SATURATED else None


def unproven(findings: ReportData) -> str:
    """Return why a better persona may exist than the search found; nothing where that is proven."""
    known = lookup(findings.summary, "polarities", {})
    if all(lookup(v, "proven") in (None, True) for v in known.values()):
        return ""
    beam = lookup(findings.settings, "search.strategy") == "beam"
    return "ran as a beam, which leaves combinations out" if beam else "was stopped by its budget"


def unseen(findings: ReportData, supported: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what the search finds without a trial is worth in it, of the first claim's polarity.

    ``shown`` says whether its interval lies on the side of the claim. None where nothing is
    claimed, or fewer than two trials could be left out.
    """
    polarity = str(supported[0]["polarity"]) if supported else ""
    told = lookup(findings.summary, "trials.left_out", {}).get(polarity)
    if not told or told["measured"] < 2:
        return None
    shown = told["high"] < 0 if polarity == nm.UNFAVOURABLE else told["low"] > 0
    return told | {"shown": shown}


_PARTS_IN_WORDS = {
    "cohort": "the cohort",
    "units": "the search matrix",
    "literals": "the literals",
    "verdicts": "the verdicts",
    "nulls": "the relabelled trials",
    "stability": "the stability over splits",
}
