"""Sites and small sites: the rule of merging, by hand and as a property."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.cohort.site_levels import site_levels


def levels_of(*sites, trial=None):
    """Return the sets of sites that are one level; a site is a text of arms: a or c."""
    arm = np.array([code for site in sites for code in site])
    site = np.repeat(np.arange(len(sites)), [len(site) for site in sites])
    trials = np.zeros(arm.size, int) if trial is None else np.asarray(trial)[site]
    level = site_levels(trials, site, arm, arm, np.arange(arm.size))
    assert all(np.unique(level[site == k]).size == 1 for k in range(len(sites)))
    return sorted(sorted(set(site[level == k].tolist())) for k in np.unique(level))


def test_large_sites_stay_and_small_ones_become_one_level():
    assert levels_of("aacc", "aaccc") == [[0], [1]]
    assert levels_of("aacc", "ac", "aacc", "acc") == [[0], [1, 3], [2]]
    # One unit of an arm is too few, and so is none.
    assert levels_of("aacc", "accc", "aaaaa", "cc") == [[0], [1, 2, 3]]


def test_a_level_of_small_sites_that_is_still_small_joins_the_smallest_site():
    assert levels_of("aaaccc", "ac", "aacc") == [[0], [1, 2]]
    assert levels_of("aacc", "a", "aacc", "a") == [[0, 1, 3], [2]]  # the first of equal ones


def test_a_trial_without_any_large_site_is_one_level():
    assert levels_of("ac", "ac", "ac") == [[0, 1, 2]]
    assert levels_of("ac") == [[0]]
    assert levels_of("acc", "a", "c") == [[0, 1, 2]]


def test_sites_of_different_trials_never_share_a_level():
    trial = [0, 0, 1, 1, 2]
    assert levels_of("aacc", "ac", "aacc", "c", "ac", trial=trial) == [[0, 1], [2, 3], [4]]


def test_a_site_without_a_cell_that_others_have_is_not_small():
    # Pooled: nobody of site 1 has a second period; both arms have two units there.
    site, arm = np.repeat([0, 0, 1], 4), np.tile([0, 0, 1, 1], 3)
    period = np.repeat([1, 2, 1], 4)
    cell = 2 * arm + period
    one = site_levels(np.zeros(12), site, cell, arm, np.arange(12))
    assert np.unique(one).size == 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_levels_are_large_or_whole_trials_whatever_the_names_and_order(seed, n):
    rng = np.random.default_rng(seed)
    trial, site, arm = rng.integers(0, 2, n), rng.integers(0, 5, n), rng.integers(0, 2, n)
    level = site_levels(trial, site, arm, arm, np.arange(n))
    for k in np.unique(level):
        own = level == k
        assert np.unique(trial[own]).size == 1
        counts = np.bincount(arm[own], minlength=2)
        whole = (trial == trial[own][0]).sum() == own.sum()
        others = arm[trial == trial[own][0]]
        assert whole or all(counts[one] >= 2 for one in np.unique(others))
    order = rng.permutation(n)
    again = site_levels(trial[order], site[order], arm[order], arm[order], np.arange(n))
    pairs = np.unique(np.column_stack((level[order], again)), axis=0)
    assert len(pairs) == len(np.unique(level)) == len(np.unique(again))
