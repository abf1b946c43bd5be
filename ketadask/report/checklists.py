"""Reporting checklists: answers from the study, and items for its authors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketadask.report.context import ReportContext
from ketadask.report.facts import SettingsFacts, SummaryFacts
from ketadask.report.labels import NULL_MEANINGS

ICEMAN, PATH, REMARK, TRIPOD = "ICEMAN", "PATH", "REMARK", "TRIPOD+AI"

# Checklist, item in short, and the name of its answer; None where only the authors can answer.
ITEMS: tuple[tuple[str, str, str | None], ...] = (
    (ICEMAN, "1 Was the direction of the effect modification hypothesised beforehand?", None),
    (ICEMAN, "2 Is it supported by earlier evidence?", None),
    (
        ICEMAN,
        "3 Does a test of interaction suggest that chance is unlikely?",
        "chance",
    ),
    (ICEMAN, "4 Were few modifiers tested, or was their number considered?", "multiplicity"),
    (ICEMAN, "5 Were arbitrary cut points of continuous modifiers avoided?", "cuts"),
    (PATH, "Is the overall effect of treatment reported?", "overall"),
    (PATH, "Is the benefit of each subgroup reported on the scale of the outcome?", "benefit"),
    (PATH, "Are variables combined rather than analysed one at a time?", "combined"),
    (PATH, "Is effect modelling protected against overfitting?", "multiplicity"),
    (PATH, "Is it validated in participants not used to develop it?", "holdout"),
    (PATH, "Was a model of baseline risk considered first?", None),
    (PATH, "Were candidate modifiers few, prespecified and justified?", None),
    (REMARK, "1 Markers, objectives, prespecified hypotheses", None),
    (REMARK, "2 Characteristics, source and eligibility of participants", None),
    (REMARK, "3 Treatments and how they were assigned", "design"),
    (REMARK, "4 Material used, and its storage", None),
    (REMARK, "5 Methods of measurement, blinding to outcome", None),
    (REMARK, "6 Period of recruitment and follow-up", None),
    (REMARK, "7 Endpoints", "outcome"),
    (REMARK, "8 All candidate variables", "candidates"),
    (REMARK, "9 Rationale for the sample size", None),
    (REMARK, "10 Statistical methods, missing values included", "methods"),
    (REMARK, "11 Handling of marker values, choice of cut points", "cuts"),
    (REMARK, "12 Flow of participants through the analysis", "flow"),
    (REMARK, "13 Demographics and standard prognostic variables", None),
    (REMARK, "14 Relation of markers to standard prognostic variables", None),
    (REMARK, "15-17 Estimated effects with intervals", "estimates"),
    (REMARK, "18 Further analyses: internal validation, sensitivity", "holdout"),
    (REMARK, "19 Interpretation and limitations", "limits"),
    (REMARK, "20 Implications for research and practice", None),
    (TRIPOD, "1-4 Title, abstract, background, objectives", None),
    (TRIPOD, "5 Sources of data and their dates", None),
    (TRIPOD, "6 Setting, eligibility, treatments received", None),
    (TRIPOD, "7 Preparation of the data", "preparation"),
    (TRIPOD, "8 Outcome and its assessment", "outcome"),
    (TRIPOD, "9 Predictors, their choice and measurement", "candidates"),
    (TRIPOD, "10 Sample size", "flow"),
    (TRIPOD, "11 Missing data", "missing"),
    (TRIPOD, "12 Analytical methods, model choice, evaluation", "methods"),
    (TRIPOD, "13 Class imbalance", None),
    (TRIPOD, "14 Fairness", None),
    (TRIPOD, "15 Output of the model", "output"),
    (TRIPOD, "16 Differences between development and evaluation data", "holdout"),
    (TRIPOD, "17 Ethical approval", None),
    (TRIPOD, "18 Funding, conflicts, protocol, registration, data sharing", None),
    (TRIPOD, "18f Code sharing, reproduction", "reproduction"),
    (TRIPOD, "19 Involvement of patients and the public", None),
    (TRIPOD, "20 Flow and characteristics of participants", "flow"),
    (TRIPOD, "21-23 Development, specification, performance with intervals", "estimates"),
    (TRIPOD, "24 Updating of the model", None),
    (TRIPOD, "25 Interpretation, fairness included", None),
    (TRIPOD, "26 Limitations", "limits"),
    (TRIPOD, "27 Use in practice and its requirements", None),
)
# Items of ICEMAN for several trials.
TRIAL_ITEMS: tuple[tuple[str, str, str | None], ...] = (
    (ICEMAN, "Is the comparison within rather than between trials?", "within_trials"),
    (ICEMAN, "Is the effect modification consistent across trials?", "consistency"),
    (ICEMAN, "Was a random effects model used?", "random_effects"),
)


@dataclass(frozen=True)
class ChecklistItem:
    """One item; ``answer`` is None where only the authors, or a later stage, can answer it."""

    checklist: str
    item: str
    answer: str | None


@dataclass(frozen=True)
class ChecklistView:
    """All items of one checklist."""

    name: str
    rows: tuple[ChecklistItem, ...]

    @property
    def answer_count(self) -> int:
        """Number of items with an answer."""
        return sum(row.answer is not None for row in self.rows)


def checklist_views(context: ReportContext) -> tuple[ChecklistView, ...] | None:
    """Return the checklists; None before there is a summary.

    A predictor of response has TRIPOD+AI of its own; a study that only predicts has it alone.
    """
    if context.data.is_prediction_only:
        return (ChecklistView(TRIPOD, predictor_items(context)),)
    if not context.data.summary:
        return None
    rows = tuple(
        ChecklistItem(r.checklist, r.item, None if r.answer is None else context.mask(r.answer))
        for r in checklist_items(
            context.summary, context.settings if context.data.settings else None
        )
    )
    views = tuple(
        ChecklistView(name, tuple(row for row in rows if row.checklist == name))
        for name in (ICEMAN, PATH, REMARK, TRIPOD)
    )
    if context.data.prediction is None:
        return views
    return (*views, ChecklistView(f"{TRIPOD}, predictor of response", predictor_items(context)))


def checklist_items(
    summary: SummaryFacts, settings: SettingsFacts | None
) -> tuple[ChecklistItem, ...]:
    """Return every item of the four checklists with its answer.

    Items are abbreviated; see the published checklists.

    References
    ----------
    Schandelmaier et al. 2020, 10.1503/cmaj.200077 (ICEMAN); Kent et al. 2020, 10.7326/M18-3668
    (PATH); Altman et al. 2012, 10.1371/journal.pmed.1001216 (REMARK); Collins et al. 2024,
    10.1136/bmj-2023-078378 (TRIPOD+AI).

    Examples
    --------
    >>> rows = checklist_items(SummaryFacts(features=360, literals=3620), None)
    >>> [row.answer for row in rows if row.item.startswith("8 All")]
    ['360 features, divided into 3,620 value ranges']
    """
    answers = _size_answers(summary) | _result_answers(summary)
    answers |= _settings_answers(settings) if settings is not None else {}
    answers |= _trial_answers(summary, answers.get("holdout"))
    items = ITEMS if summary.n_trials is None else (*TRIAL_ITEMS, *ITEMS)
    return tuple(
        ChecklistItem(name, item, answers.get(key) if key else None) for name, item, key in items
    )


def predictor_items(context: ReportContext) -> tuple[ChecklistItem, ...]:
    """Return the items of TRIPOD+AI with the answers of a predictor of response."""
    part = context.data.prediction
    summary = {} if part is None else part["summary"]
    cohorts, names = summary.get("cohorts", {}), summary.get("order", [])
    sizes = "; ".join(
        f"{name}: {cohorts[name]['n']:.0f} cases, {cohorts[name]['n_response']:.0f} responders"
        for name in names
    )
    covariates = ", ".join(summary.get("covariates", ())) or "none"
    options = context.data.settings.get("predict") or {}
    weights = "both classes have the same total weight" if options.get("balanced") else "none"
    permutations = summary.get("permutations", 0)
    answers = {
        "preparation": f"linear part of {covariates} removed, fitted in the inner training sets",
        "outcome": str(context.endpoint),
        "candidates": f"{summary.get('regions', 0):,} regions, all used",
        "flow": sizes,
        "missing": "the median of the inner training set replaces missing values",
        "methods": f"{summary.get('classifier')}, nested cross-validation "
        f"({summary.get('folds')}), {permutations:,} permutations of the labels"
        + ("; a learning curve" if summary.get("learning_curve") else ""),
        "13 Class imbalance": weights,
        "output": "a decision value, a probability of response, and response yes or no",
        "holdout": "; ".join(names[1:]) or "no other cohort",
        "reproduction": "versions, seeds, input hashes and the command are in the provenance",
        "limits": f"{sizes.partition(';')[0]}; the authors add other limitations",
        "estimates": "AUC, balanced accuracy, sensitivity and specificity of each cohort with "
        "intervals; weights of all regions",
    }
    return tuple(
        ChecklistItem(name, item, context.mask(answers[key]) if key in answers else None)
        for name, item, key in ((n, i, k or i) for n, i, k in ITEMS)
        if name == TRIPOD
    )


def _settings_answers(settings: SettingsFacts) -> dict[str, str]:
    least = settings.min_literals or 1
    ranges = f"{'up' if least == 1 else least} to {settings.max_literals} value ranges"
    search = f"{settings.strategy} search of all combinations of {ranges}"
    authors = ", ".join(settings.cut_points or {})
    null_meaning = NULL_MEANINGS.get(settings.null_method, settings.null_method)
    if settings.splits and settings.relabellings:
        search += (
            f", {settings.splits:,} random splits, p adjusted over {settings.relabellings:,} "
            f"relabelled trials (max-T; {null_meaning})"
        )
    return {
        "cuts": f"cut points are {settings.cuts} quantiles, or lie between the levels of an item; "
        "they do not depend on outcomes and are the same in every split"
        + (f"; set by the authors for {authors}" if authors else ""),
        "combined": f"yes, {ranges}",
        "methods": search,
        "missing": f"features with more than {100 * settings.max_missing:g} % missing values are "
        "excluded; "
        + (
            "other missing values are replaced by the median of trial and site, without outcomes"
            if settings.missing == "impute"
            else "a unit with a missing value of a persona is unknown to it, neither inside nor "
            "outside; no imputation"
        ),
        "preparation": f"volumes {settings.volume_scaling}; baseline features only",
        "output": "membership of a persona, yes or no, and the benefit inside and outside",
        "reproduction": "versions, seeds, input hashes and the command are in the provenance",
    }


def _size_answers(summary: SummaryFacts) -> dict[str, str]:
    answers = {}
    if summary.features is not None:
        answers["candidates"] = (
            f"{summary.features:,} features, divided into {summary.literals:,} value ranges"
        )
    if summary.units is not None:
        answers["flow"] = (
            f"{summary.participants:,} participants, {summary.cases:,} cases, "
            f"{summary.units:,} units analysed; exclusions are listed with their reasons"
        )
    if summary.design is not None:
        answers["design"] = f"analysed as {summary.design}; the authors describe the assignment"
        day = "" if summary.day is None else f" at day {summary.day}"
        answers["outcome"] = f"{summary.outcome}{day}, {summary.endpoint}"
    if summary.relabellings is not None:
        answers["multiplicity"] = (
            f"p is adjusted for the whole search, with {summary.relabellings:,} relabelled trials"
        )
    if summary.mean_benefit is not None:
        answers["overall"] = f"{summary.mean_benefit:.2f} on the scale of the outcome"
    saturation = [s.saturation for s in summary.searches.values() if s.saturation is not None]
    if saturation and summary.units is not None:
        answers["limits"] = (
            f"{summary.units:,} units; the search is {100 * max(saturation):.1f} % saturated "
            "(near 100 %, so many candidates separate any data); the authors add other limitations"
        )
    return answers


def _result_answers(summary: SummaryFacts) -> dict[str, str]:
    best = summary.best
    if best is None:
        return {}
    return {
        "chance": f"best persona: p = {best.p_adjusted:.4f} adjusted for the whole search, "
        f"{best.verdict}",
        "benefit": f"best persona: {best.benefit_inside:.2f} inside, "
        f"{best.benefit_outside:.2f} outside",
        "estimates": "per persona: means of both arms with intervals, d, recurrence with interval; "
        f"{summary.n_supported} of {summary.n_findings} findings supported",
        "holdout": "not yet"
        if np.isnan(best.recurrence)
        else f"on the holdouts of {summary.splits:,} splits of the same participants: the best "
        f"persona recurs in {100 * best.recurrence:.1f} % and is confirmed in "
        f"{100 * best.confirmed_rate:.1f} %; no other trial",
    }


def _trial_answers(summary: SummaryFacts, holdout: str | None) -> dict[str, str]:
    if summary.n_trials is None:
        return {}
    answers = {
        "within_trials": "within: scores are centred within trial; features are exchanged and "
        "splits drawn within trial",
        "random_effects": "yes: Paule-Mandel variance, Hartung-Knapp interval",
    }
    facts = summary.consistency_of_best
    if facts is not None:
        answers["consistency"] = (
            f"best persona: {facts.consistency}; {facts.n_agreeing} of {facts.n_estimated} effects "
            "point in its direction"
        )
        if not np.isnan(facts.i2):
            answers["consistency"] += f"; I2 {100 * facts.i2:.0f} %, Q p = {facts.cochran_p:.3f}"
    confirmed = "; ".join(
        f"{facts.n_confirmed} of {summary.n_trials} ({polarity})"
        for polarity, facts in summary.left_out.items()
    )
    if holdout and confirmed:
        own = holdout.removesuffix("; no other trial")
        answers["holdout"] = f"{own}; found without a trial and confirmed in it: {confirmed}"
    return answers
