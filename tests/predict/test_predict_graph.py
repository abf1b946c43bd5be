"""Parts of outer folds and permutations: the same for any blocks, resumed after a kill."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from ketadask.pipeline.executor import Synchronous, Threads
from ketadask.predict.classifier_data import build_classifier_data
from ketadask.predict.classifiers import Classifier
from ketadask.predict.graph import fold_blocks, permutation_blocks
from ketadask.predict.nested import NestedCV
from ketadask.predict.performance import point_estimates
from ketadask.predict.permutations import fixed_model_p, permutation_p, permute_labels
from ketadask.predict.results import STATISTICS, nested_cross_validate, summarise_prediction
from ketadask.store.parts import Parts
from ketadask.store.ranges import blocks
from tests.predict.small_cohorts import cohort, small

TABLES = ("predictions", "choices", "weights")


@pytest.fixture(scope="module")
def cases():
    return cohort(effect=0.5, covariates=1)


@pytest.fixture
def nested_cv():
    return NestedCV(small(), Classifier(costs=(0.1, 1.0)))


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("executor", [Synchronous(), Threads(2)], ids=["synchronous", "threads"])
def test_blocks_and_executors_change_nothing(tmp_path, cases, nested_cv, size, executor):
    parts = Parts(tmp_path, "key")
    tasks = fold_blocks(cases, nested_cv, blocks(parts.missing(8), size)[::-1], parts)
    assert len(list(executor.compute(tasks))) == len(tasks)
    assert parts.missing(8) == []
    tables = {name: parts.read_all(name) for name in TABLES}
    prediction = summarise_prediction(cases, nested_cv, tables)
    expected = nested_cross_validate(cases, nested_cv)
    assert prediction.measures == expected.measures
    pd.testing.assert_frame_equal(prediction.cases, expected.cases)
    pd.testing.assert_frame_equal(prediction.weights, expected.weights)


def test_only_what_is_missing_is_computed(tmp_path, cases, nested_cv):
    parts = Parts(tmp_path, "key")
    list(Synchronous().compute(fold_blocks(cases, nested_cv, [(0, 1), (4, 5)], parts)))
    assert parts.missing(8) == [(2, 3), (6, 7)]


def test_permutations_are_addressed_and_repeat_the_choice(tmp_path, cases, nested_cv):
    single, halves = Parts(tmp_path / "a", "k"), Parts(tmp_path / "b", "k")
    list(Synchronous().compute(permutation_blocks(cases, nested_cv, [(0, 5)], single)))
    list(Synchronous().compute(permutation_blocks(cases, nested_cv, [(3, 5), (0, 2)], halves)))
    one, two = single.read_all("permutations"), halves.read_all("permutations")
    pd.testing.assert_frame_equal(one, two)
    own = nested_cross_validate(cases, nested_cv).measures
    for name in STATISTICS:
        assert one[name][0] == pytest.approx(own[name])
    assert permutation_p(one)["auc"] == pytest.approx(1 / 6)


def test_a_missing_statistic_is_no_evidence():
    table = pd.DataFrame({"permutation": range(20), "bac_folds": np.nan, "bac_pooled": 0.5})
    table["auc"] = [0.9, np.nan, *[0.5] * 18]
    table["bac"] = table["bac_pooled"]
    expected = {"bac": 1.0, "bac_folds": 1.0, "bac_pooled": 1.0, "auc": 0.1}
    assert permutation_p(table) == expected


def test_labels_are_exchanged_within_sites_and_participants_stay_whole():
    cases = cohort(sites=3)
    other = permute_labels(cases, 4, seed=9)
    assert not np.array_equal(other.label, cases.label)
    for site in set(cases.site):
        assert other.label[cases.site == site].sum() == cases.label[cases.site == site].sum()
    assert np.array_equal(permute_labels(cases, 0, seed=9).label, cases.label)
    assert np.array_equal(permute_labels(cases, 4, seed=9).label, other.label)


SCRIPT = """
import sys
from pathlib import Path
from ketadask.pipeline.executor import Synchronous
from ketadask.predict.classifiers import Classifier
from ketadask.predict.graph import permutation_blocks
from ketadask.predict.nested import NestedCV
from ketadask.store.parts import Parts
from ketadask.store.ranges import blocks
from tests.predict.small_cohorts import cohort, small

parts = Parts(Path(sys.argv[1]), "key")
ranges = blocks(parts.missing(40), 2)
nested_cv = NestedCV(small(repeats=1), Classifier(costs=(0.1, 1.0)))
for _ in Synchronous().compute(permutation_blocks(cohort(), nested_cv, ranges, parts)):
    pass
print(len(ranges))
"""


@pytest.mark.slow
def test_permutations_continue_after_a_kill(tmp_path):
    command = [sys.executable, "-c", SCRIPT]
    first = subprocess.Popen([*command, str(tmp_path / "a")], stdout=subprocess.DEVNULL)
    start = time.monotonic()
    while len(list((tmp_path / "a").glob("0*.json"))) < 3 and time.monotonic() - start < 60:
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    count = len(Parts(tmp_path / "a", "key").verify())
    assert 3 <= count < 20
    again = subprocess.run(
        [*command, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    assert int(again.stdout) == 20 - count
    subprocess.run([*command, str(tmp_path / "b")], capture_output=True, check=True)
    one, two = (Parts(tmp_path / n, "key").read_all("permutations") for n in "ab")
    pd.testing.assert_frame_equal(one, two)
    assert len(one) == 40


def test_p_of_a_fixed_model_is_that_of_a_plain_loop():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "participant": [f"p{k // 2 if k < 8 else k}" for k in range(30)],
            "site": ["a"] * 8 + list("ab" * 11),
            "label": rng.integers(0, 2, 30),
            "decision": rng.normal(size=30).round(1),
        }
    )
    table["decision"] += 0.7 * table["label"]
    table["predicted"] = (table["decision"] > 0).astype(int)
    cases = build_classifier_data(
        np.zeros((30, 1)), table["label"], site=table["site"], participant=table["participant"]
    )
    values = [table[name].to_numpy() for name in ("predicted", "decision", "site")]
    own = point_estimates(table["label"].to_numpy(), *values)
    others = [
        point_estimates(permute_labels(cases, k, seed=2).label, *values) for k in range(1, 2001)
    ]
    p = fixed_model_p(table)
    for name in ("auc", "bac"):
        expected = np.mean([other[name] >= own[name] - 1e-12 for other in others])
        assert p[f"p_{name}"] == pytest.approx(expected, abs=0.04)
        assert 0.0001 <= p[f"p_{name}"] < 0.5
