"""Cases of a cohort: one arm, volumes, covariates removed, response as elsewhere."""

import numpy as np
import pytest

from ketadask import names as nm
from ketadask.cohort.case_endpoints import improvement
from ketadask.predict.classifier_data import classifier_data
from ketadask.schema.errors import InputError
from tests.report.example_tables import make_cohort

COVARIATES = {"covariates": ("age", "bmi")}


@pytest.fixture
def cohort():
    cases = make_cohort(np.random.default_rng(0), 12)
    baseline = np.tile([50.0, 25.0, 40.0, 28.0], 6)
    followup = np.tile([22.0, 11.0, 18.0, 28.0], 6)  # 56 % less is 14 of 25, rounding or not
    better, _, response = improvement(baseline, followup, 0.56)
    return cases.assign(
        baseline=("case", baseline),
        followup=("case", followup),
        improvement=("case", better),
        response=("case", response),
    )


def test_a_threshold_is_that_of_the_cohort(cohort):
    own, other = (
        classifier_data(cohort, **COVARIATES),
        classifier_data(cohort, threshold=0.56, **COVARIATES),
    )
    assert 0 < own.label.sum() < len(own)
    assert np.array_equal(other.label, own.label)
    assert classifier_data(cohort, threshold=0.57, **COVARIATES).label.sum() == 0


@pytest.mark.parametrize("arm", nm.ARMS)
def test_cases_are_those_of_the_arm(cohort, arm):
    cases = classifier_data(cohort, arm=arm, **COVARIATES)
    rows = np.flatnonzero(cohort["arm"].values == arm)
    assert cases.participant.tolist() == cohort["participant"].values[rows].tolist()
    names = cohort["feature"].values.tolist()
    column = names.index(cases.region[0])
    np.testing.assert_array_equal(cases.value[:, 0], cohort["value"].values[rows, column])
    np.testing.assert_array_equal(
        cases.covariate, cohort["value"].values[np.ix_(rows, [names.index("age"), 1])]
    )
    assert len(cases.region) == int((cohort["modality"].values == nm.VOLUME).sum())


def test_a_region_used_as_covariate_is_no_feature(cohort):
    region = "wm-lh-posteriorcingulate"
    cases = classifier_data(cohort, covariates=[region])
    assert region not in cases.region
    assert cases.covariate_names == (region,)


def test_sites_of_different_trials_are_different(cohort):
    trial = np.where(np.arange(24) < 12, "A", "B")
    two = cohort.assign_coords(trial=("case", trial.astype(object)))
    assert set(classifier_data(two, **COVARIATES).site) == {"A/NIH", "B/NIH"}
    assert set(classifier_data(two, trials=["B"], **COVARIATES).site) == {
        "B/NIH"
    }  # unseen by a model of A
    assert set(classifier_data(cohort, **COVARIATES).site) == {"NIH"}


def test_messages(cohort):
    with pytest.raises(InputError, match="unknown covariate, found 'agee'; did you mean 'age'"):
        classifier_data(cohort, covariates=["agee"])
    bare = cohort.isel(feature=cohort["modality"].values != nm.VOLUME)
    with pytest.raises(InputError, match=r"features\.modalities: the cohort has no regions"):
        classifier_data(bare, **COVARIATES)
