"""Verdicts: one row per finding, with numbers that can be computed by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask import names as nm
from ketadask.inference.null import null_block
from ketadask.inference.verdicts import build_verdicts
from ketadask.schema.tables import VERDICTS
from tests.inference.small_problems import BruteSearch, make_problem


def judged(problem, search, **options):
    found = {each: search.solve(problem, polarity=each) for each in search.polarities}
    nulls = null_block(problem, search, (0, 38), seed=1)
    return build_verdicts(problem, search, found, nulls, **options)


def test_a_planted_persona_is_supported_and_comes_first():
    problem = make_problem(n=40, features=4, seed=3, planted=3.0)
    table = VERDICTS.check(judged(problem, BruteSearch()))
    first = table.iloc[0]
    assert (first["text"], first["features"], first["polarity"]) == ("x0 <= 0", "x0", "favourable")
    assert first["verdict"] == nm.SUPPORTED
    assert first["p_adjusted"] == first["p_single_step"] == 1 / 40
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    assert table["p_adjusted"].is_monotonic_increasing
    assert table["family_size"].sum() == 40
    assert np.isnan(table["recurrence"]).all()


def test_noise_is_called_noise():
    words = [
        judged(make_problem(n=30, seed=s), BruteSearch(keep=5))["verdict"][0] for s in range(8)
    ]
    assert words.count(nm.SUPPORTED) <= 2
    assert words.count(nm.NOISE) >= 4


@pytest.mark.parametrize("design", ["crossover", "pooled"])
def test_the_card_is_that_of_all_data(design):
    problem = make_problem(design, n=40, seed=3, planted=3.0)
    first = judged(problem, BruteSearch()).iloc[0]
    trial = problem.trial
    ids = first[[f"literal_{k}" for k in range(1, 5)]].to_numpy(dtype=int)
    inside = problem.literals.conjunction(ids[None, :])[0]
    assert first["support"] == inside.sum()
    assert first["prevalence"] == inside.mean()
    assert first["benefit_inside"] == pytest.approx(trial.score[inside].mean())
    assert first["benefit_outside"] == pytest.approx(trial.score[~inside].mean())
    active, control = (y[np.isfinite(y)] for y in trial.outcome[inside].T)
    for arm, y in (("active", active), ("control", control)):
        low, high = stats.t.interval(0.95, len(y) - 1, y.mean(), stats.sem(y))
        shown = first[[f"{arm}_mean", f"{arm}_low", f"{arm}_high"]].tolist()
        assert shown == pytest.approx([y.mean(), low, high])
    test = stats.ttest_rel if design == "crossover" else stats.ttest_ind
    named = {} if design == "crossover" else {"equal_var": False}
    assert first["p_full"] == pytest.approx(test(active, control, **named).pvalue)


def test_representatives_are_the_best_of_their_family():
    problem, search = make_problem(n=40, seed=3, planted=2.0), BruteSearch()
    apart = judged(problem, search, jaccard=1.0)
    table = judged(problem, search, jaccard=0.5)
    assert len(table) < len(apart)
    cover = problem.literals.conjunction(table[[f"literal_{k}" for k in range(1, 5)]].to_numpy())
    for i in range(len(table)):
        for j in range(i):
            if table["polarity"][i] != table["polarity"][j]:
                assert not ((cover[i] | cover[j]).all() and not (cover[i] & cover[j]).any())
            else:
                shared = (cover[i] & cover[j]).sum() / (cover[i] | cover[j]).sum()
                assert shared < 0.5
                assert table["features"][i] != table["features"][j]


def stability_of(ids, polarity, p_mean):
    columns = [n for n in VERDICTS.columns if n.startswith(("recurrence", "confirmed", "p_", "d_"))]
    columns += [
        "prevalence_train",
        "prevalence_holdout",
        "support_train_mean",
        "support_holdout_mean",
    ]
    rows = pd.DataFrame(ids, columns=[f"literal_{k}" for k in range(1, 5)])
    rows.insert(0, "polarity", polarity)
    return rows.assign(**dict.fromkeys(columns, 0.25)).assign(p_mean=p_mean)


def test_stability_joins_and_further_personas_are_judged_too():
    problem, search = make_problem(n=40, seed=3, planted=3.0), BruteSearch(keep=3, min_support=6)
    found = search.solve(problem, polarity="favourable")
    holds = problem.literals.holds.sum(axis=1)
    few = int(np.argmin(np.where(problem.literals.feature == 0, 99, holds)))
    extra = [[1, -1, -1, -1], [few, -1, -1, -1]]
    stability = stability_of(
        np.vstack([found.ids, extra]), ["favourable"] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]
    )
    tight = BruteSearch(keep=3, min_support=int(holds[few]) + 1)
    table = judged(problem, tight, stability=stability, jaccard=1.0, alpha=1e-9, suggestive=1e-9)
    rows = table.set_index(["polarity", "literal_1", "literal_2"])
    ids = found.ids[0]
    assert rows.loc[("favourable", ids[0], ids[1]), "p_mean"] == 0.1
    hopeless = rows.loc[("favourable", few, -1)]
    assert (hopeless["p_adjusted"], hopeless["p_single_step"]) == (1.0, 1.0)
    assert np.isnan(hopeless["q"])
    assert rows["p_mean"].isna().any()  # the unfavourable were not held against the splits
    assert table["p_adjusted"].is_monotonic_increasing


def test_what_a_true_persona_explains_is_not_another_finding():
    """One planted persona: whoever shares units with it passes too, and is named once."""
    problem = make_problem(n=40, features=4, seed=3, planted=3.0)
    table = judged(problem, BruteSearch())
    claims = table[table["verdict"] == nm.SUPPORTED]
    assert len(claims) == 1
    assert np.isnan(claims["p_incremental"].iloc[0])
    assert claims["family_size"].iloc[0] > 5


@pytest.mark.parametrize("suggestive", [0.2, 0.99])
def test_two_planted_personas_are_two_findings(suggestive):
    problem = make_problem(n=80, features=4, seed=4, planted=0.0)
    one, two = problem.literals.holds[0], problem.literals.holds[4]
    trial = replace(problem.trial, score=problem.trial.score + 4.0 * one + 3.0 * two)
    table = judged(replace(problem, trial=trial), BruteSearch(), suggestive=suggestive)
    claims = table[table["verdict"] == nm.SUPPORTED]
    # The best holds for both alike; the next has to add something to it.
    assert len(claims) >= 2
    assert {"x0", "x1"} <= set(" | ".join(claims["features"]).split(" | "))
    assert (claims["p_incremental"].iloc[1:] <= 0.05).all()


def test_two_polarities_cost_what_two_searches_cost():
    problem = make_problem(n=40, seed=3, planted=1.0)
    both = judged(problem, BruteSearch())
    one = judged(problem, BruteSearch(polarities=("favourable",)))
    keys = ["persona", "polarity"]
    joined = one.merge(both, on=keys)
    assert len(joined)
    assert (joined["p_single_step_x"] <= joined["p_single_step_y"]).all()
    assert (joined["p_single_step_x"] < joined["p_single_step_y"]).any()


def test_nothing_found_is_an_empty_table():
    problem = make_problem(n=20)
    table = judged(problem, BruteSearch(min_support=30))
    assert len(table) == 0
    assert list(table.columns) == list(VERDICTS.columns)
