"""Personas trial by trial: effects by hand, their consistency, and what a trial left out shows."""

from dataclasses import replace

import dask
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.api import OLS, add_constant
from statsmodels.stats.meta_analysis import combine_effects

import ketadask as kd
from ketadask import names as nm
from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.null import IDS
from ketadask.inference.trial_effects import (
    IN_ALL,
    IN_MOST,
    IN_ONE,
    MAINLY,
    UNCLEAR,
    leave_trial_out,
    summarise_left_out,
    summarise_trials,
    trial_consistency,
    trial_effects,
)
from ketadask.kernels.blocks import PackedRows
from ketadask.kernels.random_effects import random_effects
from ketadask.schema.cohort import Cohort
from ketadask.schema.errors import InputError
from ketadask.schema.tables import LEFT_OUT, SUMMARIES, TRIALS
from ketadask.search.block import search_block
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.inference.small_problems import BruteSearch, make_problem, verdicts_of
from tests.inference.test_notebook import search_matrix

NAMES = ["T0", "T1", "T2", "T3"]


def several_trials(true_in, n=40, planted=3.0, design="crossover", seed=3):
    """Return a problem of four trials; persona x0 <= 0 is true in the first ``true_in``."""
    problem = make_problem(design, 4 * n, features=4, seed=seed)
    code, trial = np.repeat(np.arange(4), n), problem.trial
    inside = problem.literals.conjunction(np.array([[0, -1, -1, -1]]))[0]
    outcome = trial.outcome.copy()
    outcome[:, 0] += planted * inside * (code < true_in) + 2.0 * code
    trial = replace(trial, trial=code, site=code).with_outcome(outcome)
    return replace(problem, trial=replace(trial, stratum=trial.stratum + 2 * code))


def hits_without(problem, search):
    splitter = HoldoutSplit(4, scheme="leave-trial-out")
    return search_block(problem, search, splitter, 0, 3, gates=GateThresholds())[0]["hits"]


class CompleteSearch(BruteSearch):
    """A brute-force search with everything that a block of splits reads of its result."""

    def solve(self, problem, **options):
        result = super().solve(problem, **options)
        facts = {"saturation": 0.5, "nodes": 1, "screened": 1, "proven": True, "gap": 0.0}
        return type("Result", (), {**vars(result), **facts})()


@pytest.fixture(scope="module", params=[4, 1], ids=["all", "one"])
def study(request):
    """Return the number of trials with the persona, the problem, verdicts, hits and effects."""
    problem = several_trials(request.param, planted=3.0 if request.param == 4 else 6.0)
    search = CompleteSearch()
    verdicts, hits = verdicts_of(problem, search), hits_without(problem, search)
    effects = trial_effects(problem, verdicts, NAMES, hits, jaccard=0.8)
    return request.param, problem, verdicts, hits, effects


def test_a_true_persona_is_supported_and_holds_in_its_trials(study):
    true_in, _, verdicts, _, effects = study
    first, summary = verdicts.iloc[0], SUMMARIES.check(summarise_trials(effects)).iloc[0]
    assert "x0" in first["features"].split(" | ")
    assert first["verdict"] == nm.SUPPORTED
    if true_in == 4:
        assert (summary["consistency"], summary["only_trial"]) == (IN_ALL, "")
        assert (summary["n_agreeing"], summary["n_rediscovered"]) == (4, 4)
        assert summary["low"] > 0
    else:
        assert (summary["consistency"], summary["only_trial"]) == (IN_ONE, "T0")
        assert summary["n_excluding_zero"] == 1
        assert summary["low"] < 0
        assert summary["i2"] > 0.5
        mine = effects[effects["rank"] == 1].set_index("trial")
        assert mine.loc["T0", "rank_without"] != 1


def test_effects_are_differences_of_mean_scores(study):
    _, problem, verdicts, _, effects = study
    assert len(TRIALS.check(effects)) == len(verdicts) * 4
    trial = problem.trial
    cover = problem.literals.conjunction(verdicts[list(IDS)].to_numpy(dtype=int))
    for row in effects.head(12).to_dict("records"):
        own = trial.trial == NAMES.index(row["trial"])
        inside = cover[row["rank"] - 1]
        a, b = trial.score[own & inside], trial.score[own & ~inside]
        assert (row["n"], row["inside"]) == (40, len(a))
        if min(len(a), len(b)) < 2:
            assert np.isnan(row["effect"])
            continue
        assert row["effect"] == pytest.approx(a.mean() - b.mean())
        welch = stats.ttest_ind(a, b, equal_var=False)
        assert (row["low"], row["high"]) == pytest.approx(tuple(welch.confidence_interval()))
        strict = welch.confidence_interval(1 - 0.05 / 4)
        sign = -1 if row["polarity"] == nm.UNFAVOURABLE else 1
        assert row["excludes_zero"] == (min(sign * strict.low, sign * strict.high) > 0)
    assert effects.groupby("rank")["weight"].sum().to_numpy() == pytest.approx(1.0)


def test_summaries_are_random_effects(study):
    effects = study[-1]
    for row in summarise_trials(effects).to_dict("records"):
        mine = effects[effects["rank"] == row["rank"]]
        pool = random_effects(mine["effect"].to_numpy(), mine["se"].to_numpy())
        assert (row["effect"], row["low"], row["tau"] ** 2) == pytest.approx(
            (pool.effect, pool.low, pool.tau2)
        )


def test_rank_without_is_that_of_the_search_without_the_trial(study):
    _, problem, verdicts, hits, effects = study
    first = verdicts.iloc[0]
    cover = problem.literals.conjunction(first[list(IDS)].to_numpy(dtype=int)[None, :])[0]
    rank_without = effects[effects["rank"] == 1].set_index("trial")["rank_without"]
    for split, name in enumerate(NAMES):
        mine = hits[(hits["split"] == split) & (hits["polarity"] == first["polarity"])]
        other = problem.literals.conjunction(mine[list(IDS)].to_numpy())
        jaccard = (cover & other).sum(axis=1) / (cover | other).sum(axis=1)
        assert rank_without[name] == min(mine["rank"][jaccard >= 0.8], default=0)


def test_the_persona_found_without_a_trial_is_tested_in_it(study):
    true_in, problem, _, hits, _ = study
    table = LEFT_OUT.check(leave_trial_out(problem, NAMES, hits))
    assert len(table) == 2 * 4
    summary = summarise_left_out(table)[nm.FAVOURABLE]
    assert summary["n_estimated"] == 4
    if true_in == 4:
        assert summary["low"] > 0
        assert summary["confirmed"] == 4
        assert set(table[table["polarity"] == nm.FAVOURABLE]["text"]) == {"x0 <= 0"}
    else:
        assert summary["low"] < 0


def test_trials_left_out_are_as_in_statsmodels(study):
    """Each by least squares with HC2 standard errors, all of them by Paule-Mandel and HKSJ."""
    _, problem, _, hits, _ = study
    table, trial = leave_trial_out(problem, NAMES, hits), problem.trial
    first = hits[hits["rank"] == 1].set_index(["polarity", "split"])
    for row in table[np.isfinite(table["se"])].to_dict("records"):
        code = NAMES.index(row["trial"])
        ids = first.loc[(row["polarity"], code), list(IDS)].to_numpy(dtype=int)
        own = trial.trial == code
        inside = problem.literals.conjunction(ids[None, :])[0][own]
        model = OLS(trial.score[own], add_constant(inside.astype(float))).fit(cov_type="HC2")
        assert (row["effect"], row["se"]) == pytest.approx((model.params[1], model.bse[1]))
    for polarity, summary in summarise_left_out(table).items():
        mine = table[(table["polarity"] == polarity) & np.isfinite(table["se"])]
        effect, se = mine["effect"].to_numpy(), mine["se"].to_numpy()
        meta = combine_effects(effect, se**2, method_re="iterated", use_t=True, atol=1e-12)
        assert summary["effect"] == pytest.approx(meta.mean_effect_re)
        assert summary["tau"] ** 2 == pytest.approx(meta.tau2, abs=1e-8)
        if meta.tau2 > 0:  # else the interval is not shortened
            assert (summary["low"], summary["high"]) == pytest.approx(meta.conf_int()[3], rel=1e-6)


def with_trial_marker(problem, level):
    """Let feature x3 nearly identify the trials, which differ in benefit."""
    trial, literals = problem.trial, problem.literals
    rng = np.random.default_rng([9, len(trial.score)])
    value = np.where(rng.random(trial.trial.size) < 0.9, 2 * (trial.trial >= 2), 1)
    holds = literals.holds.copy()
    for k in np.flatnonzero(literals.feature == 3):
        holds[k] = (value > literals.low[k]) & (value <= literals.high[k])
    effect = trial.level_effects()
    return replace(
        problem,
        literals=replace(literals, rows=PackedRows.of(holds)),
        trial=trial if level else replace(trial, score=trial.score + effect - effect.mean()),
    )


def test_a_feature_that_identifies_the_trials_does_not_hide_the_persona():
    first = {True: [], False: []}
    for seed in range(12):
        problem = several_trials(4, n=30, planted=1.5, seed=seed)
        for level, texts in first.items():
            marked = with_trial_marker(problem, level)
            result = CompleteSearch(keep=1).solve(marked, polarity=nm.FAVOURABLE)
            texts.append(marked.literals.sentence(result.ids[0]))
    assert sum("x0 <= 0" in text for text in first[True]) >= 9
    assert sum("x3" in text for text in first[False]) >= 11


def test_intervals_in_trials_left_out_cover_zero_without_effects():
    covers_zero, confirmed = [], []
    for seed in range(40):
        problem = several_trials(0, planted=0.0, seed=seed)
        hits = hits_without(problem, CompleteSearch(keep=2))
        table = leave_trial_out(problem, NAMES, hits)
        table = table[np.isfinite(table["se"])]
        covers_zero += ((table["low"] <= 0) & (table["high"] >= 0)).tolist()
        confirmed += table["confirmed"].tolist()
    assert len(covers_zero) > 300
    assert np.mean(covers_zero) == pytest.approx(0.95, abs=0.025)
    assert np.mean(confirmed) < 0.06


def test_a_trial_left_out_does_not_change_the_persona_tested_in_it():
    problem, search = several_trials(4), CompleteSearch()
    trial, outcome = problem.trial, problem.trial.outcome.copy()
    own = trial.trial == 2
    outcome[own] = np.random.default_rng(0).permutation(outcome[own])
    outcome[own, 0] += 1.0
    other = replace(problem, trial=trial.with_outcome(outcome))
    one, two = (
        leave_trial_out(p, NAMES, hits_without(p, search)).set_index("trial").loc["T2"]
        for p in (problem, other)
    )
    assert (one["text"] == two["text"]).all()
    assert (one["effect"] != two["effect"]).all()


def effect_rows(effect, se, polarity=nm.FAVOURABLE):
    effect, se = np.asarray(effect, float), np.asarray(se, float)
    sign = -1 if polarity == nm.UNFAVOURABLE else 1
    strict = stats.norm.ppf(1 - 0.025 / len(effect)) * se
    return pd.DataFrame(
        {
            "trial": [f"T{k}" for k in range(len(effect))],
            "polarity": polarity,
            "effect": sign * effect,
            "se": se,
            "low": sign * effect - 1.96 * se,
            "high": sign * effect + 1.96 * se,
            "excludes_zero": effect - strict > 0,
        }
    )


@pytest.mark.parametrize("polarity", nm.POLARITIES)
@pytest.mark.parametrize(
    ("effect", "consistency", "only_trial"),
    [
        ([5, 4, 6, 5], IN_ALL, ""),
        ([5, 4], IN_ALL, ""),
        ([9, 0.2, -0.3, 0.1], IN_ONE, "T0"),
        ([0.1, 9], IN_ONE, "T1"),
        ([18, 1.7, 1.9, 2.4, 2.3, 1.2, 1.4], MAINLY, "T0"),
        ([6.2, 1.2, 1.6, 2.0, 2.4, 1.0, 1.9, 2.2], MAINLY, "T0"),
        ([0.3, 2.0, 2.2, 2.4, 0.4, 3.5], IN_MOST, ""),
        ([4, 4, 4, 4, -0.5], IN_MOST, ""),
        ([9, 2, 8, 9, 8, 1], IN_MOST, ""),
        ([9, 9, -0.5, 0.5], UNCLEAR, ""),
        ([1, -1, 0.5, -0.5], UNCLEAR, ""),
        ([9, np.nan], UNCLEAR, ""),
        ([5, 4, 6, np.nan], IN_MOST, ""),
        ([5, 4, np.nan, np.nan], UNCLEAR, ""),
    ],
)
def test_consistency_of_effects(polarity, effect, consistency, only_trial):
    se = np.where(np.isnan(effect), np.nan, 1.0)
    assert trial_consistency(effect_rows(effect, se, polarity)) == (consistency, only_trial)


def test_consistency_is_seldom_wrong():
    rng = np.random.default_rng(5)
    truth = {"all": np.full(8, 3.5), "one": np.r_[7.0, np.zeros(7)]}
    truth["biased"] = truth["one"] + 1.5  # selection alone adds a little in all trials
    truth["none"] = np.zeros(8)
    words = {name: [] for name in truth}
    for _ in range(150):
        for name, mean in truth.items():
            words[name].append(trial_consistency(effect_rows(rng.normal(mean, 1), np.ones(8)))[0])
    rate = {k: {word: v.count(word) / len(v) for word in set(v)} for k, v in words.items()}
    assert rate["all"][IN_ALL] > 0.9
    assert rate["one"][IN_ONE] > 0.8
    assert rate["one"].get(IN_ALL, 0) < 0.02
    assert rate["biased"].get(IN_ALL, 0) < 0.02
    assert rate["biased"].get(MAINLY, 0) + rate["biased"].get(IN_ONE, 0) > 0.4
    assert rate["none"][UNCLEAR] > 0.9


def test_without_verdicts_the_tables_are_empty():
    problem, search = several_trials(0, planted=0.0), CompleteSearch(keep=1)
    verdicts = verdicts_of(problem, search).iloc[:0]
    effects = trial_effects(problem, verdicts, NAMES, hits_without(problem, search), jaccard=1)
    assert len(effects) == len(summarise_trials(effects)) == 0


def test_trials_of_cases_count_participants_once():
    problem, search = several_trials(4, design="pooled"), CompleteSearch()
    trial = problem.trial
    paired = replace(trial, participant=trial.participant // 2, cluster=trial.participant // 2)
    verdicts, hits = verdicts_of(problem, search).head(1), hits_without(problem, search)
    single, double = (
        trial_effects(replace(problem, trial=t), verdicts, NAMES, hits, jaccard=0.8)
        for t in (trial, paired)
    )
    assert single["effect"].tolist() == double["effect"].tolist()
    assert single["se"].tolist() != double["se"].tolist()


def test_in_a_notebook(tmp_path):
    matrix = search_matrix(n=90, effect=3.0)
    matrix["trial"] = ("unit", np.repeat(["b", "a", "c"], 30))
    difference = matrix["outcome"].to_numpy() @ [1.0, -1.0]
    means = difference.reshape(3, 30).mean(axis=1)
    matrix["score"] = ("unit", difference - np.repeat(means, 30) + means.mean())
    search = PersonaSearch(1, cuts=3, keep=10)
    with dask.config.set(scheduler="synchronous"):
        hits = search.run(matrix, kd.HoldoutSplit(4, seed=7), store=tmp_path)
        verdicts = kd.judge(hits, kd.null(search, matrix, relabellings=19, seed=7, store=tmp_path))
        without = search.run(matrix, kd.HoldoutSplit(scheme="leave-trial-out"), store=tmp_path)
    tables = kd.compare_trials(without, verdicts, Cohort(matrix))
    assert list(tables) == ["trials", "summaries", "left_out"]
    assert sorted(set(tables["trials"]["trial"])) == ["a", "b", "c"]
    first = tables["summaries"].iloc[0]
    assert (first["consistency"], first["n_rediscovered"]) == (IN_ALL, 3)
    with pytest.raises(InputError, match=r"scheme holdout, trials: .*found 3"):
        kd.compare_trials(hits, verdicts, matrix)
    with pytest.raises(InputError, match=r"3 trials were searched.*found 2"):
        kd.compare_trials(without, verdicts, matrix.isel(unit=slice(60)))
