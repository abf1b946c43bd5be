"""From a search matrix to verdicts in three calls."""

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import ketadask as kd
from ketadask.schema.datasets import UNITS
from ketadask.schema.errors import InputError
from ketadask.schema.tables import VERDICTS
from ketadask.search.persona_search import PersonaSearch


def search_matrix(n=40, features=5, effect=3.0, seed=0):
    """A crossover search matrix in which x0 <= 0.5 benefits."""
    rng = np.random.default_rng(seed)
    value = rng.normal(size=(n, features))
    outcome = rng.normal(size=(n, 2))
    outcome[:, 0] += effect * (value[:, 0] <= 0.5)
    text = [f"x{k}" for k in range(features)]
    return UNITS.check(
        xr.Dataset(
            {
                "value": (("unit", "feature"), value),
                "score": ("unit", outcome[:, 0] - outcome[:, 1]),
                "outcome": (("unit", "arm"), outcome),
            },
            coords={
                "arm": ["active", "control"],
                "participant": ("unit", [f"p{k}" for k in range(n)]),
                "stratum": ("unit", np.zeros(n, dtype=np.int64)),
                "split_stratum": ("unit", np.zeros(n, dtype=np.int64)),
                "period": ("unit", np.ones(n, dtype=np.int64)),
                "sequence": ("unit", ["active-control"] * n),
                "trial": ("unit", ["one"] * n),
                "site": ("unit", ["one"] * n),
                "feature": text,
                "modality": ("feature", ["scale"] * features),
                "kind": ("feature", ["continuous"] * features),
                "measurement_unit": ("feature", [""] * features),
                "label": ("feature", text),
            },
            attrs={"design": "crossover", "endpoint": "improvement"},
        )
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    matrix, search = search_matrix(), PersonaSearch(1, cuts=3, keep=10)
    with dask.config.set(scheduler="synchronous"):
        store = tmp_path_factory.mktemp("s")
        hits = search.run(matrix, kd.HoldoutSplit(12, seed=7), store=store)
        return matrix, search, hits, kd.null(search, matrix, relabellings=39, seed=7, store=store)


def test_the_true_persona_is_supported(study):
    _, _, hits, null = study
    table = VERDICTS.check(kd.judge(hits, null))
    assert table["features"][0] == "x0"
    assert table["verdict"][0] == "supported"
    assert table["p_adjusted"][0] == 1 / 40
    assert table["recurrence"][0] > 0.5
    assert table["difference_low"][0] < table["difference"][0] < table["difference_high"][0]
    assert 0 < table["difference_shrunken"][0] < table["difference"][0]
    again = kd.judge(hits, null)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_published_and_heterogeneity_gates_count_differently(study):
    _, _, hits, null = study
    one, other = (kd.judge(hits, null, gate=gate) for gate in ("published", "heterogeneity"))
    assert one["p_adjusted"].tolist() == other["p_adjusted"].tolist()
    assert one["p_mean"].tolist() != other["p_mean"].tolist()


def test_null_says_what_it_is(study):
    _, _, _, null = study
    assert repr(null) == "<NullDistribution: 39 relabelled trials, method='features', seed=7>"
    assert null.maxima.columns.tolist() == ["relabelling", "method", "q", "t"]
    assert len(null.maxima) == 39


def test_scheduler_changes_no_bit(study, tmp_path):
    matrix, search, _, null = study
    with dask.config.set(scheduler="threads"):
        again = kd.null(search, matrix, relabellings=39, seed=7, store=tmp_path)
    pd.testing.assert_frame_equal(again.table, null.table, check_exact=True)


def test_relabelled_trials_of_another_search_are_refused(study, tmp_path):
    matrix, _, hits, _ = study
    other = kd.null(PersonaSearch(1, cuts=2, keep=10), matrix, relabellings=2, store=tmp_path)
    with pytest.raises(InputError, match="belong to another search or cohort"):
        kd.judge(hits, other)
    with pytest.raises(InputError, match="at least one relabelling"):
        kd.null(hits.search, matrix, relabellings=0)


def test_too_few_relabelled_trials_for_the_level_are_refused(study, tmp_path):
    """As in the settings of a study: no p could be small enough, whatever there is to find."""
    matrix, search, hits, _ = study
    few = kd.null(search, matrix, relabellings=9, store=tmp_path)
    with pytest.raises(InputError, match=r"p is 0\.1, above alpha 0\.05, found '9 relabelled.*19"):
        kd.judge(hits, few)
    assert kd.judge(hits, few, alpha=0.1)["p_adjusted"][0] == 0.1


def test_units_alone_in_their_stratum_are_refused(study, tmp_path):
    matrix, search, _, _ = study
    alone = matrix.assign_coords(stratum=("unit", np.arange(40)))
    with pytest.raises(InputError, match=r"method: all participants are alone.*randomise arms"):
        kd.null(search, alone, relabellings=19)
    null = kd.null(search, alone, relabellings=19, method="arms", store=tmp_path)
    assert null.relabellings == 19


def test_more_relabellings_compute_only_the_new_ones(study, tmp_path):
    matrix, search, _, null = study
    few = kd.null(search, matrix, relabellings=5, seed=7, store=tmp_path)
    (folder,) = (tmp_path / "nulls").iterdir()
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    more = kd.null(search, matrix, relabellings=39, seed=7, store=tmp_path)
    after = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert before.items() < after.items()
    assert (few.relabellings, more.relabellings) == (5, 39)
    pd.testing.assert_frame_equal(more.table, null.table, check_exact=True)
