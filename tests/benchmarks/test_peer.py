"""The comparison with pysubgroup: one formula, and errors of the other environment."""

from __future__ import annotations

import sys
from itertools import combinations

import numpy as np
import pytest

from ketadask.bench.synthetic import synthetic_literals, synthetic_problem
from ketadask.kernels import exact
from ketadask.schema.errors import InputError
from tests.benchmarks.peer import compare, quality


def stand_in(tmp_path, body):
    """Return a program that stands in for a Python with pysubgroup."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(0o755)
    return path


BRUTE = """
import json, sys
from itertools import combinations
import numpy as np
given = np.load(sys.argv[2])
holds, score = given["holds"], given["score"]
best = (-1e9, None)
for k in range(1, int(given["depth"]) + 1):
    for ids in combinations(range(len(holds)), k):
        inside = holds[list(ids)].all(axis=0)
        if inside.sum() >= given["min_support"]:
            value = inside.sum() ** 0.5 * (score[inside].mean() - score.mean())
            best = max(best, (value, ids))
answer = dict(version="0", seconds=2.0, cpu_seconds=2.0, peak_memory=1.0, quality=best[0],
              literals=best[1])
json.dump(answer, open(sys.argv[3], "w"))
"""


def test_the_peer_is_compared_by_one_formula(tmp_path):
    result = compare(stand_in(tmp_path, BRUTE), units=24, features=6)
    assert result["selectors"] == len(synthetic_literals(24, 6, cuts=2))
    assert result["as_good"]
    assert result["ours"]["quality"] == pytest.approx(result["theirs"]["quality"])
    assert result["ratio"] == pytest.approx(2.0 / result["ours"]["cpu_seconds"])


def test_a_worse_best_of_ours_is_reported(tmp_path, monkeypatch):
    def empty_handed(holds, score, feature, **options):
        result = exact.search_literals(holds, score, feature, **{**options, "keep": 100})
        result.ids[0] = result.ids[-1]
        return result

    monkeypatch.setattr("tests.benchmarks.peer.search_literals", empty_handed)
    assert not compare(stand_in(tmp_path, BRUTE), units=24, features=6)["as_good"]


@pytest.mark.parametrize(
    ("body", "text"),
    [(None, "does not start"), ("raise SystemExit('no pysubgroup here')", "no pysubgroup here")],
)
def test_a_peer_that_does_not_run_is_named(tmp_path, body, text):
    python = tmp_path / "none" if body is None else stand_in(tmp_path, body)
    with pytest.raises(InputError, match=text):
        compare(python, units=12, features=4)


def test_the_quality_compared_is_our_q_for_effect():
    problem = synthetic_problem(30, 6)
    score = problem.trial.score - problem.trial.score.mean()
    best = exact.search_literals(
        problem.literals.holds,
        score,
        problem.literals.feature,
        max_literals=2,
        keep=50,
        objective="effect",
    )
    inside = problem.literals.conjunction(best.ids)
    qualities = [quality(score, cover) / score.std(ddof=1) for cover in inside]
    np.testing.assert_allclose(best.q, qualities, rtol=1e-9)
    pairs = combinations(range(len(problem.literals)), 2)
    both = (problem.literals.holds[list(pair)].all(axis=0) for pair in pairs
            if len(set(problem.literals.feature[list(pair)])) == 2)  # fmt: skip
    top = max(quality(score, cover) for cover in both if cover.sum() >= 8)
    assert best.q[0] * score.std(ddof=1) >= top - 1e-9
