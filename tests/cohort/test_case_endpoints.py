"""Time to event, counts and repeated measures from tables to one score per unit."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

import ketadask as kd
from ketadask.cohort.endpoints import Outcome
from ketadask.kernels.repeated import expected_courses
from ketadask.kernels.survival import rate_contributions
from ketadask.schema.errors import InputError
from tests.cohort.test_endpoints import N, parallel_trial, units_of, values

RNG = np.random.default_rng(6)
TIME = np.round(RNG.exponential(12, N) + 0.5, 1)
EVENT = np.array([1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1])
SURVIVAL = ["outcome.column=months", "outcome.event=died"]


def area(time, event, horizon):
    curve = SurvfuncRight(time, event)
    inside = curve.surv_times < horizon
    edges = np.concatenate(([0.0], curve.surv_times[inside], [horizon]))
    return float(np.diff(edges) @ np.concatenate(([1.0], curve.surv_prob[inside])))


def test_the_overall_effect_of_a_time_to_event_is_the_difference_of_restricted_means(tmp_path):
    from ketadask.report.overall import overall_facts

    path = parallel_trial(tmp_path, months=TIME, died=EVENT)
    units = units_of(path, *SURVIVAL, "outcome.horizon=8")
    active = np.arange(N) % 2 == 0
    expected = area(TIME[active], EVENT[active], 8.0) - area(TIME[~active], EVENT[~active], 8.0)
    assert overall_facts(units).difference == pytest.approx(expected, abs=1e-6)
    assert set(units["feature"].values) == {"age"}
    remission = units_of(path, *SURVIVAL, "outcome.horizon=8", "outcome.direction=lower")
    assert overall_facts(remission).difference == pytest.approx(-expected, abs=1e-6)


def test_events_and_the_kinds_of_censoring_are_named(tmp_path):
    event = EVENT.copy()
    event[0] = 2
    path = parallel_trial(tmp_path, months=TIME, died=event)
    units = units_of(path, *SURVIVAL, "outcome.horizon=8")
    inside = TIME <= 8
    n_late = int(((TIME >= 8) & ~((event > 0) & inside)).sum())
    n_early = int(((event == 0) & (TIME < 8)).sum())
    text = units.attrs["definition"]
    assert f"{((event == 1) & inside).sum()} events, {int(inside[0])} competing" in text
    assert f"{n_late} followed to the horizon (administrative censoring)" in text
    assert f"{n_early} censored before" in text
    longest = min(TIME[::2].max(), TIME[1::2].max())
    assert f"horizon {longest:g}; " in units_of(path, *SURVIVAL).attrs["definition"]


def test_counts_per_time_at_risk(tmp_path):
    years, relapses = RNG.uniform(0.5, 2, N).round(2), RNG.poisson(1, N)
    path = parallel_trial(tmp_path, relapses=relapses, years=years)
    units = units_of(path, "outcome.column=relapses", "outcome.exposure=years")
    expected = np.empty(N)
    for arm in (0, 1):
        expected[arm::2] = -rate_contributions(relapses[arm::2].astype(float), years[arm::2])
    assert values(units) == pytest.approx(expected)


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    """A simulated parallel trial with several visits, some missing."""
    folder = tmp_path_factory.mktemp("visits")
    kd.simulate_study(folder, participants=40, seed=3)
    return kd.read_phenotype(folder, ["madrs"])


def test_repeated_measures_use_all_visits(visits):
    names = ("area", "slope", "mixed-model")
    cohorts = {
        name: kd.assemble(visits, outcome=Outcome("madrs", endpoint=name, day=7)) for name in names
    }
    key = ["participant", "period"]
    for name, cohort in cohorts.items():
        dataset = cohort.dataset
        rows = {
            (str(who), int(period)): float(y)
            for who, period, y in zip(
                dataset["participant"].values, dataset["period"].values,
                dataset["endpoint"].values, strict=True,
            )
        }  # fmt: skip
        for case, own in cohort.courses[cohort.courses["day"] <= 7].groupby(key):
            day, score = own["day"].to_numpy(float), own["score"].to_numpy(float)
            if name == "area":
                level = np.trapezoid(score, day) / day[-1]
                assert rows[case] == pytest.approx(score[0] - level)
            elif name == "slope":
                assert rows[case] == pytest.approx(-np.polyfit(day, score, 1)[0])
    model, plain = cohorts["mixed-model"].dataset, kd.assemble(visits).dataset
    assert model.sizes["case"] > plain.sizes["case"]  # a missed visit does not lose the case
    both = model["followup"].notnull().values
    observed = (model["baseline"] - model["followup"]).values[both]
    assert model["endpoint"].values[both] == pytest.approx(observed)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["outcome.column=months", "outcome.event=state"], "outcome.direction"),
        ([*SURVIVAL, "outcome.horizon=900"], "followed to the horizon, found 900.0; give at most"),
        ([*SURVIVAL[:1], "outcome.event=months", "outcome.direction=higher"], "expected 0, 1 or 2"),
        (["outcome.column=months", "outcome.endpoint=survival"], "set outcome.column and outcome."),
        (["outcome.column=died", "outcome.exposure=zero"], "expected a time at risk above 0"),
        (["outcome.column=months", "outcome.endpoint=area"], "area needs a day"),
        (["outcome.event=died", "outcome.endpoint=improvement"], "improvement has no event"),
    ],
)
def test_wrong_columns_are_named(tmp_path, changes, words):
    path = parallel_trial(tmp_path, months=TIME, died=EVENT, state=EVENT, zero=[0] * N)
    changes = (
        [*changes, "outcome.direction=higher"] if "outcome.event=months" in changes else changes
    )
    with pytest.raises(InputError, match=words):
        units_of(path, *changes)


def test_too_few_cases_for_a_covariance_are_refused(visits):
    from ketadask.schema.phenotype import Phenotype

    table = visits.table[visits.table["participant"].isin(visits.table["participant"].unique()[:2])]
    few = Phenotype(table, labels=visits.labels, limits=visits.limits, folder=visits.folder)
    with pytest.raises(InputError, match="too few"):
        kd.assemble(few, outcome=Outcome("madrs", endpoint="mixed-model"))
    assert expected_courses(np.ones((4, 1)), np.array([0, 0, 1, 1]))[0].tolist() == [[1]] * 4
