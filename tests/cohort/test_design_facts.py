"""Facts about the scores of a study, on cohorts whose facts are known."""

import numpy as np
import pytest

from ketadask.cohort.design_facts import duplicate_participants, score_facts, site_eta2
from ketadask.cohort.designs import trial_arrays
from ketadask.cohort.units import score_units
from tests.cohort.cohorts import crossover_cohort, parallel_cohort


def facts_of(cohort, **options):
    units = score_units(cohort, **options)
    return score_facts(units, trial_arrays(units))


def test_sites_clusters_and_adjustment_are_counted():
    cohort = parallel_cohort(60, seed=1, features=5)
    number = np.arange(60)
    sites = np.where(number < 4, number, 10 + number % 3).astype(str)  # four sites of one
    cohort["site"] = ("case", sites)
    cohort["improvement"] = cohort["improvement"] + 9.0 * cohort["value"][:, 0]
    names = np.where(number < 6, number // 2, number).astype(str)
    facts = facts_of(cohort.assign_coords(cluster=("case", names)), design="parallel")
    assert (facts.n_sites, facts.n_small_sites, facts.n_levels, facts.n_strata) == (7, 4, 4, 4)
    assert (facts.n_clusters, facts.n_people_in_clusters) == (3, 6)
    assert facts.adjust == "ridge"
    assert facts.r2 > 0.4
    assert np.isfinite(facts.penalty)
    plain = facts_of(cohort, design="parallel", adjust="none")
    assert (plain.adjust, plain.penalty, plain.r2, plain.n_clusters) == ("none", np.inf, 0.0, 0)


def test_features_that_differ_between_sites_are_counted():
    cohort = crossover_cohort(40, features=6)
    site = cohort["site"].values == "t0-0"
    cohort["value"].values[:, :2] += 3.0 * site[:, None]
    facts = facts_of(cohort)
    assert facts.n_features_by_site == 2
    assert facts.adjust == "ridge"
    # Between trials features may differ: that is no difference between the sites of a trial.
    cohort["trial"] = cohort["site"]
    assert facts_of(cohort).n_features_by_site == 0


def test_eta_squared_is_unbiased_without_differences():
    rng = np.random.default_rng(0)
    value, level = rng.normal(size=(30, 2000)), np.arange(30) % 6
    value[rng.random(value.shape) < 0.1] = np.nan
    assert site_eta2(value, level, 0 * level).mean() == pytest.approx(0.0, abs=0.02)
    assert site_eta2(value + 50.0 * level[:, None], level, 0 * level).min() > 0.99


def test_participants_with_identical_features_are_named_in_a_warning():
    cohort = parallel_cohort(20, features=4)
    assert facts_of(cohort, design="parallel").warning == ""
    cohort["value"].values[7] = cohort["value"].values[3]
    cohort["value"].values[[3, 7], 0] = np.nan
    facts = facts_of(cohort, design="parallel")
    assert facts.duplicates == (("s003", "s007"),)
    assert "identical features: s003, s007; if they are one person" in facts.warning
    family = np.where(np.arange(20) == 7, 3, np.arange(20)).astype(str)
    assert facts_of(cohort.assign_coords(cluster=("case", family)), design="parallel").warning == ""


def test_few_known_values_are_no_duplicates():
    value = np.array([[1.0, np.nan, np.nan], [1.0, np.nan, np.nan]])
    assert duplicate_participants(value, np.array(["a", "b"]), np.arange(2)) == ()
