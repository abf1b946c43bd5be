"""Graphs of inference: parts and digests are the same whatever the blocks and the scheduler."""

import dask
import numpy as np
import pandas as pd
import pytest

from ketadask.cohort.splits import HoldoutSplit
from ketadask.inference.evaluation import PersonaSet, evaluate_block
from ketadask.inference.graph import evaluation_blocks, hits_summary, null_blocks
from ketadask.inference.hit_summary import stability_frame, summarise_hits
from ketadask.inference.null import null_block
from ketadask.search.thresholds import GateThresholds
from ketadask.store.parts import Parts
from ketadask.store.ranges import blocks, range_name
from tests.inference.small_problems import BruteSearch, make_problem

N = 10
SPLITTER = HoldoutSplit(N, seed=3)


@pytest.fixture(scope="module")
def study():
    """A problem, its search, and the searches and hits of N splits."""
    problem, search = make_problem(n=26, planted=2.0), BruteSearch(keep=4)
    trial, searches, hits = problem.trial, [], []
    rng = np.random.default_rng(0)
    for i in range(N):
        train = SPLITTER.train_mask(i, trial)
        for polarity in search.polarities:
            found = search.solve(problem, polarity=polarity, train=train)
            searches.append((i, polarity, found.q[-1]))
            for rank, row in enumerate(found.ids, start=1):
                hits.append((i, polarity, rank, *row, *(rng.random(2) < 0.6)))
    searches = pd.DataFrame(searches, columns=["split", "polarity", "q_last"])
    names = ["split", "polarity", "rank", *(f"literal_{k}" for k in range(1, 5)),
             "published_train", "heterogeneity_train"]  # fmt: skip
    return problem, search, searches, pd.DataFrame(hits, columns=names)


@pytest.mark.parametrize(("size", "scheduler"), [(1, "synchronous"), (4, "threads"), (50, "sync")])
def test_null_parts_are_the_same_in_all_blocks(study, tmp_path, size, scheduler):
    problem, search, _, _ = study
    parts = Parts(tmp_path, "key")
    tasks = null_blocks(problem, search, blocks([(0, N - 1)], size), parts, seed=5)
    receipts = dask.compute(*tasks, scheduler=scheduler)
    expected = null_block(problem, search, (0, N - 1), seed=5)
    assert sum(each.rows["nulls"] for each in receipts) == len(expected)
    assert parts.missing(N) == []
    pd.testing.assert_frame_equal(parts.read_all("nulls"), expected, check_exact=True)


@pytest.mark.parametrize(("size", "scheduler"), [(1, "threads"), (4, "synchronous")])
def test_evaluation_parts_are_the_same_in_all_blocks(study, tmp_path, size, scheduler):
    problem, search, searches, _ = study
    personas = PersonaSet.of({p: search.solve(problem, polarity=p) for p in search.polarities})
    parts, given = Parts(tmp_path, "key"), {"search": search, "gates": GateThresholds()}
    ranges = blocks([(0, N - 1)], size)
    dask.compute(
        *evaluation_blocks(problem, personas, SPLITTER, searches, ranges, parts, **given),
        scheduler=scheduler,
    )
    expected = evaluate_block(problem, personas, SPLITTER, searches, (0, N - 1), **given)
    pd.testing.assert_frame_equal(parts.read_all("evaluation"), expected, check_exact=True)


@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("n", [N, 7])
def test_digests_are_the_same_in_all_blocks(study, tmp_path, size, n):
    problem, _, _, hits = study
    parts, ranges = Parts(tmp_path, "key"), blocks([(0, N - 1)], size)
    for each in ranges:
        parts.write(range_name(*each), {"hits": hits[hits["split"].between(*each)]})
    used = [each for each in ranges if each[0] < n]
    task = hits_summary(problem, SPLITTER, parts, used, gate="both", n=n)
    made = task.compute(scheduler="synchronous")
    expected = summarise_hits(problem, SPLITTER, hits, (0, n - 1), gate="both")
    features = problem.literals.feature_names
    pd.testing.assert_frame_equal(
        stability_frame(made.selection, features),
        stability_frame(expected.selection, features),
        check_exact=True,
    )
    pd.testing.assert_frame_equal(made.choices, expected.choices, check_exact=True)
    assert made.votes.mean_vote.tobytes() == expected.votes.mean_vote.tobytes()
    assert made.selection["favourable"].splits == n


def test_the_problem_travels_once(study):
    problem, search, _, _ = study
    tasks = null_blocks(problem, search, blocks([(0, 99)], 10), Parts("nowhere", "key"), seed=5)
    keys = {key for task in tasks for key in dict(task.__dask_graph__())}
    assert sum(str(key).startswith("problem-") for key in keys) == 1
    assert len(keys) == 11
