"""Contracts of the tables a study writes."""

from __future__ import annotations

from ketadask import names as nm
from ketadask.schema.checks import Column, TableContract

_TEXT = "OT"


def _integer(meaning: str) -> Column:
    return Column("i", meaning, nullable=False)


def _real(meaning: str) -> Column:
    return Column("f", meaning)


def _flag(meaning: str) -> Column:
    return Column("b", meaning, nullable=False)


def _text(meaning: str) -> Column:
    return Column(_TEXT, meaning)


_LITERAL_IDS = {
    f"literal_{k}": _integer("row of the literals table, ascending, -1 where there is none")
    for k in range(1, nm.MAX_LITERALS + 1)
}

LITERALS = TableContract(
    "literals",
    {
        "literal": _integer("index of the literal, in canonical order"),
        "feature": _text("feature it constrains"),
        "modality": _text("modality of the feature"),
        "low": _real("feature > low, -inf where unbounded"),
        "high": _real("feature <= high, inf where unbounded"),
        "text": _text("the literal as a reader sees it"),
        "support": _integer("units inside"),
        "aliases": _text("other literals that cover exactly the same units, joined by ' | '"),
        "neighbours": _text("values of the data on both sides of a rounded cut, or empty"),
    },
)

SEARCHES = TableContract(
    "searches",
    {
        "split": _integer("index of the split"),
        "polarity": _text("favourable or unfavourable"),
        "n_train": _integer("units searched"),
        "n_holdout": _integer("units held out"),
        "q_best": _real("best Q of the search"),
        "q_last": _real("Q of the last persona kept, -inf where fewer than K were found"),
        "saturation": _real("q_best over the bound at the root"),
        "proven": _flag("whether the result is proven optimal"),
        "gap": _real("best still possible minus best found, 0 where proven"),
    },
)


def _gates(side: str) -> dict[str, Column]:
    return {
        f"n_active_{side}": _integer(f"units with an active outcome inside, {side}"),
        f"n_control_{side}": _integer(f"units with a control outcome inside, {side}"),
        f"p_{side}": _real("p of the published gate: Welch, or paired t in crossover"),
        f"d_{side}": _real("Cohen's d, active minus control, pooled standard deviation"),
        f"interaction_p_{side}": _real("p of persona x arm, clustered by participant"),
        f"published_{side}": _flag("passes the published gate"),
        f"heterogeneity_{side}": _flag("passes the heterogeneity gate"),
    }


HITS = TableContract(
    "hits",
    {
        "split": _integer("index of the split"),
        "polarity": _text("favourable or unfavourable"),
        "rank": _integer("1 is the best of its search"),
        "n_literals": _integer("1 to 4"),
        **_LITERAL_IDS,
        "q": _real("Q in the training set"),
        "support_train": _integer("train units inside"),
        "support_holdout": _integer("holdout units inside"),
        **_gates(nm.TRAIN),
        **_gates(nm.HOLDOUT),
    },
)

NULLS = TableContract(
    "nulls",
    {
        "relabelling": _integer("index of the relabelling, from 0"),
        "method": _text("what was exchanged: features, arms or no-effect"),
        "polarity": _text("favourable or unfavourable"),
        "rank": _integer("1 has the largest t of the relabelled trial"),
        "n_literals": _integer("1 to 4, 0 where nothing was found"),
        **_LITERAL_IDS,
        "q": _real("Q"),
        "t": _real("studentised contrast, in the direction of the polarity; -inf where undefined"),
    },
)

COMPANIONS = TableContract(
    "companions",
    {
        "relabelling": _integer("index of the relabelling, from 0"),
        "method": _text("what was exchanged: features, arms or no-effect"),
        "linear": _real("largest absolute t of a feature's association with the scores"),
        "spread": _real("the same with the distance of the scores from their mean"),
    },
)

EXCLUSIONS = TableContract(
    "exclusions",
    {
        "participant": _text("participant excluded"),
        "period": _integer("period, 0 for all"),
        "reason": _text("reason of the exclusion"),
    },
)

COURSES = TableContract(
    "courses",
    {
        "participant": _text("participant of the case"),
        "period": _integer("period of the case"),
        "arm": _text("arm of the case"),
        "day": _integer("day after the infusion, 0 for the baseline"),
        "score": _real("outcome scale"),
    },
)

VERDICTS = TableContract(
    "verdicts",
    {
        "rank": _integer("order of the verdicts, 1 first"),
        "persona": _text("stable id of the representative"),
        "polarity": _text("favourable or unfavourable"),
        "text": _text("the persona as a reader sees it"),
        "features": _text("its features, joined by ' | '"),
        "n_literals": _integer("1 to 4"),
        **_LITERAL_IDS,
        "family_size": _integer("personas of the family it stands for"),
        "q": _real("Q on all units"),
        "t": _real("studentised contrast on all units, in the direction of the polarity"),
        "support": _integer("units inside, all data"),
        "outside": _integer("units outside, all data"),
        "unknown": _integer("units that may be inside or outside, because a feature is missing"),
        "prevalence": _real("support over units"),
        "p_adjusted": _real("step-down max-T adjusted p; 1 beyond the personas ranked again"),
        "p_single_step": _real("single-step max-T adjusted p; 1 beyond the personas ranked again"),
        "p_incremental": _real(
            "p of its effect beyond the findings above it; missing for the first"
        ),
        "verdict": _text("supported, suggestive or not distinguishable from search noise"),
        "recurrence": _real("fraction of splits in which it was a hit"),
        "recurrence_low": _real("Wilson interval"),
        "recurrence_high": _real("Wilson interval"),
        "confirmed_rate": _real("fraction of splits in which it was a confirmed hit"),
        "confirmed_rate_low": _real("Wilson interval"),
        "confirmed_rate_high": _real("Wilson interval"),
        "p_mean": _real("mean holdout p over splits; not a p-value"),
        "p_mean_hits": _real("mean holdout p over the splits in which it was a hit"),
        "p_twice_mean": _real("2 x mean of p times hits of the split (Vovk & Wang), non-hits 1"),
        "p_twice_median": _real("2 x median of p times hits of the split, non-hits count as 1"),
        "p_quantile": _real("adaptive quantile of p times hits of the split (Meinshausen et al.)"),
        "d_mean": _real("mean holdout d of a persona that all data chose: selection biases it"),
        "d_mean_hits": _real("mean holdout d over the splits in which it was a hit"),
        "p_full": _real("published gate's p on all units"),
        "d_full": _real("published gate's d on all units"),
        "g_full": _real("Hedges g on all units"),
        "interaction_p_full": _real("persona x arm p on all units"),
        "active_mean": _real("mean improvement on active inside"),
        "active_low": _real("95 % interval"),
        "active_high": _real("95 % interval"),
        "control_mean": _real("mean improvement on control inside"),
        "control_low": _real("95 % interval"),
        "control_high": _real("95 % interval"),
        "benefit_inside": _real("mean score inside"),
        "benefit_outside": _real("mean score outside"),
        "difference": _real("mean score inside minus that outside; selection biases it"),
        "difference_low": _real("95 % interval, simultaneous over the personas listed"),
        "difference_high": _real("95 % interval, simultaneous over the personas listed"),
        "difference_shrunken": _real("difference, shrunken by what selection adds under the null"),
        "published_favourable": _real(
            "fraction of those inside that respond on active and not on control; with one arm per "
            "unit: that respond on active, or do not on control"
        ),
        "published_unfavourable": _real("the same, the reverse responses"),
        "prevalence_train": _real("mean fraction of train units inside, over splits"),
        "prevalence_holdout": _real("mean fraction of holdout units inside, over splits"),
        "support_train_mean": _real("mean number of train units inside, over splits"),
        "support_holdout_mean": _real("mean number of holdout units inside, over splits"),
    },
)

_EFFECT = {
    "effect": _real("mean score inside minus that outside; positive where members benefit more"),
    "se": _real("standard error, units of a participant taken together"),
    "low": _real("95 % interval"),
    "high": _real("95 % interval"),
}

TRIALS = TableContract(
    "trials",
    {
        "rank": _integer("rank of the persona among the verdicts"),
        "persona": _text("stable id of the persona"),
        "polarity": _text("favourable or unfavourable"),
        "trial": _text("name of the trial"),
        "n": _integer("units of the trial"),
        "inside": _integer("units of the trial inside"),
        **_EFFECT,
        "excludes_zero": _flag("the interval, widened for the number of trials, excludes zero"),
        "weight": _real("weight of the trial in the mean of all, as a fraction"),
        "rank_without": _integer("rank at which the search without this trial lists it, 0 if not"),
    },
)

SUMMARIES = TableContract(
    "summaries",
    {
        "rank": _integer("rank of the persona among the verdicts"),
        "persona": _text("stable id of the persona"),
        "polarity": _text("favourable or unfavourable"),
        "n_trials": _integer("trials of the study"),
        "n_estimated": _integer("trials in which the effect could be estimated"),
        "effect": _real("mean of the true effects (random effects, Paule-Mandel)"),
        "se": _real("its standard error (Hartung-Knapp)"),
        "low": _real("95 % interval of the mean"),
        "high": _real("95 % interval of the mean"),
        "prediction_low": _real("95 % prediction interval of the effect in a further trial"),
        "prediction_high": _real("95 % prediction interval of the effect in a further trial"),
        "tau": _real("standard deviation of the true effects"),
        "cochran_q": _real("Cochran's Q"),
        "cochran_p": _real("p of Q where all true effects are the same"),
        "i2": _real("fraction of the variance between the effects that is not chance"),
        "n_agreeing": _integer("trials whose effect has the sign of the persona's polarity"),
        "n_excluding_zero": _integer("trials whose own interval excludes zero"),
        "n_rediscovered": _integer("trials without which the search lists it among its first ten"),
        "consistency": _text("consistency across trials, as text"),
        "only_trial": _text("the only trial in which it holds, or empty"),
    },
)

LEFT_OUT = TableContract(
    "left_out",
    {
        "trial": _text("name of the trial left out"),
        "polarity": _text("favourable or unfavourable"),
        "text": _text("first persona of the search on the other trials"),
        "n": _integer("units of the trial left out"),
        "inside": _integer("units of the trial left out inside"),
        **_EFFECT,
        "confirmed": _flag("passes the heterogeneity gate in the trial left out"),
    },
)

_BENEFITS = {
    f"{name}{end}": _real(text if not end else "95 % interval")
    for name, text in (
        ("difference", "mean score inside minus that outside"),
        ("benefit_inside", "mean score inside"),
        ("benefit_outside", "mean score outside"),
    )
    for end in ("", "_low", "_high")
}

CONFIRMATIONS = TableContract(
    "confirmations",
    {
        "persona": _text("stable id of the locked persona"),
        "polarity": _text("favourable or unfavourable"),
        "text": _text("the persona as a reader sees it"),
        "conclusion": _text("confirmed, not confirmed or too small to say"),
        "inside": _integer("units inside"),
        "outside": _integer("units outside"),
        "unknown": _integer("units of unknown membership, left out"),
        "t": _real("studentised contrast, in the direction of the polarity"),
        "p": _real("one-sided p of the difference, by randomisation"),
        "p_adjusted": _real("Holm's p over all personas"),
        "p_inside": _real("one-sided p of a benefit inside, by randomisation"),
        "power": _real("power at the locked effect"),
        "target": _real("locked effect: shrunken, or as at discovery"),
        **_BENEFITS,
    },
)
