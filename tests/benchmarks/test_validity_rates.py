"""The calibration study: its trials, its p, its tables, and that it continues where it stopped."""

import numpy as np
import pandas as pd
import pytest

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.inference.evaluation import PersonaSet
from ketadask.inference.null import null_block
from ketadask.inference.verdicts import adjusted_p
from ketadask.search.persona_search import PersonaSearch
from tests.benchmarks import validity
from tests.benchmarks.homogeneous import LOST, Homogeneous, kinds
from tests.benchmarks.repeated import Bench
from tests.benchmarks.validity import PLANTED, error_table, second_table, smallest_p

SEARCH = PersonaSearch(2, cuts=1, keep=1)
SMALL = {"participants": 24, "features": 4}


@pytest.fixture
def bench(tmp_path):
    with connect(Profile(kind="synchronous")) as executor:
        yield Bench(tmp_path, executor, block=3)


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_trials_are_what_their_kind_says(design):
    kind = Homogeneous(design, prognostic=1.5, overall=2.0, participants=3000, features=4)
    problem = kind.problem(SEARCH, seed=1, index=0)
    trial, literals = problem.trial, problem.literals
    assert len(literals.feature_names) == 4
    units = {"crossover": 1 - LOST, "pooled": 2 - LOST, "parallel": 1}[design] * 3000
    assert len(trial.score) == pytest.approx(units, rel=0.02)
    assert trial.score.mean() == pytest.approx(2.0, abs=0.3)
    seen = np.nanmean(trial.outcome, axis=1)
    high = [seen[holds].mean() - seen[~holds].mean() for holds in literals.holds]
    gain = [trial.score[holds].mean() - trial.score[~holds].mean() for holds in literals.holds]
    prognostic = np.isin(literals.feature, [0, 3])
    assert np.abs(high)[prognostic].min() > 1.5
    assert np.abs(high)[~prognostic].max() < 0.5
    assert np.abs(gain).max() < 0.8


def test_kinds_of_trials_are_all_combinations():
    assert len(set(kinds())) == 12


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_the_p_of_the_best_is_that_of_the_verdicts(design):
    kind = Homogeneous(design, prognostic=1.5, **SMALL)
    claimed = 0
    for index in range(6):
        problem = kind.problem(SEARCH, seed=4, index=index)
        found = {p: SEARCH.solve(problem, polarity=p) for p in SEARCH.polarities}
        q = np.concatenate([each.q for each in found.values()])
        nulls = null_block(problem, SEARCH, (0, 18), seed=index)
        _, step = adjusted_p(problem, SEARCH, PersonaSet.of(found), q, nulls, "q")
        for alpha in (0.05, 0.3, 0.999):
            p, made = smallest_p(problem, SEARCH, seed=index, relabellings=19, alpha=alpha)
            assert (p <= alpha) == (step.min() <= alpha)
            assert p == step.min() or (p == 1.0 and made <= 19)
            claimed += p == step.min()
    assert claimed > 6


def test_errors_are_counted_and_the_study_continues(bench, monkeypatch):
    asked = kinds(**SMALL)[:2]
    given = {"search": SEARCH, "relabellings": 19}
    some = error_table(bench, asked, trials=4, **given)
    made = []
    inner = validity.claims_block

    def counted(numbers, **settings):
        made.append(numbers)
        return inner(numbers, **settings)

    monkeypatch.setattr(validity, "claims_block", counted)
    more = error_table(bench, asked, trials=7, **given)
    assert made == [(4, 6), (4, 6)]
    assert some["trials"].tolist() == [4, 4, 8]
    assert more["trials"].tolist() == [7, 7, 14]
    monkeypatch.undo()
    with connect(Profile(kind="threads", workers=2)) as executor:
        other = Bench(bench.folder / "other", executor, block=5)
        anew = error_table(other, asked, trials=7, **given)
    pd.testing.assert_frame_equal(more, anew, check_exact=True)


def test_a_failed_repetition_is_an_error(bench):
    def fails(numbers):
        raise ArithmeticError(f"in {numbers}")

    with pytest.raises(ArithmeticError, match=r"in \(0, 1\)"):
        bench.rows("fails", fails, 2)


def assert_second_findings_are_rare(bench, trials):
    row = second_table(bench, trials=trials, relabellings=59)
    assert row["recovered"] > 0.8
    assert row["second"] <= row["high"]


def test_one_planted_persona_is_one_finding(bench):
    assert_second_findings_are_rare(bench, 8)


@pytest.mark.slow
def test_one_planted_persona_is_one_finding_in_many_trials(bench):
    assert_second_findings_are_rare(bench, 100)


def test_without_the_correction_it_would_be_many(bench, monkeypatch):
    monkeypatch.setattr(
        "ketadask.inference.incremental.IncrementalTest.adds", lambda self, founders, i: True
    )
    assert second_table(bench, PLANTED, trials=8, relabellings=59)["second"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds(), ids=lambda k: f"{k.design}-{k.prognostic}-{k.overall}")
def test_false_claims_are_nominal(bench, kind):
    row = error_table(bench, [kind], validity.SEARCH, trials=100, relabellings=39).iloc[0]
    assert row["inside"]


def test_the_command_prints_markdown(tmp_path, capsys):
    profile = tmp_path / "here.yaml"
    profile.write_text("kind: synchronous\n")
    words = ["--cluster", str(profile), "--out", str(tmp_path), "--relabellings", "19"]
    size = ["--trials", "3", "--participants", "24", "--features", "4"]
    assert validity.main(["error", *words, *size]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| design | prognostic features")
    assert len(lines) == 2 + 12 + 1
    assert validity.main(["beyond", *words, "--trials", "2"]) == 0
    assert "| crossover | 80 | 12 | 2.0 | 2 |" in capsys.readouterr().out
