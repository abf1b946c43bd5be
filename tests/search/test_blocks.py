"""Blocks of splits: the same tables whatever the blocks, the scheduler or the interruptions."""

from dataclasses import replace

import dask
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from ketadask.cohort.splits import HoldoutSplit
from ketadask.schema.errors import InputError
from ketadask.search import resampling
from ketadask.search.block import search_block
from ketadask.search.graph import hit_blocks
from ketadask.search.persona_search import PersonaSearch
from ketadask.search.thresholds import GateThresholds
from ketadask.store.parts import Parts
from tests.search.small_studies import small_cohort, small_units


@pytest.fixture(scope="module", params=["crossover", "pooled"])
def study(request):
    search = PersonaSearch(max_literals=2, keep=10, cuts=3)
    return search, search.problem(small_units(request.param)), HoldoutSplit(12, seed=5)


def in_blocks(study, ranges, folder, scheduler):
    search, problem, splitter = study
    parts = Parts(folder, "key")
    with dask.config.set(scheduler=scheduler):
        dask.compute(*hit_blocks(problem, search, splitter, ranges, parts, GateThresholds()))
    return [
        parts.read_all(table, 12).sort_values(by, ignore_index=True)
        for table, by in (
            ("hits", ["split", "polarity", "rank"]),
            ("searches", ["split", "polarity"]),
        )
    ]


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("size", [1, 5, 12])
def test_blocks_and_schedulers_change_no_bit(study, tmp_path, scheduler, size):
    whole = in_blocks(study, [(0, 11)], tmp_path / "whole", "synchronous")
    ranges = [(i, min(i + size, 12) - 1) for i in range(0, 12, size)]
    for one, two in zip(whole, in_blocks(study, ranges, tmp_path / "x", scheduler), strict=True):
        pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_hits_pass_the_gates_they_say_they_pass(study):
    search, problem, splitter = study
    hits = search_block(problem, search, splitter, 0, 2, gates=GateThresholds())[0]["hits"]
    sign = np.where(hits.polarity == "favourable", 1, -1)
    for side in ("train", "holdout"):
        passes = (hits[f"p_{side}"] < 0.05) & (sign * hits[f"d_{side}"] > 0.5)
        assert (hits[f"published_{side}"] == passes).all()
        assert set(hits.loc[hits[f"heterogeneity_{side}"], "polarity"]) == set(search.polarities)
    assert (hits.support_train >= 8).all()
    inside = problem.literals.conjunction(hits.filter(like="literal_").to_numpy())
    assert (inside.sum(axis=1) == hits.support_train + hits.support_holdout).all()


@pytest.mark.parametrize("keep", [4, 10_000])
def test_searches_say_how_good_the_first_and_the_last_were(study, keep):
    _, problem, splitter = study
    search = PersonaSearch(max_literals=2, keep=keep, cuts=3)
    tables = search_block(problem, search, splitter, 0, 2, gates=GateThresholds())[0]
    q = tables["hits"].groupby(["split", "polarity"])["q"].agg(["max", "min", "size"])
    told = tables["searches"].set_index(["split", "polarity"])
    full = q["size"] == keep
    assert full.all() == (keep == 4)
    assert (told["q_best"] == q["max"]).all()
    assert (told["q_last"] == q["min"].where(full, -np.inf)).all()


def test_nothing_is_computed_before_it_is_asked_for(study, tmp_path):
    def refuse(graph, keys, **kwargs):
        raise AssertionError("computed")

    search, problem, splitter = study
    with dask.config.set(scheduler=refuse):
        tasks = hit_blocks(
            problem, search, splitter, [(0, 11)], Parts(tmp_path, "k"), GateThresholds()
        )
    assert len(tasks) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_train_side_on_which_all_benefit_alike_has_no_hits(tmp_path, pieces):
    """Few responders may all lie on the other side; the other splits must not be lost for it."""
    search = PersonaSearch(2, keep=5, cuts=2)
    problem = search.problem(small_units("crossover"))
    outcome = np.zeros((len(problem.trial.score), 2))
    outcome[:2, 0] = 1.0
    trial = replace(problem.trial, outcome=outcome)
    problem = replace(problem, trial=replace(trial, score=trial.scores()))
    splitter, parts = HoldoutSplit(12, seed=1, stratify=False), Parts(tmp_path, "key")
    tasks = hit_blocks(problem, search, splitter, [(0, 11)], parts, GateThresholds(), pieces)
    dask.compute(*tasks, scheduler="synchronous")
    trial, told = problem.trial, parts.read_all("searches")
    flat = [not outcome[splitter.mask(i, trial.participant)].any() for i in range(12)]
    assert 0 < sum(flat) < 12
    assert (told.groupby("split")["q_best"].max() == -np.inf).tolist() == flat
    assert set(parts.read_all("hits")["split"]) == {i for i in range(12) if not flat[i]}
    with pytest.raises(ValueError, match="all 40 scores are equal"):
        search.solve(replace(problem, trial=replace(trial, score=0 * trial.score)))


def test_a_failing_split_is_named(study):
    search, problem, _ = study

    class Broken:
        def train_mask(self, i, units):
            return np.zeros(len(units.participant), dtype=bool)

    with pytest.raises(ValueError, match="at least two units") as caught:
        search_block(problem, search, Broken(), 4, 5, gates=GateThresholds())
    assert "split 4" in caught.value.__notes__[0]


def test_a_run_continues_where_it_stopped(tmp_path):
    search = PersonaSearch(max_literals=2, keep=5, cuts=2)
    units = small_units("crossover")
    few = search.run(units, HoldoutSplit(4, seed=5), store=str(tmp_path), block=2)
    first = {file.name: file.stat().st_mtime_ns for file in few.parts.folder.iterdir()}
    more = search.run(units, HoldoutSplit(6, seed=5), store=str(tmp_path), block=2)
    assert (
        first.items()
        <= {file.name: file.stat().st_mtime_ns for file in more.parts.folder.iterdir()}.items()
    )
    assert len(few.searches) == 8
    assert len(more.searches) == 12
    assert "6 splits" in repr(more)


def test_a_run_leaves_each_trial_out_once(tmp_path):
    cohort = small_cohort()
    cohort["trial"] = ("case", np.repeat(np.resize(["a", "b", "c"], 40), 2))
    splits = HoldoutSplit(scheme="leave-trial-out")
    made = PersonaSearch(1, keep=3, cuts=2).run(cohort, splits, store=str(tmp_path))
    assert made.splitter.n_splits == 3
    assert sorted(set(made.searches["split"])) == [0, 1, 2]


def test_a_run_never_takes_parts_of_other_code_or_of_other_splits(tmp_path, monkeypatch):
    class Turned(HoldoutSplit):
        def mask(self, *address):
            return ~super().mask(*address)

    units, search = small_units("crossover"), PersonaSearch(1, keep=3, cuts=2)
    keys = [
        search.run(units, splits, store=str(tmp_path)).parts.key
        for splits in (HoldoutSplit(2, seed=5), HoldoutSplit(3, seed=5), Turned(2, seed=5))
    ]
    monkeypatch.setattr(resampling, "code_version", lambda: "another version")
    keys.append(search.run(units, HoldoutSplit(2, seed=5), store=str(tmp_path)).parts.key)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_keeps_the_contract_of_scikit_learn():
    search = PersonaSearch(max_literals=2, keep=7)
    again = clone(search)
    assert again is not search
    assert again.get_params() == search.get_params()
    assert search.set_params(keep=9).keep == 9
    assert repr(search) == "PersonaSearch(max_literals=2, keep=9)"
    with pytest.raises(InputError, match="did you mean 'keep'"):
        search.set_params(kepe=1)


def test_fit_takes_a_search_matrix_and_ends_in_underscores():
    search = PersonaSearch(max_literals=1, keep=3).fit(small_units("crossover"))
    assert set(search.result_by_polarity_) == {"favourable", "unfavourable"}
    assert len(search.personas_) == 6
    with pytest.raises(InputError, match="unknown objective"):
        PersonaSearch(objective="best").fit(small_units("crossover"))


def test_memory_has_a_limit_only_where_one_is_given(tmp_path):
    """In a notebook nothing says how much a search may take: it takes what it needs."""
    units, search = small_units("crossover"), PersonaSearch(2, keep=3)
    assert search.problem(units).memory == np.inf
    assert search.fit(units).problem_.memory == np.inf
    assert len(search.fit(units, memory=1e9).personas_) == 6
    with pytest.raises(InputError, match=r"^memory \(execution\.memory of a study\): .*1e-06GB"):
        search.fit(units, memory=1e3)
    with pytest.raises(InputError, match=r"^memory "):
        search.run(units, HoldoutSplit(2), store=tmp_path, memory=1e3)


def test_a_share_that_leaves_a_side_without_people_is_refused_before_any_search(tmp_path):
    splits = HoldoutSplit(5, train_size=0.02)
    with pytest.raises(
        InputError, match=r"^train_size: with 40 participants a training set may have 0"
    ):
        PersonaSearch(1).run(small_units("crossover"), splits, store=tmp_path)
    assert not list(tmp_path.iterdir())


def test_scores_of_ones_own_are_refused():
    """Sides of a split would have others: those that the design makes of their outcomes."""
    units = small_units("crossover")
    with pytest.raises(InputError, match="1 units differ from those of the crossover design"):
        PersonaSearch().problem(units.assign(score=units.score + 0.1 * (np.arange(40) == 3)))


def test_outcomes_move_no_cut():
    """The leak test: other outcomes give the same literals."""
    search, units = PersonaSearch(), small_units("crossover")
    other = units.assign(score=units.score * -3, outcome=units.outcome * -3)
    one, two = search.problem(units).literals, search.problem(other).literals
    assert one.__dask_tokenize__() == two.__dask_tokenize__()


def test_tasks_that_differ_have_different_keys(study, tmp_path):
    """A scheduler that still holds an earlier result must not take it for a later one."""
    search, problem, splitter = study
    here, there = Parts(tmp_path / "here", "k"), Parts(tmp_path / "there", "k")
    asked = [
        (search, splitter, (0, 3), here, GateThresholds()),
        (search, splitter, (0, 4), here, GateThresholds()),
        (search, splitter, (0, 3), there, GateThresholds()),
        (search, splitter, (0, 3), here, GateThresholds(p=0.01)),
        (search, HoldoutSplit(12, seed=6), (0, 3), here, GateThresholds()),
        (PersonaSearch(max_literals=1), splitter, (0, 3), here, GateThresholds()),
    ]
    tasks = [
        hit_blocks(problem, each, splits, [numbers], parts, gates)[0]
        for each, splits, numbers, parts, gates in asked
    ]
    assert len({task.key for task in tasks}) == len(asked)
    first = asked[0]
    again = hit_blocks(problem, first[0], first[1], [first[2]], first[3], first[4])[0]
    assert again.key == tasks[0].key
