"""Simulated trials differ as real ones do, and hold the persona where they should."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask.schema.errors import InputError
from ketadask.simulate.study import simulate_study
from tests.simulate.test_study import improvements, read, truth, volumes

_WHITE = "wm-lh-posteriorcingulate"


@pytest.fixture(scope="module")
def in_one(tmp_path_factory):
    place = tmp_path_factory.mktemp("trials") / "study"
    return simulate_study(place, participants=1_200, trials=3, effect=2.1, persona_trials=1, seed=4)


def trial_of(folder):
    return read(folder, "participants.tsv").set_index("participant_id").trial


def test_the_persona_benefits_in_the_first_trials_only(in_one):
    assert truth(in_one)["persona_trials"] == ["trial-1"]
    arms, trial = improvements(in_one), trial_of(in_one)
    benefit = (arms.d - arms.p).dropna()
    member = benefit.index.isin(truth(in_one)["members"])
    for name in trial.unique():
        own = (trial.reindex(benefit.index) == name).to_numpy()
        made = stats.ttest_ind(benefit[own & member], benefit[own & ~member], equal_var=False)
        low, high = made.confidence_interval(0.999)
        planted = truth(in_one)["effect_points"] if name == "trial-1" else 0.0
        assert low < planted < high
    assert low < 0 < high


def test_members_are_equally_frequent_in_every_trial(in_one):
    trial = trial_of(in_one)
    member = pd.Series(trial.index.isin(truth(in_one)["members"]), index=trial.index)
    assert member.groupby(trial).mean().between(0.3, 0.4).all()


def test_trials_differ_in_response_to_saline_and_in_their_scanners(in_one):
    arms, trial = improvements(in_one), trial_of(in_one)
    groups = [arms.p[(trial.reindex(arms.index) == n).to_numpy()].dropna() for n in trial.unique()]
    assert stats.f_oneway(*groups).pvalue < 0.02
    white = volumes(in_one)[_WHITE]
    groups = [white[(trial.reindex(white.index) == n).to_numpy()] for n in trial.unique()]
    assert stats.f_oneway(*groups).pvalue < 1e-6


def test_a_scanner_moves_what_is_measured_and_not_who_belongs_to_the_persona(in_one):
    """Volumes brought to one mean tell members better than volumes as measured."""
    from ketadask.cohort.harmonise import combat

    white, trial = volumes(in_one)[_WHITE], trial_of(in_one)
    site = trial.reindex(white.index).to_numpy(dtype=str)
    table = volumes(in_one).to_numpy(float)
    moved = combat(table, site, np.empty((len(table), 0)))
    column = list(volumes(in_one).columns).index(_WHITE)
    member = white.index.isin(truth(in_one)["members"])
    raw, made = (
        stats.mannwhitneyu(values[~member], values[member]).statistic
        for values in (white.to_numpy(), moved[:, column])
    )
    assert made > raw
    assert abs(white.mean() - moved[:, column].mean()) < 0.05 * white.std()


def test_one_trial_is_as_it_always_was(tmp_path):
    one = simulate_study(tmp_path / "one", participants=22)
    two = simulate_study(tmp_path / "two", participants=22, persona_trials=1)
    for name in (
        "participants.tsv",
        "phenotype/madrs.tsv",
        "derivatives/freesurfer/aseg.volume.tsv",
    ):
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize("held", [0, 4])
def test_the_persona_cannot_hold_in_more_trials_than_there_are(tmp_path, held):
    with pytest.raises(InputError, match=rf"persona_trials: .*found {held}.*choose 1 to 3"):
        simulate_study(tmp_path / "study", trials=3, persona_trials=held)
