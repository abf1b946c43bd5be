"""Personas trial by trial: effects by hand, the words for them, and what a trial left out says."""

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
from ketadask.cohort.designs import trial_scores
from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.null import IDS, null_block
from ketadask.inference.trial_effects import (
    IN_ALL,
    IN_MOST,
    IN_ONE,
    MAINLY,
    UNSETTLED,
    leave_trial_out,
    left_out_summary,
    summaries,
    trial_effects,
    where_it_holds,
)
from ketadask.inference.verdicts import build_verdicts
from ketadask.kernels.blocks import PackedRows
from ketadask.kernels.random_effects import random_effects
from ketadask.schema.errors import InputError
from ketadask.schema.tables import LEFT_OUT, SUMMARIES, TRIALS
from ketadask.search.block import search_block
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.inference.small_problems import BruteSearch, make_problem
from tests.inference.test_notebook import search_matrix


def several(holds_in, trials=4, each=40, planted=3.0, design="crossover", seed=3):
    """A problem of several trials of which the first few hold the persona x0 <= 0."""
    n = trials * each
    problem = make_problem(design, n, features=4, seed=seed)
    code = np.repeat(np.arange(trials), each)
    inside = problem.literals.conjunction(np.array([[0, -1, -1, -1]]))[0]
    trial = problem.trial
    outcome = trial.outcome.copy()
    outcome[:, 0] += planted * inside * (code < holds_in) + 2.0 * code
    score = trial_scores(
        design, outcome, stratum=trial.stratum, active_first=trial.active_first, trial=code
    )
    stratum = trial.stratum + 2 * code
    made = replace(trial, outcome=outcome, score=score, trial=code, stratum=stratum)
    return replace(problem, trial=made)


def without_each(problem, search):
    trials = len(np.unique(problem.trial.trial))
    splitter = HoldoutSplit(trials, scheme="leave-trial-out")
    tables, _ = search_block(problem, search, splitter, 0, trials - 1, gates=GateThresholds())
    return tables["hits"]


def judged(problem, search):
    found = {each: search.solve(problem, polarity=each) for each in search.polarities}
    nulls = null_block(problem, search, (0, 38), seed=1)
    return build_verdicts(problem, search, found, nulls)


class Complete(BruteSearch):
    """What a block of splits asks of a search, besides."""

    def solve(self, problem, **asked):
        few = super().solve(problem, **asked)
        told = {"saturation": 0.5, "nodes": 1, "screened": 1, "proven": True, "gap": 0.0}
        return type("Found", (), {**vars(few), **told})()


@pytest.fixture(scope="module", params=[4, 1], ids=["all", "one"])
def made(request):
    problem = several(request.param, planted=3.0 if request.param == 4 else 6.0)
    search = Complete()
    verdicts, hits = judged(problem, search), without_each(problem, search)
    names = [f"T{k}" for k in range(4)]
    table = trial_effects(problem, verdicts, names, hits, jaccard=0.8)
    return request.param, problem, verdicts, hits, names, table


def test_a_persona_true_in_all_trials_is_supported_in_one_is_shown_as_such(made):
    holds_in, _, verdicts, _, _, table = made
    first, told = verdicts.iloc[0], SUMMARIES.check(summaries(table)).iloc[0]
    assert first["text"].startswith("x0 <= 0")
    assert first["verdict"] == nm.SUPPORTED
    if holds_in == 4:
        assert (told["consistency"], told["only_trial"]) == (IN_ALL, "")
        assert (told["n_agreeing"], told["n_rediscovered"]) == (4, 4)
        assert told["low"] > 0
    else:
        assert (told["consistency"], told["only_trial"]) == (IN_ONE, "T0")
        assert told["n_excluding_zero"] == 1
        assert told["low"] < 0
        assert told["i2"] > 0.5
        mine = table[table["rank"] == 1].set_index("trial")
        assert mine.loc["T0", "rank_without"] != 1


def test_effects_are_differences_of_mean_scores(made):
    _, problem, verdicts, _, names, table = made
    assert len(TRIALS.check(table)) == len(verdicts) * 4
    trial, ids = problem.trial, verdicts[list(IDS)].to_numpy(dtype=int)
    cover = problem.literals.conjunction(ids)
    for row in table.head(12).to_dict("records"):
        own = trial.trial == names.index(row["trial"])
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
    sums = table.groupby("rank")["weight"].sum()
    assert sums.to_numpy() == pytest.approx(1.0)


def test_summaries_are_random_effects(made):
    table = made[-1]
    for row in summaries(table).to_dict("records"):
        mine = table[table["rank"] == row["rank"]]
        told = random_effects(mine["effect"].to_numpy(), mine["se"].to_numpy())
        assert (row["effect"], row["low"], row["tau"] ** 2) == pytest.approx(
            (told.effect, told.low, told.tau2)
        )


def test_found_without_is_looked_up_in_the_search_without(made):
    _, problem, verdicts, hits, names, table = made
    ids = verdicts[list(IDS)].to_numpy(dtype=int)
    row = table[table["rank"] == 1]
    cover = problem.literals.conjunction(ids[:1])[0]
    for split, name in enumerate(names):
        mine = hits[(hits["split"] == split) & (hits["polarity"] == verdicts["polarity"][0])]
        ranks = []
        for hit in mine.to_dict("records"):
            other = problem.literals.conjunction(np.array([[hit[k] for k in IDS]]))[0]
            if (cover & other).sum() / (cover | other).sum() >= 0.8:
                ranks.append(hit["rank"])
        expected = min(ranks, default=0)
        assert row.set_index("trial").loc[name, "rank_without"] == expected


def test_what_is_found_without_a_trial_is_measured_in_it(made):
    holds_in, problem, _, hits, names, _ = made
    table = LEFT_OUT.check(leave_trial_out(problem, names, hits))
    assert len(table) == 2 * 4
    told = left_out_summary(table)
    good = told[nm.FAVOURABLE]
    assert good["n_estimated"] == 4
    if holds_in == 4:
        assert good["low"] > 0
        assert good["confirmed"] == 4
        assert set(table[table["polarity"] == nm.FAVOURABLE]["text"]) == {"x0 <= 0"}
    else:
        assert good["low"] < 0


def marked(problem, level):
    """The problem with a feature x3 that nearly tells the trials apart, which differ in benefit."""
    trial, literals = problem.trial, problem.literals
    rng = np.random.default_rng([9, len(trial.score)])
    value = np.where(rng.random(trial.trial.size) < 0.9, 2 * (trial.trial >= 2), 1)
    holds = literals.holds.copy()
    for k in np.flatnonzero(literals.feature == 3):
        holds[k] = (value > literals.low[k]) & (value <= literals.high[k])
    score = trial_scores(
        trial.design, trial.outcome, stratum=trial.stratum, active_first=trial.active_first,
        trial=trial.trial, level=level,
    )  # fmt: skip
    return replace(
        problem,
        literals=replace(literals, rows=PackedRows.of(holds)),
        trial=replace(trial, score=score),
    )


def test_trials_left_out_are_as_statsmodels_has_them(made):
    """Each by least squares with HC2 standard errors, all of them by Paule-Mandel and HKSJ."""
    _, problem, _, hits, names, _ = made
    table, trial = leave_trial_out(problem, names, hits), problem.trial
    first = hits[hits["rank"] == 1].set_index(["polarity", "split"])
    for row in table[np.isfinite(table["se"])].to_dict("records"):
        code = names.index(row["trial"])
        ids = first.loc[(row["polarity"], code), list(IDS)].to_numpy(dtype=int)
        own = trial.trial == code
        inside = problem.literals.conjunction(ids[None, :])[0][own]
        fitted = OLS(trial.score[own], add_constant(inside.astype(float))).fit(cov_type="HC2")
        assert (row["effect"], row["se"]) == pytest.approx((fitted.params[1], fitted.bse[1]))
    for polarity, told in left_out_summary(table).items():
        mine = table[(table["polarity"] == polarity) & np.isfinite(table["se"])]
        effect, se = mine["effect"].to_numpy(), mine["se"].to_numpy()
        whole = combine_effects(effect, se**2, method_re="iterated", use_t=True, atol=1e-12)
        assert told["effect"] == pytest.approx(whole.mean_effect_re)
        assert told["tau"] ** 2 == pytest.approx(whole.tau2, abs=1e-8)
        if whole.tau2 > 0:  # else the interval is not shortened
            assert (told["low"], told["high"]) == pytest.approx(whole.conf_int()[3], rel=1e-6)


def test_a_feature_that_tells_the_trials_apart_does_not_hide_the_persona():
    first = {True: [], False: []}
    for seed in range(12):
        problem = several(4, each=30, planted=1.5, seed=seed)
        for level, texts in first.items():
            made = marked(problem, level)
            found = Complete(keep=1).solve(made, polarity=nm.FAVOURABLE)
            texts.append(made.literals.sentence(found.ids[0]))
    assert sum("x0 <= 0" in text for text in first[True]) >= 9
    assert sum("x3" in text for text in first[False]) >= 11


def test_intervals_in_trials_left_out_are_honest():
    """Where nobody differs, what is found without a trial is worth nothing in it, on average."""
    covered, confirmed = [], []
    for seed in range(40):
        problem = several(0, planted=0.0, seed=seed)
        made = leave_trial_out(problem, list("abcd"), without_each(problem, Complete(keep=2)))
        made = made[np.isfinite(made["se"])]
        covered += ((made["low"] <= 0) & (made["high"] >= 0)).tolist()
        confirmed += made["confirmed"].tolist()
    assert len(covered) > 300
    assert np.mean(covered) == pytest.approx(0.95, abs=0.025)
    assert np.mean(confirmed) < 0.06


def test_a_trial_left_out_has_no_say_in_what_is_measured_in_it():
    problem, search = several(4), Complete()
    names = [f"T{k}" for k in range(4)]
    trial, outcome = problem.trial, problem.trial.outcome.copy()
    own = trial.trial == 2
    outcome[own] = np.random.default_rng(0).permutation(outcome[own])
    outcome[own, 0] += 1.0
    score = trial_scores(
        trial.design, outcome, stratum=trial.stratum, active_first=trial.active_first,
        trial=trial.trial,
    )  # fmt: skip
    other = replace(problem, trial=replace(trial, outcome=outcome, score=score))
    one, two = (
        leave_trial_out(p, names, without_each(p, search)).set_index("trial")
        for p in (problem, other)
    )
    assert (one.loc["T2", "text"] == two.loc["T2", "text"]).all()
    assert (one.loc["T2", "effect"] != two.loc["T2", "effect"]).all()


def rows(effect, se, polarity=nm.FAVOURABLE):
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
    ("effect", "where", "only"),
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
        ([9, 9, -0.5, 0.5], UNSETTLED, ""),
        ([1, -1, 0.5, -0.5], UNSETTLED, ""),
        ([9, np.nan], UNSETTLED, ""),
        ([5, 4, 6, np.nan], IN_MOST, ""),
        ([5, 4, np.nan, np.nan], UNSETTLED, ""),
    ],
)
def test_words_for_effects(polarity, effect, where, only):
    se = np.where(np.isnan(effect), np.nan, 1.0)
    assert where_it_holds(rows(effect, se, polarity)) == (where, only)


def test_words_are_seldom_wrong():
    rng = np.random.default_rng(5)
    told = {"all": [], "one": [], "flattered": [], "none": []}
    true_of = {"all": np.full(8, 3.5), "one": np.r_[7.0, np.zeros(7)]}
    true_of["flattered"] = true_of["one"] + 1.5  # the search that chose it saw to a little in all
    for _ in range(150):
        for name, true in true_of.items():
            told[name].append(where_it_holds(rows(rng.normal(true, 1), np.ones(8)))[0])
        told["none"].append(where_it_holds(rows(rng.normal(0, 1, 8), np.ones(8)))[0])
    share = {k: {w: v.count(w) / len(v) for w in set(v)} for k, v in told.items()}
    assert share["all"][IN_ALL] > 0.9
    assert share["one"][IN_ONE] > 0.8
    assert share["one"].get(IN_ALL, 0) < 0.02
    assert share["flattered"].get(IN_ALL, 0) < 0.02
    assert share["flattered"].get(MAINLY, 0) + share["flattered"].get(IN_ONE, 0) > 0.4
    assert share["none"][UNSETTLED] > 0.9


def test_nothing_judged_gives_tables_without_rows():
    problem, search = several(0, planted=0.0), Complete(keep=1)
    verdicts = judged(problem, search).iloc[:0]
    table = trial_effects(problem, verdicts, list("abcd"), without_each(problem, search), jaccard=1)
    assert len(table) == 0
    assert len(summaries(table)) == 0


def test_trials_of_cases_count_participants_once():
    problem = several(4, design="pooled")
    trial = problem.trial
    paired = replace(trial, participant=trial.participant // 2)
    verdicts = judged(problem, Complete()).head(1)
    hits = without_each(problem, Complete())
    single, double = (
        trial_effects(replace(problem, trial=t), verdicts, list("abcd"), hits, jaccard=0.8)
        for t in (trial, paired)
    )
    assert single["effect"].tolist() == double["effect"].tolist()
    assert single["se"].tolist() != double["se"].tolist()


def test_in_a_notebook(tmp_path):
    matrix = search_matrix(n=90, effect=3.0)
    matrix["trial"] = ("unit", np.repeat(["b", "a", "c"], 30))
    first, same = np.ones(90, dtype=bool), np.zeros(90, dtype=np.int64)
    matrix["score"] = ("unit", trial_scores(
        "crossover", matrix["outcome"].to_numpy(), stratum=same, active_first=first,
        trial=matrix["trial"].to_numpy(),
    ))  # fmt: skip
    search = PersonaSearch(1, cuts=3, keep=10)
    with dask.config.set(scheduler="synchronous"):
        found = search.run(matrix, kd.HoldoutSplit(4, seed=7), store=tmp_path)
        verdicts = kd.judge(found, kd.null(search, matrix, relabellings=19, seed=7, store=tmp_path))
        without = search.run(matrix, kd.HoldoutSplit(scheme="leave-trial-out"), store=tmp_path)
    tables = kd.compare_trials(without, verdicts, matrix)
    assert list(tables) == ["trials", "summaries", "left_out"]
    assert sorted(set(tables["trials"]["trial"])) == ["a", "b", "c"]
    first = tables["summaries"].iloc[0]
    assert (first["consistency"], first["n_rediscovered"]) == (IN_ALL, 3)
    with pytest.raises(InputError, match=r"scheme holdout, trials: .*found 3"):
        kd.compare_trials(found, verdicts, matrix)
    with pytest.raises(InputError, match=r"3 trials were searched.*found 2"):
        kd.compare_trials(without, verdicts, matrix.isel(unit=slice(60)))
