"""Whole studies to the cohort: a simulated one in every layout, and a real trial."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketadask.cohort.assemble import assemble
from ketadask.simulate.study import simulate_study
from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.nda import read_nda
from ketadask.sources.participants import read_participants
from ketadask.sources.phenotype import read_phenotype
from ketadask.sources.scale_columns import KEYS
from ketadask.sources.visits import ARMS


def reasons(cohort):
    return list(cohort.exclusions.itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assembled") / "study"
    simulate_study(folder, participants=33, seed=7, layout="both")
    return folder


def test_a_simulated_study_gives_the_published_number_of_cases(study):
    volumes = open_volumes(study / "derivatives" / "freesurfer")
    cohort = assemble(read_phenotype(study), volumes)
    assert cohort.dataset.sizes["case"] == 63
    truth = json.loads((study / "truth.json").read_text())
    assert {part["feature"] for part in truth["persona"]} <= set(cohort.dataset["feature"].values)
    assert truth["prognostic"] in cohort.dataset["feature"].values
    count = Counter(cohort.dataset["modality"].values.tolist())
    dropped = cohort.dropped
    assert count["volume"] + sum(name in volumes["region"].values for name in dropped) == 185
    assert not np.isnan(cohort.dataset["improvement"]).any()
    assert len(reasons(cohort)) == 3


def test_both_layouts_of_a_study_give_the_same_cohort(study):
    participants = read_participants(study)
    bids = assemble(read_phenotype(study), participants=participants).dataset
    archive = assemble(read_nda(study), participants=participants).dataset
    # Texts of the archive do not say the range of an item, and word it in their own way.
    described = ["label", "kind"]
    xr.testing.assert_equal(bids.drop_vars(described), archive.drop_vars(described))


def test_the_order_of_rows_and_columns_does_not_matter(study, tmp_path):
    rng = np.random.default_rng(5)
    for path in [*study.rglob("*.tsv"), *study.glob("phenotype/*.json")]:
        target = tmp_path / path.relative_to(study)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            target.write_bytes(path.read_bytes())
            continue
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        last = rng.permutation(table.shape[1] - 1) + 1
        columns = [0, *last] if "freesurfer" in str(path) else rng.permutation(table.shape[1])
        table = table.iloc[rng.permutation(len(table)), columns]
        table.to_csv(target, sep="\t", index=False)

    def cohort_of(folder):
        volumes = open_volumes(folder / "derivatives" / "freesurfer")
        return assemble(read_phenotype(folder), volumes, volumes="residual")

    original, shuffled = cohort_of(study), cohort_of(tmp_path)
    xr.testing.assert_identical(original.dataset, shuffled.dataset)
    pd.testing.assert_frame_equal(original.courses, shuffled.courses)
    np.testing.assert_array_equal(
        original.dataset["value"].values, shuffled.dataset["value"].values
    )


def test_no_follow_up_and_no_outcome_reaches_a_feature(study, tmp_path):
    phenotype = read_phenotype(study)
    cohort = assemble(phenotype)
    changed = phenotype.table.copy()
    scores = [name for name in changed.columns if name not in KEYS]
    later = changed["day"] > 0
    changed.loc[later, scores] = (changed.loc[later, scores] + 1.0) / 2
    other = assemble(replace(phenotype, table=changed))
    xr.testing.assert_identical(cohort.dataset["value"], other.dataset["value"])
    assert not np.array_equal(cohort.dataset["followup"], other.dataset["followup"])


@pytest.mark.parametrize(
    ("day", "active", "control", "cases", "pairs"),
    [(2, (8, 27), (1, 26), 53, 24), (10, (5, 26), (1, 26), 52, 22)],
)
def test_the_real_trial(real_data, day, active, control, cases, pairs):
    phenotype = read_phenotype(real_data / "clinical" / "ds005917", session_pattern=ARMS)
    cohort = assemble(phenotype, outcome="madrs", day=day, groups=["MDD"])
    assert cohort.dataset.sizes["case"] == cases
    assert (
        sum(n == 2 for n in Counter(cohort.dataset["participant"].values.tolist()).values())
        == pairs
    )
    for arm, (responders, n) in (("active", active), ("control", control)):
        response = cohort.dataset["response"][(cohort.dataset["arm"] == arm).values]
        assert (int(response.sum()), response.size) == (responders, n)
    left_out = {person for person, _, _ in reasons(cohort)}
    assert len(left_out | set(cohort.dataset["participant"].values)) == 58
    assert ("sub-MOA117", 0, "unknown arm: no infusion is recorded") in reasons(cohort)
    lost = sum(2 if period == 0 else 1 for _, period, why in reasons(cohort) if "group" not in why)
    assert cases + lost == 2 * 33
