"""The checklists of reviewers: what the study answers, and what only its authors can."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from ketadask.report.labels import Mask
from ketadask.report.report_data import ReportData


def checklists(findings: ReportData, mask: Mask) -> list[dict[str, Any]] | None:
    """Return a list of items and answers per instrument; None before there is a summary."""
    if not findings.summary:
        return None
    told = checklist(findings.summary, findings.settings)
    return [
        {
            "instrument": instrument,
            "items": [(item, None if answer is None else mask(answer)) for _, item, answer in rows],
            "open": sum(answer is None for _, _, answer in rows),
        }
        for instrument, rows in ((name, list(each)) for name, each in groupby(told, lambda t: t[0]))
    ]


ICEMAN, PATH, REMARK, TRIPOD = "ICEMAN", "PATH", "REMARK", "TRIPOD+AI"

# Instrument, item in few words, and the name of its answer; None where only authors can know.
ITEMS: tuple[tuple[str, str, str | None], ...] = (
    (ICEMAN, "1 Was the direction of the effect modification hypothesised beforehand?", None),
    (ICEMAN, "2 Is it supported by earlier evidence?", None),
    (ICEMAN, "3 Does a test of interaction make chance unlikely?", "chance"),
    (ICEMAN, "4 Were few modifiers tested, or is their number accounted for?", "multiplicity"),
    (ICEMAN, "5 Were arbitrary cut points of continuous modifiers avoided?", "cuts"),
    (PATH, "Is the overall effect of treatment reported?", "overall"),
    (PATH, "Is the benefit inside and outside given on the scale of the outcome?", "benefit"),
    (PATH, "Are variables combined rather than taken one at a time?", "combined"),
    (PATH, "Is effect modelling guarded against overfitting?", "multiplicity"),
    (PATH, "Is it validated on participants it was not made from?", "holdout"),
    (PATH, "Was a model of baseline risk considered first?", None),
    (PATH, "Were candidate modifiers few, and named beforehand with a reason?", None),
    (REMARK, "1 Markers, objectives, hypotheses named beforehand", None),
    (REMARK, "2 Characteristics of participants, where they come from, eligibility", None),
    (REMARK, "3 Treatments and how they were assigned", "design"),
    (REMARK, "4 Material measured, and how it was kept", None),
    (REMARK, "5 Methods of measurement, blind to outcome", None),
    (REMARK, "6 Period of recruitment and follow-up", None),
    (REMARK, "7 Endpoints", "outcome"),
    (REMARK, "8 All candidate variables", "candidates"),
    (REMARK, "9 Rationale of the sample size", None),
    (REMARK, "10 Statistical methods, missing values included", "methods"),
    (REMARK, "11 How values were handled, how cut points were chosen", "cuts"),
    (REMARK, "12 Flow of participants through the analysis", "flow"),
    (REMARK, "13 Demographics and standard prognostic variables", None),
    (REMARK, "14 Relation of markers to standard prognostic variables", None),
    (REMARK, "15-17 Estimated effects with intervals", "estimates"),
    (REMARK, "18 Further checks: internal validation, sensitivity", "holdout"),
    (REMARK, "19 Interpretation and limitations", "limits"),
    (REMARK, "20 Implications for research and practice", None),
    (TRIPOD, "1-4 Title, abstract, background, objectives", None),
    (TRIPOD, "5 Sources of data and their dates", None),
    (TRIPOD, "6 Setting, eligibility, treatments received", None),
    (TRIPOD, "7 Preparation of the data", "preparation"),
    (TRIPOD, "8 Outcome, and how it was assessed", "outcome"),
    (TRIPOD, "9 Predictors, and how they were chosen and measured", "candidates"),
    (TRIPOD, "10 Sample size", "flow"),
    (TRIPOD, "11 Missing data", "missing"),
    (TRIPOD, "12 Analytical methods, model choice, evaluation", "methods"),
    (TRIPOD, "13 Class imbalance", None),
    (TRIPOD, "14 Fairness", None),
    (TRIPOD, "15 Output of the model", "output"),
    (TRIPOD, "16 Differences between development and evaluation data", "holdout"),
    (TRIPOD, "17 Ethical approval", None),
    (TRIPOD, "18 Funding, conflicts, protocol, registration, data sharing", None),
    (TRIPOD, "18f Code sharing, and how to do it again", "again"),
    (TRIPOD, "19 Involvement of patients and the public", None),
    (TRIPOD, "20 Flow and characteristics of participants", "flow"),
    (TRIPOD, "21-23 Development, specification, performance with intervals", "estimates"),
    (TRIPOD, "24 Updating of the model", None),
    (TRIPOD, "25 Interpretation, fairness included", None),
    (TRIPOD, "26 Limitations", "limits"),
    (TRIPOD, "27 Use in practice, and what it needs", None),
)
# ICEMAN asks these of several trials taken together.
OF_TRIALS: tuple[tuple[str, str, str | None], ...] = (
    (ICEMAN, "Is the comparison one within trials rather than between them?", "within"),
    (ICEMAN, "Is the effect modification similar from trial to trial?", "similar"),
    (ICEMAN, "Was a random effects model used?", "random"),
)


def checklist(
    summary: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[tuple[str, str, str | None]]:
    """Return every item of the four instruments with its answer.

    Parameters
    ----------
    summary
        Headline numbers of a study, as its ``summary.json`` holds them; may be empty.
    settings
        What was asked, as its provenance holds it; may be empty.

    Returns
    -------
    (instrument, item, answer): the answer is None where only the authors can give it, or where
    the study has not come so far.

    References
    ----------
    Schandelmaier et al. 2020, 10.1503/cmaj.200077 (ICEMAN); Kent et al. 2020, 10.7326/M18-3668
    (PATH); Altman et al. 2012, 10.1371/journal.pmed.1001216 (REMARK); Collins et al. 2024,
    10.1136/bmj-2023-078378 (TRIPOD+AI). Items are worded in short; the papers hold.

    Examples
    --------
    >>> told = checklist({"features": 360, "literals": 3620}, {})
    >>> [answer for name, item, answer in told if item.startswith("8 All")]
    ['360 features, cut into 3,620 value ranges']
    """
    answers = {**_of_settings(settings), **_of_summary(summary, settings)}
    trials = summary.get("trials")
    answers |= _of_trials(trials, answers.get("holdout")) if trials else {}
    asked = (*OF_TRIALS, *ITEMS) if trials else ITEMS
    return [(name, item, answers.get(key) if key else None) for name, item, key in asked]


def _of_trials(told: Mapping[str, Any], holdout: str | None) -> dict[str, str]:
    made = {
        "within": "within: trials are brought to the same mean score, features are exchanged and "
        "splits drawn within trial",
        "random": "yes: Paule and Mandel's variance, Hartung and Knapp's interval",
    }
    best = told.get("best")
    if best:
        made["similar"] = (
            f"best persona: {best['where']}; {best['agreeing']} of {best['measured']} effects "
            "point its way"
        )
        if best.get("i2") is not None and best["i2"] == best["i2"]:
            made["similar"] += f"; I2 {100 * best['i2']:.0f} %, Q p = {best['q_p']:.3f}"
    left = "; ".join(
        f"{part['confirmed']} of {told['count']} ({polarity})"
        for polarity, part in told["left_out"].items()
    )
    if holdout and left:
        own = holdout.removesuffix("; not on another trial")
        made["holdout"] = f"{own}; found without a trial and confirmed in it: {left}"
    return made


def _of_settings(asked: Mapping[str, Any]) -> dict[str, str]:
    if not asked:
        return {}
    features, literals, search = (
        asked.get(name, {}) for name in ("features", "literals", "search")
    )
    null, splits = asked.get("null", {}), asked.get("splits", {})
    most = search.get("max_literals")
    explicit = literals.get("explicit") or {}
    cuts = f"cuts are {literals.get('cuts')} quantiles, or lie between all levels of an item"
    return {
        "cuts": f"{cuts}; they never look at outcomes and are the same in every split"
        + (f"; given by the authors for {', '.join(explicit)}" if explicit else ""),
        "combined": f"yes, up to {most} value ranges at once",
        "methods": (
            f"{search.get('strategy')} search of all combinations of up to {most} ranges, "
            f"{splits.get('count'):,} random splits, p adjusted over {null.get('relabellings'):,} "
            f"relabelled trials (max-T; exchanged: {null.get('how')})"
            if splits.get("count") and null.get("relabellings")
            else f"{search.get('strategy')} search of all combinations of up to {most} ranges"
        ),
        "missing": "features with more than "
        f"{100 * features.get('max_missing', 0):g} % missing are left out; "
        "a missing value is outside every range; nothing is imputed",
        "preparation": f"volumes {features.get('volumes')}; baseline features only",
        "output": "membership of a persona, yes or no, and the benefit inside and outside",
        "again": "versions, seeds, input hashes and the command are in the provenance",
    }


def _of_summary(told: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, str]:
    made: dict[str, str] = {}
    best = told.get("best") or {}
    if "features" in told:
        made["candidates"] = (
            f"{told['features']:,} features, cut into {told['literals']:,} value ranges"
        )
    if "units" in told:
        made["flow"] = (
            f"{told['participants']:,} participants, {told['cases']:,} cases, "
            f"{told['units']:,} units analysed; exclusions are listed with their reasons"
        )
    if "design" in told:
        made["design"] = f"analysed as {told['design']}; how arms were assigned is for the authors"
        made["outcome"] = f"{told['outcome']} at day {told['day']}, {told['endpoint']}"
    if best:
        made["chance"] = (
            f"best persona: p = {best['p_adjusted']:.4f} adjusted for the whole search, "
            f"{best['verdict']}"
        )
        made["benefit"] = (
            f"best persona: {best['benefit_inside']:.2f} inside, "
            f"{best['benefit_outside']:.2f} outside"
        )
        made["estimates"] = (
            f"per persona: means of both arms with intervals, d, recurrence with interval; "
            f"{told['supported']} of {told['findings']} findings supported"
        )
        made["holdout"] = (
            f"on the other halves of {told['splits']:,} splits of the same participants: the best "
            f"persona is a hit in {100 * best['recurrence']:.1f} %, "
            f"confirmed in {100 * best['confirmed']:.1f} %; "
            "not on another trial"
            if best.get("recurrence") == best.get("recurrence")
            and best.get("recurrence") is not None
            else "not yet"
        )
    if "relabellings" in told:
        made["multiplicity"] = (
            f"p is adjusted for everything searched, by {told['relabellings']:,} relabelled trials"
        )
    if "enrichment" in told:
        made["overall"] = f"{told['enrichment']['benefit']:.2f} on the scale of the outcome"
    saturation = [p["saturation"] for p in told.get("polarities", {}).values()]
    saturation = [each for each in saturation if each is not None]
    if saturation and "units" in told:
        made["limits"] = (
            f"{told['units']:,} units; the search is {100 * max(saturation):.1f} % saturated "
            "(near 100 %, so many candidates separate any data); the rest is for the authors"
        )
    return made
