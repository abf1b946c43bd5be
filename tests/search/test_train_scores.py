"""What is searched on a train side carries no outcome of the holdout."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.splits import HoldoutSplit
from ketadask.cohort.units import score_units
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.null import IDS
from ketadask.inference.train_choice import choice_block
from ketadask.search.block import search_block
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from tests.search.small_studies import small_cohort

DESIGNS = ["crossover", "pooled", "parallel"]
GATES = GateThresholds()


def problem_of(design, trials, objective="heterogeneity", adjust="ridge"):
    cohort = small_cohort(60)
    number = np.unique(cohort["participant"], return_inverse=True)[1]
    cohort["trial"] = ("case", np.char.add("t", (number // 2 % trials).astype(str)))
    cohort["improvement"] = cohort["improvement"] + 3.0 * (number // 2 % trials)
    if design == "parallel":
        cohort = cohort.isel(case=cohort["period"].to_numpy() == 1)
    search = PersonaSearch(2, keep=10, cuts=3, objective=objective)
    return search, search.problem(score_units(cohort, design=design, adjust=adjust))


def with_outcomes(problem, outcome):
    return replace(problem, trial=problem.trial.with_outcome(outcome))


@pytest.mark.parametrize("adjust", ["none", "ridge"])
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("trials", [1, 3])
def test_scores_of_everybody_are_the_scores_to_the_last_bit(design, trials, adjust):
    _, problem = problem_of(design, trials, adjust=adjust)
    trial = problem.trial
    assert trial.scores().tobytes() == trial.score.tobytes()
    everybody = np.ones(len(trial.score), dtype=bool)
    assert trial.scores(everybody).tobytes() == trial.score.tobytes()


@pytest.mark.parametrize("objective", ["heterogeneity", "effect"])
@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("design", DESIGNS)
def test_outcomes_of_the_holdout_change_nothing_on_train(design, trials, objective):
    search, problem = problem_of(design, trials, objective)
    splitter, trial = HoldoutSplit(1, seed=3), problem.trial
    train = splitter.mask(0, trial.participant, trial.split_stratum)
    outcome = trial.outcome.copy()
    rng = np.random.default_rng(5)
    # The arms of the holdout are not what they were, nor is what it is worth.
    outcome[~train] = outcome[~train] * [2.0, 0.5] + rng.normal(20.0, 9.0, (int((~train).sum()), 1))
    seen = [search_block(p, search, splitter, 0, 0, gates=GATES)[0] for p in
            (problem, with_outcomes(problem, outcome))]  # fmt: skip
    one, two = (tables["hits"].filter(regex="^((?!holdout).)*$") for tables in seen)
    assert len(one) > 10
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    pd.testing.assert_frame_equal(seen[0]["searches"], seen[1]["searches"], check_exact=True)
    assert (seen[0]["hits"]["p_holdout"] != seen[1]["hits"]["p_holdout"]).any()


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("design", DESIGNS)
def test_outcomes_of_train_change_nothing_of_what_an_enrolment_gains(design, trials):
    search, problem = problem_of(design, trials)
    splitter, trial = HoldoutSplit(1, seed=3), problem.trial
    train = splitter.mask(0, trial.participant, trial.split_stratum)
    hits = search_block(problem, search, splitter, 0, 0, gates=GATES)[0]["hits"]
    outcome = trial.outcome.copy()
    outcome[train] = outcome[train] + [9.0, 2.0]  # the coefficients of train remain
    one, two = (
        choice_block(p, splitter, hits, (0, 0), gate="both")
        for p in (problem, with_outcomes(problem, outcome))
    )
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)
    assert np.isfinite(one["benefit_inside"]).all()


class Drawn:
    """A splitter whose train side is what it was given."""

    def __init__(self, train):
        self.train = train

    def train_mask(self, split, trial):
        return self.train


@pytest.mark.parametrize("design", ["pooled", "parallel"])
def test_a_train_side_of_one_arm_has_no_hits(design):
    search, problem = problem_of(design, 1)
    splitter = Drawn(problem.trial.arm == 1)
    tables = search_block(problem, search, splitter, 0, 0, gates=GATES)[0]
    assert tables["hits"].empty
    assert (tables["searches"]["q_best"] == -np.inf).all()
    personas = PersonaSet(np.array([[0, -1, -1, -1]]), np.array(["favourable"]))
    held = evaluate_block(
        problem, personas, splitter, tables["searches"], (0, 0), search=search, gates=GATES
    )
    assert held["kept"].tolist() == [False]
    table = choice_block(problem, splitter, tables["hits"], (0, 0), gate="both")
    assert table["inside"].tolist() == [0, 0]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_trial_of_one_unit_is_left_out_and_alone_like_any_other(design):
    """Without the others nothing can be searched in it, which must not end the study."""
    search, problem = problem_of(design, 1)
    train = np.arange(len(problem.trial.score)) == 4
    for side, hits in ((train, 0), (~train, 20)):
        tables = search_block(problem, search, Drawn(side), 0, 0, gates=GATES)[0]
        assert len(tables["hits"]) == hits
        assert len(tables["searches"]) == 2


@pytest.mark.parametrize("design", DESIGNS)
def test_of_a_train_side_a_trial_without_both_arms_is_not_searched(design):
    search, problem = problem_of(design, 3)
    trial = problem.trial
    other = trial.trial != 1
    lone = ~other & (trial.active_first if design == "crossover" else trial.arm == 1)
    assert lone.any()
    seen = [search_block(problem, search, Drawn(train), 0, 0, gates=GATES)[0] for train in
            (other, other | lone)]  # fmt: skip
    trains = [tables["hits"].filter(regex="^((?!holdout).)*$") for tables in seen]
    if design == "crossover":  # one sequence still has differences, if no period effect
        assert (seen[1]["searches"]["n_train"] == (other | lone).sum()).all()
        assert not trains[1].empty
        return
    pd.testing.assert_frame_equal(*trains, check_exact=True)
    assert (seen[1]["searches"]["n_train"] == other.sum()).all()
    assert (seen[1]["searches"]["n_holdout"] == (~other & ~lone).sum()).all()
    ids = seen[1]["hits"][list(IDS)].to_numpy(dtype=np.int32)
    personas = PersonaSet(ids, seen[1]["hits"]["polarity"].to_numpy(dtype=str))
    held = evaluate_block(
        problem, personas, Drawn(other | lone), seen[1]["searches"], (0, 0),
        search=search, gates=GATES,
    )  # fmt: skip
    assert held["kept"].all()
    for name in ("q", "support_train", "support_holdout", "p_train", "p_holdout"):
        assert held[name].tolist() == seen[1]["hits"][name].tolist()


def test_one_sequence_only_has_no_period_effect():
    _, problem = problem_of("crossover", 1)
    trial = problem.trial
    first = trial.active_first
    score = trial.scores(first)
    assert np.isnan(score[~first]).all()
    assert score[first] == pytest.approx((trial.outcome[:, 0] - trial.outcome[:, 1])[first])


def test_levels_of_the_trials_are_those_of_the_side():
    _, problem = problem_of("pooled", 3)
    trial = problem.trial
    side = np.random.default_rng(0).random(len(trial.score)) < 0.6
    score = trial.scores(side)
    means = [score[side & (trial.trial == code)].mean() for code in range(3)]
    assert means == pytest.approx([score[side].mean()] * 3)
    alone = [trial.scores(side & (trial.trial == code)) for code in range(3)]
    overall = [np.nanmean(own) for own in alone]
    size = np.bincount(trial.trial[side])
    assert score[side].mean() == pytest.approx(np.average(overall, weights=size))
