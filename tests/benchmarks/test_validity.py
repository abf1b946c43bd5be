"""The benchmarks of validity: their trials, their p, their tables, and that they continue."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.cohort.relabel import relabel
from tests.benchmarks import error_rates, validity
from tests.benchmarks.detection_rates import (
    STATISTIC,
    PlantedCell,
    best_persona,
    detection_table,
    planted_cells,
    planted_problem,
)
from tests.benchmarks.error_rates import (
    ALPHA,
    Cell,
    error_cells,
    error_table,
    highest_q,
    highest_t,
    persona_search,
    problem_of,
    smallest_p,
)
from tests.benchmarks.former import former_problem
from tests.benchmarks.interval_coverage import coverage_table, unit_benefits
from tests.benchmarks.null_kinds import NULL_KINDS
from tests.benchmarks.repeated import Bench
from tests.benchmarks.second_findings import PLANTED, findings_summary
from tests.benchmarks.simulated_trials import TrialKind, simulate_cases
from tests.benchmarks.site_studies import studies_block, studies_markdown

DESIGNS = ("crossover", "pooled", "parallel")
PAIRS_OF_KIND = [(kind, design) for kind in NULL_KINDS for design in kind.designs]


@pytest.fixture
def bench(tmp_path):
    with connect(Profile(kind="synchronous")) as executor:
        yield Bench(tmp_path, executor, block=3)


def test_there_are_enough_kinds_and_their_names_differ():
    assert len({kind.name for kind in NULL_KINDS}) == len(NULL_KINDS) >= 24
    assert {cell.participants for cell in error_cells()} == {56, 60, 120, 200}
    assert {cell.features for cell in error_cells()} == {20, 200}


@pytest.mark.parametrize(("kind", "design"), PAIRS_OF_KIND, ids=str)
def test_every_kind_is_searched_by_the_way_of_a_study(kind, design):
    cases = simulate_cases(kind, design, 40, 20, seed=3, index=0)
    again = simulate_cases(kind, design, 40, 20, seed=3, index=0)
    np.testing.assert_array_equal(cases.value, again.value)
    other = simulate_cases(kind, design, 40, 20, seed=3, index=1)
    assert len(other.y) != len(cases.y) or (other.y != cases.y).any()
    problem, units = problem_of(cases, kind, persona_search(2))
    assert highest_t(problem, persona_search(2), None) > 0
    assert units.attrs["design"] == design


@pytest.mark.parametrize("design", DESIGNS)
def test_a_planted_persona_benefits_by_its_effect(design):
    kind = TrialKind("planted", literals=2, effect=2.0)
    cases = simulate_cases(kind, design, 4000, 8, seed=1, index=0)
    assert cases.inside.mean() == pytest.approx(0.35, abs=0.03)
    assert np.ptp(cases.benefit[cases.inside]) == 0
    search = persona_search(2)
    problem, inside, site = planted_problem(cases, kind, search)
    for trial in (problem.trial, former_problem(problem, site).trial):
        difference = trial.score[inside].mean() - trial.score[~inside].mean()
        assert difference == pytest.approx(2.0, abs=0.25)
        assert trial.score.mean() == pytest.approx(cases.benefit.mean(), abs=0.25)


def test_a_planted_hazard_ratio_of_two_fifths_is_found():
    kind = TrialKind("hazard", literals=1, overall=0.0, effect=-np.log(0.4), measure="survival")
    cases = simulate_cases(kind, "parallel", 800, 4, seed=1, index=0)
    search = persona_search(1)
    problem, inside, _ = planted_problem(cases, kind, search)
    p, jaccard = best_persona(
        problem, search, inside, STATISTIC["current"], seed=0, relabellings=39
    )
    assert p <= ALPHA
    assert jaccard >= 0.5


def test_sites_differ_in_benefit_and_features():
    kind = next(kind for kind in NULL_KINDS if kind.name.startswith("3 sites"))
    cases = simulate_cases(kind, "parallel", 3000, 4, seed=1, index=0)
    by_site = [cases.site == code for code in range(3)]
    assert np.diff([cases.benefit[own].mean() for own in by_site]) == pytest.approx(0.75)
    assert np.diff([cases.value[own, 0].mean() for own in by_site]) == pytest.approx(1.5, abs=0.2)
    outcome = [
        cases.y[own & cases.active].mean() - cases.y[own & ~cases.active].mean() for own in by_site
    ]
    assert np.diff(outcome) == pytest.approx(0.75, abs=0.3)


def test_improvement_correlates_with_the_baseline_scale_as_the_kind_says():
    kind = next(kind for kind in NULL_KINDS if kind.name == "change score, baseline items")
    cases = simulate_cases(kind, "parallel", 3000, 20, seed=1, index=0)
    y = cases.y - 0.8 * cases.active
    assert np.corrcoef(y, cases.value[:, :17].sum(axis=1))[0, 1] == pytest.approx(0.78, abs=0.03)


def test_the_former_scores_are_their_formulas():
    kind = TrialKind("plain", sites=(1.0, 1.0))
    scores = {}
    for design in DESIGNS:
        cases = simulate_cases(kind, design, 30, 4, seed=1, index=0)
        problem, units = problem_of(cases, kind, persona_search(2))
        former = former_problem(problem, units["site"].values).trial
        scores[design], y = former.score, np.nansum(former.outcome, axis=1)
        active, first = former.arm == 1, former.active_first
        if design == "crossover":
            difference = former.outcome[:, 0] - former.outcome[:, 1]
            half = (difference[first].mean() - difference[~first].mean()) / 2
            expected = difference - np.where(first, half, -half)
        elif design == "pooled":
            expected = np.where(active, 2.0, -2.0) * (y - y.mean())
        else:
            expected = np.empty(len(y))
            for name in np.unique(units["site"].values):
                own = units["site"].values == name
                q, gain = active[own].mean(), y[own & active].mean() - y[own & ~active].mean()
                for arm, weight in ((active, 1 / q), (~active, -1 / (1 - q))):
                    part = own & arm
                    expected[part] = gain + weight * (y[part] - y[part].mean())
        np.testing.assert_allclose(former.score, expected, atol=1e-8)
        assert len(np.unique(former.stratum)) == (1 if design == "pooled" else 2) or first.any()


@pytest.mark.parametrize("design", DESIGNS)
def test_the_p_is_that_of_all_relabellings(design):
    kind, search = NULL_KINDS[0], persona_search(2)
    n_claims = 0
    for index in range(4):
        cases = simulate_cases(kind, design, 40, 6, seed=4, index=index)
        problem, _ = problem_of(cases, kind, search)
        rows = [relabel(problem.trial, seed=index, index=k)[0] for k in range(19)]
        for former, top in ((False, highest_t), (True, highest_q)):
            observed = top(problem, search, None)
            full = (1 + sum(top(problem, search, order) >= observed for order in rows)) / 20
            settings = {"seed": index, "relabellings": 19, "former": former}
            for alpha in (0.05, 0.5, 0.999):
                p, n = smallest_p(problem, search, alpha=alpha, **settings)
                assert (p <= alpha) == (full <= alpha)
                assert p == full or (p == 1.0 and n <= 19)
                n_claims += p == full
    assert n_claims > 6


def test_claims_are_counted_and_the_benchmark_continues(bench, monkeypatch):
    kinds = NULL_KINDS[:2]
    cells = [Cell(kinds[0], "parallel", 30, 5, (1, 2)), Cell(kinds[1], "crossover", 30, 5, (2,))]
    some = error_table(bench, cells, trials=4, relabellings=19)
    ranges = []
    inner = error_rates.claims_block

    def count(block, **settings):
        ranges.append(block)
        return inner(block, **settings)

    monkeypatch.setattr(error_rates, "claims_block", count)
    more = error_table(bench, cells, trials=7, relabellings=19)
    assert ranges == [(4, 6), (4, 6)]
    assert some["trials"].tolist() == [4, 4, 4]
    assert more["depth"].tolist() == [1, 2, 2]
    monkeypatch.undo()
    other = Bench(bench.folder / "other", bench.executor, block=5)
    again = error_table(other, cells, trials=7, relabellings=19)
    columns = [name for name in more if name != "seconds"]
    pd.testing.assert_frame_equal(more[columns], again[columns], check_exact=True)


def test_a_failed_repetition_is_an_error(bench):
    def fails(block):
        raise ArithmeticError(f"in {block}")

    with pytest.raises(ArithmeticError, match=r"in \(0, 1\)"):
        bench.rows("fails", fails, 2)


def test_a_strong_persona_is_detected_and_recovered_by_both_methods(bench):
    kind = TrialKind("1 literal", literals=1, effect=4.0)
    row = detection_table(
        bench, [PlantedCell(kind, "crossover", 60)], trials=3, relabellings=19
    ).iloc[0]
    assert row["recovered_current"] == row["recovered_former"] == 1.0
    cases = simulate_cases(kind, "crossover", 60, 20, seed=1, index=0)
    problem, inside, _ = planted_problem(cases, kind, persona_search(2))
    for statistic in STATISTIC.values():
        nothing = best_persona(
            problem, persona_search(2), ~inside, statistic, seed=1, relabellings=19
        )
        assert nothing[1] < 0.5
    assert len(planted_cells()) == 72


def test_intervals_and_biases_are_those_of_the_true_difference(bench):
    kind = TrialKind("planted", literals=1, effect=4.0)
    cases = simulate_cases(kind, "pooled", 60, 20, seed=7, index=0)
    _, units = problem_of(cases, kind, persona_search(2))
    benefit = unit_benefits(cases, units)
    assert np.ptp(benefit) == pytest.approx(4.0)
    row = coverage_table(bench, [Cell(kind, "crossover", 60, 20, (2,))], trials=3).iloc[0]
    assert row["truth"] > 2
    assert row["covers_studentised"] >= row["covers_naive"]
    assert abs(row["bias_naive"]) < 2


def test_the_benefit_of_units_is_centred_within_site():
    kind = next(kind for kind in NULL_KINDS if kind.name.startswith("3 sites"))
    cases = simulate_cases(kind, "pooled", 60, 20, seed=7, index=0)
    assert np.ptp(cases.benefit) == pytest.approx(1.5)
    _, units = problem_of(cases, kind, persona_search(2))
    assert np.abs(unit_benefits(cases, units)).max() < 1e-12


def test_a_study_of_three_sites_has_verdicts():
    table = studies_block((0, 0), design="parallel", seed=7, relabellings=19)
    assert table["findings"].iloc[0] > 0
    assert len(studies_markdown(table).splitlines()) == 3


def test_one_planted_persona_is_one_finding(bench):
    row = findings_summary(bench, trials=6, relabellings=59)
    assert row["recovered"] > 0.8
    assert row["second"] <= row["high"]


def test_without_the_correction_it_would_be_many(bench, monkeypatch):
    monkeypatch.setattr(
        "ketadask.inference.incremental.IncrementalTest.adds", lambda self, founders, i: True
    )
    assert findings_summary(bench, PLANTED, trials=6, relabellings=59)["second"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "design"), PAIRS_OF_KIND, ids=str)
def test_false_claims_are_nominal(bench, kind, design):
    """All cells together fail by chance in 1 % of seeds."""
    table = error_table(bench, [Cell(kind, design, depths=(2,))], trials=100)
    highest = stats.binom.ppf(1 - 0.01 / len(PAIRS_OF_KIND), 100, ALPHA) / 100
    assert table["supported"].iloc[0] <= highest


def test_the_command_prints_markdown_and_values(tmp_path, capsys):
    profile = tmp_path / "here.yaml"
    profile.write_text("kind: synchronous\n")
    words = ["--cluster", str(profile), "--out", str(tmp_path), "--relabellings", "19"]
    size = ["--trials", "2", "--kinds", "3:1 allocation", "--sizes", "60"]
    assert validity.main(["error", *words, *size]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| kind of trial | design")
    assert len(lines) == 2 + 2
    assert validity.main(["error", *words, *size, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("kind,design,participants")
    cell = ["--trials", "1", "--kinds", "1 literal", "--designs", "crossover", "--sizes", "60"]
    assert validity.main(["power", *words, *cell]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 2
    assert validity.main(["coverage", *words, *cell[:2], "--kinds", "lognormal", *cell[4:]]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 1
    assert validity.main(["beyond", *words, "--trials", "1"]) == 0
    assert capsys.readouterr().out.startswith("| design | participants")
