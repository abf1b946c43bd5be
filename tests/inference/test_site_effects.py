"""Benefit by site, and the test that sites differ, against scipy and statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy import stats

from ketadask import names as nm
from ketadask.inference.site_effects import site_effects, sites_differ_p


def make_units(design, n=20, sites=3, step=0.0, seed=0):
    """Units of a trial whose sites differ in level, and by ``step`` in benefit."""
    rng = np.random.default_rng(seed)
    people = n * sites
    site, level = np.repeat(np.arange(sites), n), np.repeat(rng.normal(size=sites) * 3, n)
    arm = np.arange(people) % 2 == 0
    if design == "pooled":
        site, level, arm = np.repeat(site, 2), np.repeat(level, 2), np.tile([True, False], people)
    participant = np.arange(people) if design != "pooled" else np.repeat(np.arange(people), 2)
    y = np.stack([level + 8 + step * site, level], axis=1)
    y = y + 3 * rng.normal(size=people)[participant][:, None] + 4 * rng.normal(size=y.shape)
    if design != "crossover":
        y[~arm, 0], y[arm, 1] = np.nan, np.nan
    return xr.Dataset(
        {"outcome": ((nm.UNIT, nm.ARM), y)},
        coords={
            nm.ARM: list(nm.ARMS),
            nm.PARTICIPANT: (nm.UNIT, participant.astype(str)),
            "sequence": (nm.UNIT, np.where(arm, "active-control", "control-active")),
            "trial": (nm.UNIT, np.full(len(y), "t")),
            "site": (nm.UNIT, site.astype(str)),
        },
        attrs={"design": design},
    )


def test_in_parallel_a_site_has_welchs_standard_error():
    units = make_units("parallel")
    row = site_effects(units).iloc[1]
    y = units["outcome"].values[units["site"].values == "1"]
    active, control = (column[np.isfinite(column)] for column in y.T)
    expected = stats.ttest_ind(active, control, equal_var=False)
    assert row["benefit"] == pytest.approx(active.mean() - control.mean())
    assert row["benefit"] / np.sqrt(row["variance"]) == pytest.approx(expected.statistic)
    assert (row["participants"], row["df"]) == (20, 18)


def test_pooled_pairs_have_the_standard_error_of_their_differences():
    units = make_units("pooled")
    row = site_effects(units).iloc[0]
    y = units["outcome"].values[units["site"].values == "0"]
    difference = y[::2, 0] - y[1::2, 1]
    assert row["benefit"] == pytest.approx(difference.mean())
    assert row["variance"] == pytest.approx(difference.var(ddof=1) / 20)


def test_in_crossover_it_is_the_regression_on_the_sequence():
    units = make_units("crossover")
    row = site_effects(units).iloc[2]
    own = units.isel(unit=units["site"].values == "2")
    difference = own["outcome"].values @ [1.0, -1.0]
    sequence = np.where(own["sequence"].values == "active-control", 1.0, -1.0)
    fit = sm.OLS(difference, sm.add_constant(sequence)).fit(cov_type="HC2")
    assert row["benefit"] == pytest.approx(fit.params[0])
    assert row["variance"] == pytest.approx(fit.bse[0] ** 2)


@pytest.mark.parametrize("design", ["crossover", "pooled", "parallel"])
def test_sites_that_differ_are_seen_and_equal_ones_at_the_nominal_rate(design):
    equal = [sites_differ_p(site_effects(make_units(design, seed=s))) for s in range(300)]
    assert 0.01 <= np.mean(np.array(equal) <= 0.05) <= 0.10
    assert sites_differ_p(site_effects(make_units(design, n=40, step=6.0))) < 0.01


def test_small_sites_have_no_estimate():
    units = make_units("parallel", n=3)
    effects = site_effects(units)
    assert effects["benefit"].isna().all()
    assert np.isnan(sites_differ_p(effects))
