"""ComBat against a slow one written from the formulas of Johnson et al. 2007, and what it keeps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.cohort.assemble import assemble
from ketadask.cohort.harmonise import combat
from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.phenotype import read_phenotype


def slow_combat(value, site, covariates):
    """Write equations (1) to (4) of the paper out, one region and one site after the other."""
    sites, n = sorted(set(site)), len(value)
    result = np.empty_like(value)
    design = np.column_stack([[s == k for s in site] for k in sites]).astype(float)
    centred = covariates - covariates.mean(axis=0)
    effects = np.linalg.pinv(np.column_stack((design, centred))) @ value
    gamma, beta = effects[: len(sites)], effects[len(sites) :]
    alpha = sum((site == k).sum() / n * gamma[i] for i, k in enumerate(sites))
    fitted = design @ gamma + centred @ beta
    sigma = np.sqrt(((value - fitted) ** 2).sum(axis=0) / n)
    z = (value - alpha - centred @ beta) / sigma
    for k in sites:
        rows = np.flatnonzero(site == k)
        m = len(rows)
        gamma_hat = z[rows].mean(axis=0)
        delta_hat = z[rows].var(axis=0, ddof=1)
        gamma_bar, tau2 = gamma_hat.mean(), gamma_hat.var(ddof=1)
        v_bar, s2 = delta_hat.mean(), delta_hat.var(ddof=1)
        lam = (v_bar**2 + 2 * s2) / s2
        theta = (v_bar**3 + v_bar * s2) / s2
        for g in range(value.shape[1]):
            gamma_star, delta_star = gamma_hat[g], delta_hat[g]
            for _ in range(500):
                gamma_star = (m * tau2 * gamma_hat[g] + delta_star * gamma_bar) / (
                    m * tau2 + delta_star
                )
                squares = ((z[rows, g] - gamma_star) ** 2).sum()
                delta_star = (theta + squares / 2) / (m / 2 + lam - 1)
            for j in rows:
                kept = alpha[g] + centred[j] @ beta[:, g]
                result[j, g] = sigma[g] / np.sqrt(delta_star) * (z[j, g] - gamma_star) + kept
    return result


def scanned(seed, people=40, regions=6):
    """Return volumes that go with age, of two scanners that differ in mean and spread."""
    rng = np.random.default_rng(seed)
    site = np.where(rng.random(people) < 0.4, "a", "b")
    site[:3], site[3:6] = "a", "b"
    age = rng.normal(40, 10, (people, 1))
    noise = rng.normal(0, 30, (people, regions))
    noise[site == "b"] = 500 + 1.5 * noise[site == "b"] + rng.normal(0, 20, regions)
    return 1000 + 5 * age + noise, site, age


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(10, 60), st.integers(2, 9))
def test_the_published_formulas(seed, people, regions):
    value, site, age = scanned(seed, people, regions)
    made = combat(value, site, age)
    np.testing.assert_allclose(made, slow_combat(value, site, age), rtol=1e-6)


def test_sites_become_alike_and_what_goes_with_age_stays():
    value, site, age = scanned(3, 400, 20)
    made = combat(value, site, age)
    a, b = site == "a", site == "b"
    assert np.abs(value[a].mean(0) - value[b].mean(0)).min() > 300
    assert np.abs(made[a].mean(0) - made[b].mean(0)).max() < 20
    np.testing.assert_allclose(made[a].std(0), made[b].std(0), rtol=0.2)
    slope = np.polyfit(age[:, 0], made.mean(axis=1), 1)[0]
    assert 4.5 < slope < 5.5


def test_missing_values_stay_missing_and_change_little():
    value, site, age = scanned(5, 100)
    holes = value.copy()
    holes[7, 2] = np.nan
    made = combat(holes, site, age)
    assert np.isnan(made[7, 2])
    assert np.isnan(made).sum() == 1
    np.testing.assert_allclose(
        np.delete(made, 7, axis=0), np.delete(combat(value, site, age), 7, axis=0), rtol=0.02
    )


def test_order_of_rows_and_one_site_change_nothing():
    value, site, age = scanned(9)
    assert combat(value, np.full(len(site), "a"), age) is value
    order = np.random.default_rng(0).permutation(len(value))
    made = combat(value, site, age)
    np.testing.assert_allclose(combat(value[order], site[order], age[order]), made[order])


def test_a_site_of_one_and_a_constant_region():
    value, site, age = scanned(11)
    site[0] = "c"
    value[:, 2] = 7.0
    made = combat(value, site, age)
    assert np.isfinite(made).all()
    np.testing.assert_allclose(made[:, 2], 7.0)


def test_age_confounded_with_site_is_refused():
    value, site, _ = scanned(1)
    with pytest.raises(InputError, match="age or sex is confounded with site"):
        combat(value, site, (site == "a").astype(float)[:, None])


def test_a_study_of_two_sites_is_harmonised_without_its_outcome(tmp_path):
    folder = simulate_study(tmp_path / "study", participants=40, sites=2, seed=3)
    images = open_volumes(folder / "derivatives" / "freesurfer")
    phenotype = read_phenotype(folder)

    def volumes(phenotype, **options):
        cohort = assemble(phenotype, images, modalities=["volume"], **options).dataset
        return cohort["value"], cohort["site"].values, cohort["participant"].values

    raw, site, _ = volumes(phenotype)
    made, _, _ = volumes(phenotype, harmonise="site")
    names = np.unique(site)

    def gap(value):
        means = [value[site == name].mean("case") for name in names]
        return float(np.median(np.abs(means[0] - means[1]) / value.std("case")))

    assert gap(made) < gap(raw) / 2
    later = phenotype.table.copy()
    scores = [c for c in later.columns if c.startswith("madrs")]
    later.loc[later["day"] > 0, scores] = later.loc[later["day"] > 0, scores] / 2
    pd.testing.assert_series_equal(
        volumes(replace(phenotype, table=later), harmonise="site")[0].to_series(), made.to_series()
    )
    with pytest.raises(InputError, match="harmonise: not known, found 'sites'; did you mean 'sit"):
        volumes(phenotype, harmonise="sites")
