"""Courses: baseline of the cohort, every later visit, and the endpoint where it must be."""

import numpy as np
import pytest

import ketadask as kd


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    study = kd.simulate_study(tmp_path_factory.mktemp("courses") / "study", participants=12)
    phenotype = kd.read_phenotype(study, ["madrs"])
    cohort = kd.assemble(phenotype, outcome="madrs", day=7)
    return phenotype, cohort.dataset, cohort.courses


def test_baseline_and_endpoint_are_those_of_the_cohort(made):
    _, cohort, table = made
    at = table.set_index(["participant", "period", "day"])["score"]
    for k in range(cohort.sizes["case"]):
        who, period = str(cohort.participant.values[k]), int(cohort.period.values[k])
        assert at[who, period, 0] == cohort.baseline.values[k]
        assert at[who, period, 7] == cohort.followup.values[k]


def test_every_later_visit_of_a_case_is_there_once(made):
    phenotype, cohort, table = made
    keys = ["participant", "period", "day"]
    assert not table.duplicated(keys).any()
    cases = set(zip(cohort.participant.values, cohort.period.values, strict=True))
    visits = phenotype.table[phenotype.table["madrs_total"].notna() & (phenotype.table["day"] > 0)]
    inside = [c in cases for c in zip(visits.participant, visits.period, strict=True)]
    assert (table["day"] > 0).sum() == sum(inside)
    assert np.isfinite(table["score"]).all()


def test_arms_are_those_of_the_cases(made):
    _, cohort, table = made
    arms = {
        (str(w), int(p)): str(a)
        for w, p, a in zip(
            *(cohort[n].values for n in ("participant", "period", "arm")), strict=True
        )
    }
    assert all(
        arms[w, p] == a for w, p, a in zip(table.participant, table.period, table.arm, strict=True)
    )
