"""Verdicts: one row per finding, with everything that may be claimed about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketadask import names as nm
from ketadask.inference.estimates import CORRECTED, benefit_differences
from ketadask.inference.evaluation import PersonaSet, admissible_mask
from ketadask.inference.families import family_leaders, persona_name
from ketadask.inference.incremental import IncrementalTest
from ketadask.inference.null import IDS, maxima_by_method, null_lists
from ketadask.inference.second_stage import (
    CANDIDATES,
    SEARCH_Q,
    STUDENTISED,
    persona_contrast,
    persona_sides,
    strongest,
)
from ketadask.kernels.contrast import contrast
from ketadask.kernels.gates import gates as gate_statistics
from ketadask.kernels.maxt import max_t
from ketadask.kernels.q_statistic import HETEROGENEITY, persona_q
from ketadask.kernels.resampling import t_interval
from ketadask.schema.tables import VERDICTS

if TYPE_CHECKING:
    from ketadask.search.persona_search import PersonaSearch
    from ketadask.search.problem import SearchProblem

ALPHA, SUGGESTIVE, JACCARD = 0.05, 0.20, 0.8


def build_verdicts(
    problem: SearchProblem,
    search: PersonaSearch,
    result_by_polarity: Mapping[str, Any],
    nulls: pd.DataFrame,
    stability: pd.DataFrame | None = None,
    *,
    alpha: float = ALPHA,
    suggestive: float = SUGGESTIVE,
    jaccard: float = JACCARD,
    candidates: int = CANDIDATES,
    statistic: str = STUDENTISED,
) -> pd.DataFrame:
    """Return the verdict table: a row per family of personas, best first.

    Parameters
    ----------
    problem, search
        The search and its problem.
    result_by_polarity
        The results of the search on all data.
    nulls
        Table that keeps ``schema.NULLS``: the same search on relabelled trials, every polarity.
    stability
        Rows of `persona_stability`: those of the personas of the results, and further ones to be
        judged too, such as the most recurrent hits (p = 1 where the search may not return them on
        all data). Without it those columns are missing values.
    alpha, suggestive
        Adjusted p at or below which a persona is supported, or suggestive.
    jaccard
        Minimum Jaccard index of covers at which two personas are one finding.
    candidates
        Number of personas ranked again by t, as in the relabelled trials; the others get p = 1.
    statistic
        ``studentised`` compares t with that of the relabelled trials, ``q`` compares Q, of all
        personas.

    Returns
    -------
    Table that keeps ``schema.VERDICTS``, sorted by step-down p, then the statistic, then literals.
    """
    personas = PersonaSet.of(result_by_polarity, *([] if stability is None else [stability]))
    if not len(personas):
        return VERDICTS.empty()
    cover = problem.literals.conjunction(personas.ids)
    all_units = np.ones((1, cover.shape[1]), dtype=bool)
    q = persona_q(cover, all_units, problem.trial.score, search.objective)[0][:, 0] * personas.sign
    q = np.where(admissible_mask(problem, search, cover, all_units)[:, 0], q, np.nan)
    t = persona_contrast(problem, search, personas.ids).t * personas.sign
    value = q
    if statistic == STUDENTISED:
        best = strongest(
            problem, search, candidates=candidates, result_by_polarity=result_by_polarity
        )
        value = np.where(_is_among(personas, PersonaSet(best.ids, best.polarity)), t, np.nan)
    single, step = adjusted_p(problem, search, personas, value, nulls, statistic)
    # Nine digits: a persona and its complement have the same statistic up to rounding.
    merits = [np.round(np.where(np.isnan(x), -np.inf, x), 9) for x in (value, q)]
    order = np.lexsort((*personas.ids.T[::-1], personas.polarity, -merits[1], -merits[0], step))
    personas = PersonaSet(personas.ids[order], personas.polarity[order])
    labels = verdict_labels(step[order], alpha, suggestive)
    maxima = maxima_by_method(nulls, statistic)
    test = IncrementalTest(
        cover[order],
        personas.sign,
        problem.trial.score,
        maxima,
        np.select([labels == nm.SUPPORTED, labels == nm.SUGGESTIVE], [alpha, suggestive], np.nan),
        _residual_statistic(problem, search, personas, statistic),
    )
    leader = family_leaders(
        cover[order],
        _feature_sets(problem, personas),
        personas.polarity,
        jaccard=jaccard,
        adds=test.adds if search.objective == HETEROGENEITY else None,
    )
    first = np.unique(leader)
    table = _describe(problem, personas, cover[order]).iloc[first].reset_index(drop=True)
    table["family_size"] = np.bincount(leader, minlength=len(leader))[first]
    table["q"], table["t"] = q[order][first], t[order][first]
    table["p_single_step"] = single[order][first]
    table["p_adjusted"], table["p_incremental"] = step[order][first], test.p[first]
    table["verdict"] = labels[first]
    table["rank"] = np.arange(1, len(table) + 1)
    by_statistic = {name: maxima_by_method(nulls, name) for name in (statistic, SEARCH_Q)}
    differences = benefit_differences(problem, search, personas.ids[first], by_statistic)
    # A persona that was not ranked by t has no p and no interval: c is that of the ranked personas.
    differences.loc[np.isnan(value[order][first]), list(CORRECTED)] = np.nan
    table[list(differences.columns)] = differences
    return VERDICTS.check(_with_stability(table, stability))


def adjusted_p(
    problem: SearchProblem,
    search: PersonaSearch,
    personas: PersonaSet,
    value: np.ndarray,
    nulls: pd.DataFrame,
    statistic: str = STUDENTISED,
) -> tuple[np.ndarray, np.ndarray]:
    """Return single-step and step-down p of each persona (see `max_t`).

    ``value`` is the ``statistic`` of each persona; NaN gets p = 1. All polarities of the search are
    one family of hypotheses. Where the search returns distinct feature sets, a hypothesis is a
    feature set with its best cuts. With several methods of relabelling the largest p counts.
    """
    polarities = list(search.polarities)
    code = np.array([polarities.index(name) for name in personas.polarity], dtype=np.int64)
    keys = np.column_stack([code, _keys(problem, search, personas.ids)])
    single, step = np.zeros(len(personas)), np.zeros(len(personas))
    for null in null_lists(nulls, polarities, statistic):
        null_keys = _keys(problem, search, null.ids.reshape(-1, len(IDS))).reshape(null.ids.shape)
        candidates = np.concatenate([null.polarity[..., None], null_keys], axis=2)
        p = max_t(keys, value, [(candidates, null.value)])
        single, step = np.maximum(single, p[0]), np.maximum(step, p[1])
    return single, step


def _is_among(personas: PersonaSet, others: PersonaSet) -> np.ndarray:
    """Return bool (P,): whether each persona is one of ``others``."""
    rows = {(polarity, *row) for polarity, row in zip(others.polarity, others.ids, strict=True)}
    pairs = zip(personas.polarity, personas.ids, strict=True)
    return np.array([(polarity, *row) in rows for polarity, row in pairs], dtype=bool)


def _residual_statistic(
    problem: SearchProblem, search: PersonaSearch, personas: PersonaSet, statistic: str
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the statistic of ``personas`` as a function of cover and scores."""
    if statistic != STUDENTISED:
        return lambda cover, score: persona_q(
            cover, np.ones((1, score.size), dtype=bool), score, search.objective
        )[0][:, 0]
    outside = persona_sides(problem, personas.ids)[1]
    cluster = problem.trial.cluster
    return lambda cover, score: contrast(cover, score, outside=outside, cluster=cluster).t


def verdict_labels(
    p: np.ndarray, alpha: float = ALPHA, suggestive: float = SUGGESTIVE
) -> np.ndarray:
    """Return the verdict of each adjusted p.

    Examples
    --------
    >>> verdict_labels(np.array([0.05, 0.2, 0.21])).tolist()
    ['supported', 'suggestive', 'not distinguishable from search noise']
    """
    weaker = np.where(p <= suggestive, nm.SUGGESTIVE, nm.NOISE)
    return np.where(p <= alpha, nm.SUPPORTED, weaker)


def _keys(problem: SearchProblem, search: PersonaSearch, ids: np.ndarray) -> np.ndarray:
    """(P, 4) literal indices, or sorted feature indices where feature sets are distinct."""
    ids = np.asarray(ids, dtype=np.int64)
    if search.distinct != "features":
        return ids
    feature = np.append(problem.literals.feature, -1)[ids]
    return np.sort(feature, axis=1)


def _feature_sets(problem: SearchProblem, personas: PersonaSet) -> list[frozenset[int]]:
    feature = problem.literals.feature
    return [frozenset(feature[row[row >= 0]].tolist()) for row in personas.ids]


def _describe(problem: SearchProblem, personas: PersonaSet, cover: np.ndarray) -> pd.DataFrame:
    """Names, texts and statistics on all data, a row per persona."""
    literals, trial = problem.literals, problem.trial
    rows = [row[row >= 0] for row in personas.ids]
    card = gate_statistics(cover, trial.outcome, trial.cluster, trial.has_pairs)
    size = cover.sum(axis=1)
    table = personas.frame()
    table.insert(0, "persona", [persona_name([literals.text[k] for k in row]) for row in rows])
    table["text"] = [literals.sentence(row) for row in personas.ids]
    table["features"] = [
        " | ".join(literals.feature_names[literals.feature[k]] for k in row) for row in rows
    ]
    table["n_literals"] = [len(row) for row in rows]
    table["support"], table["prevalence"] = size, size / cover.shape[1]
    for column, statistic in _CARD.items():
        table[column] = card[statistic]
    for k, arm in enumerate(nm.ARMS):
        outcomes = [trial.outcome[inside, k] for inside in cover]
        intervals = [t_interval(outcome[np.isfinite(outcome)]) for outcome in outcomes]
        table[[f"{arm}_mean", f"{arm}_low", f"{arm}_high"]] = intervals
    table["benefit_inside"] = [_mean(trial.score[inside]) for inside in cover]
    outside = persona_sides(problem, personas.ids)[1]
    table["benefit_outside"] = [_mean(trial.score[mask]) for mask in outside]
    published = [trial.published_polarity[inside] for inside in cover]
    for word, sign in (("favourable", 1), ("unfavourable", -1)):
        is_class = [(label == sign)[np.isfinite(label)] for label in published]
        table[f"published_{word}"] = [_mean(mask) for mask in is_class]
    return table


_CARD = {"p_full": "p", "d_full": "d", "g_full": "g", "interaction_p_full": "interaction_p"}
_STABILITY_PREFIXES = ("recurrence", "confirmed", "p_mean", "p_twice", "p_quantile", "d_mean")
STABILITY_COLUMNS = [
    name
    for name in VERDICTS.columns
    if name.startswith((*_STABILITY_PREFIXES, "prevalence_", "support_"))
]


def _with_stability(table: pd.DataFrame, stability: pd.DataFrame | None) -> pd.DataFrame:
    if stability is None:
        return table.assign(**dict.fromkeys(STABILITY_COLUMNS, np.nan))
    keys = ["polarity", *IDS]
    columns = [*keys, *STABILITY_COLUMNS]
    return table.merge(stability[columns], on=keys, how="left", validate="1:1")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
