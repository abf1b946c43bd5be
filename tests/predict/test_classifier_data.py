"""Cases of a cohort: one arm, volumes learnt from, covariates taken out, response as elsewhere."""

import numpy as np
import pytest

from ketadask import names as nm
from ketadask.cohort.outcomes import improvement
from ketadask.predict.classifier_data import classifier_data
from ketadask.schema.errors import InputError
from tests.report.example_tables import make_cohort

WHAT = {"covariates": ("age", "bmi")}


@pytest.fixture
def cohort():
    made = make_cohort(np.random.default_rng(0), 12)
    baseline = np.tile([50.0, 25.0, 40.0, 28.0], 6)
    followup = np.tile([22.0, 11.0, 18.0, 28.0], 6)  # 56 % less is 14 of 25, rounding or not
    better, _, response = improvement(baseline, followup, 0.56)
    return made.assign(
        baseline=("case", baseline),
        followup=("case", followup),
        improvement=("case", better),
        response=("case", response),
    )


def test_a_threshold_means_what_it_means_in_the_cohort(cohort):
    own, asked = classifier_data(cohort, **WHAT), classifier_data(cohort, threshold=0.56, **WHAT)
    assert 0 < own.label.sum() < len(own)
    assert np.array_equal(asked.label, own.label)
    assert classifier_data(cohort, threshold=0.57, **WHAT).label.sum() == 0


@pytest.mark.parametrize("arm", nm.ARMS)
def test_cases_are_those_of_the_arm(cohort, arm):
    made = classifier_data(cohort, arm=arm, **WHAT)
    rows = np.flatnonzero(cohort["arm"].values == arm)
    assert made.participant.tolist() == cohort["participant"].values[rows].tolist()
    names = cohort["feature"].values.tolist()
    column = names.index(made.region[0])
    np.testing.assert_array_equal(made.value[:, 0], cohort["value"].values[rows, column])
    np.testing.assert_array_equal(
        made.covariate, cohort["value"].values[np.ix_(rows, [names.index("age"), 1])]
    )
    assert len(made.region) == int((cohort["modality"].values == nm.VOLUME).sum())


def test_a_region_that_is_taken_out_is_not_learnt_from(cohort):
    region = "wm-lh-posteriorcingulate"
    made = classifier_data(cohort, covariates=[region])
    assert region not in made.region
    assert made.covariate_names == (region,)


def test_sites_of_different_trials_are_different(cohort):
    trial = np.where(np.arange(24) < 12, "A", "B")
    two = cohort.assign_coords(trial=("case", trial.astype(object)))
    assert set(classifier_data(two, **WHAT).site) == {"A/NIH", "B/NIH"}
    assert set(classifier_data(two, trials=["B"], **WHAT).site) == {
        "B/NIH"
    }  # unseen by a model of A
    assert set(classifier_data(cohort, **WHAT).site) == {"NIH"}


def test_what_is_not_there_is_named(cohort):
    with pytest.raises(InputError, match="unknown covariate, found 'agee'; did you mean 'age'"):
        classifier_data(cohort, covariates=["agee"])
    bare = cohort.isel(feature=cohort["modality"].values != nm.VOLUME)
    with pytest.raises(InputError, match=r"features\.families: the cohort has no volumes"):
        classifier_data(bare, **WHAT)
