"""Verdicts: one row per finding, with numbers that can be computed by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask import names as nm
from ketadask.inference.null import IDS
from ketadask.inference.verdicts import STABILITY_COLUMNS
from ketadask.schema.tables import VERDICTS
from tests.inference.small_problems import BruteSearch, make_problem, verdicts_of


def test_a_planted_persona_is_supported_comes_first_and_is_named_once():
    problem = make_problem(n=40, features=4, seed=3, planted=5.0)
    table = VERDICTS.check(verdicts_of(problem, BruteSearch()))
    first = table.iloc[0]
    assert (first["text"], first["features"], first["polarity"]) == ("x0 <= 0", "x0", "favourable")
    assert first["verdict"] == nm.SUPPORTED
    assert first["p_adjusted"] == first["p_single_step"] == 1 / 40
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    assert table["p_adjusted"].is_monotonic_increasing
    assert table["family_size"].sum() == 40
    assert np.isnan(table["recurrence"]).all()
    # Personas that share units with it have a small p, too, but add nothing to it.
    assert (table["verdict"] == nm.SUPPORTED).sum() == 1
    assert np.isnan(first["p_incremental"])
    assert first["family_size"] > 5


@pytest.mark.parametrize("design", ["crossover", "parallel"])
def test_favourable_as_published_is_response_on_active_and_none_on_control(design):
    problem = make_problem(design, n=40, seed=3, planted=3.0)
    assert verdicts_of(problem, BruteSearch())["published_favourable"].isna().all()
    outcome = problem.trial.outcome
    response = np.where(np.isfinite(outcome), outcome > np.nanmedian(outcome), np.nan)
    trial = replace(problem.trial, response=response)
    first = verdicts_of(replace(problem, trial=trial), BruteSearch()).iloc[0]
    inside = problem.literals.conjunction(first[list(IDS)].to_numpy(dtype=int)[None, :])[0]
    active, control = response[inside].T
    if design == "crossover":
        favourable, unfavourable = (active > control).mean(), (active < control).mean()
    else:
        favourable = ((active == 1) | (control == 0)).mean()
        unfavourable = ((active == 0) | (control == 1)).mean()
    assert first["published_favourable"] == pytest.approx(favourable)
    assert first["published_unfavourable"] == pytest.approx(unfavourable)
    assert favourable > unfavourable


def test_noise_has_the_verdict_noise():
    problems = [make_problem(n=30, seed=seed) for seed in range(8)]
    verdicts = [verdicts_of(p, BruteSearch(keep=5))["verdict"][0] for p in problems]
    assert verdicts.count(nm.SUPPORTED) <= 2
    assert verdicts.count(nm.NOISE) >= 4


@pytest.mark.parametrize("design", ["crossover", "pooled"])
def test_statistics_are_those_of_all_data(design):
    problem = make_problem(design, n=40, seed=3, planted=3.0)
    first = verdicts_of(problem, BruteSearch()).iloc[0]
    trial = problem.trial
    inside = problem.literals.conjunction(first[list(IDS)].to_numpy(dtype=int)[None, :])[0]
    assert first["support"] == inside.sum()
    assert first["prevalence"] == inside.mean()
    assert first["benefit_inside"] == pytest.approx(trial.score[inside].mean())
    assert first["benefit_outside"] == pytest.approx(trial.score[~inside].mean())
    active, control = (y[np.isfinite(y)] for y in trial.outcome[inside].T)
    for arm, y in (("active", active), ("control", control)):
        low, high = stats.t.interval(0.95, len(y) - 1, y.mean(), stats.sem(y))
        interval = first[[f"{arm}_mean", f"{arm}_low", f"{arm}_high"]].tolist()
        assert interval == pytest.approx([y.mean(), low, high])
    test = stats.ttest_rel if design == "crossover" else stats.ttest_ind
    options = {} if design == "crossover" else {"equal_var": False}
    assert first["p_full"] == pytest.approx(test(active, control, **options).pvalue)


def test_leaders_of_families_differ():
    problem, search = make_problem(n=40, seed=3, planted=2.0), BruteSearch()
    table = verdicts_of(problem, search, jaccard=0.5)
    assert len(table) < len(verdicts_of(problem, search, jaccard=1.0))
    cover = problem.literals.conjunction(table[list(IDS)].to_numpy())
    for i in range(len(table)):
        for j in range(i):
            both, either = cover[i] & cover[j], cover[i] | cover[j]
            if table["polarity"][i] != table["polarity"][j]:
                assert not either.all() or both.any()
            else:
                assert both.sum() / either.sum() < 0.5
                assert table["features"][i] != table["features"][j]


def test_stability_joins_and_further_personas_are_judged_too():
    problem, search = make_problem(n=40, seed=3, planted=3.0), BruteSearch(keep=3, min_support=6)
    ids = search.solve(problem, polarity="favourable").ids
    support = problem.literals.holds.sum(axis=1)
    rare = int(np.argmin(np.where(problem.literals.feature == 0, 99, support)))
    stability = pd.DataFrame(
        np.vstack([ids, [[1, -1, -1, -1], [rare, -1, -1, -1]]]), columns=list(IDS)
    ).assign(polarity="favourable", **dict.fromkeys(STABILITY_COLUMNS, 0.25))
    stability["p_mean"] = [0.1, 0.2, 0.3, 0.4, 0.5]
    strict = BruteSearch(keep=3, min_support=int(support[rare]) + 1)
    levels = {"jaccard": 1.0, "alpha": 1e-9, "suggestive": 1e-9}
    table = verdicts_of(problem, strict, stability=stability, **levels)
    rows = table.set_index(["polarity", "literal_1", "literal_2"])
    assert rows.loc[("favourable", *ids[0][:2]), "p_mean"] == 0.1
    inadmissible = rows.loc[("favourable", rare, -1)]
    assert (inadmissible["p_adjusted"], inadmissible["p_single_step"]) == (1.0, 1.0)
    assert np.isnan(inadmissible["q"])
    assert rows["p_mean"].isna().any()  # unfavourable personas were not evaluated on the splits
    assert table["p_adjusted"].is_monotonic_increasing


@pytest.mark.parametrize("suggestive", [0.2, 0.99])
def test_two_planted_personas_are_two_findings(suggestive):
    problem = make_problem(n=80, features=4, seed=4, planted=0.0)
    one, two = problem.literals.holds[0], problem.literals.holds[4]
    trial = replace(problem.trial, score=problem.trial.score + 4.0 * one + 3.0 * two)
    table = verdicts_of(replace(problem, trial=trial), BruteSearch(), suggestive=suggestive)
    claims = table[table["verdict"] == nm.SUPPORTED]
    # The best persona combines both; the next has to add something to it.
    assert len(claims) >= 2
    assert {"x0", "x1"} <= set(" | ".join(claims["features"]).split(" | "))
    assert (claims["p_incremental"].iloc[1:] <= 0.05).all()


def test_two_polarities_cost_what_two_searches_cost():
    problem = make_problem(n=40, seed=3, planted=1.0)
    both = verdicts_of(problem, BruteSearch())
    one = verdicts_of(problem, BruteSearch(polarities=("favourable",)))
    joined = one.merge(both, on=["persona", "polarity"])
    assert len(joined)
    assert (joined["p_single_step_x"] <= joined["p_single_step_y"]).all()
    assert (joined["p_single_step_x"] < joined["p_single_step_y"]).any()


def test_without_personas_the_table_is_empty():
    table = verdicts_of(make_problem(n=20), BruteSearch(min_support=30))
    assert len(table) == 0
    assert list(table.columns) == list(VERDICTS.columns)
