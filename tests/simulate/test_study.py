"""The simulated study: what is promised about it holds in the files, read back with pandas."""

from __future__ import annotations

import filecmp
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ketadask.schema.errors import InputError
from ketadask.simulate.scale_models import NDA_NAMES, SCALE_MODELS
from ketadask.simulate.study import simulate_study
from ketadask.sources.freesurfer import open_volumes


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, sep="\t", na_values="n/a")


def truth(folder: Path) -> dict:
    return json.loads((folder / "truth.json").read_text())


def improvements(folder: Path, day: int = 7) -> pd.DataFrame:
    """(participant; d, p) MADRS improvement per arm, NaN where not seen."""
    people = read(folder, "participants.tsv").set_index("participant_id")
    total = read(folder, "phenotype/madrs.tsv").pivot(
        index="participant_id", columns="session_id", values="madrs_total"
    )
    arms = pd.DataFrame(index=people.index, columns=["d", "p"], dtype=float)
    for period in (1, 2):
        gain = total[f"ses-p{period}d0"] - total[f"ses-p{period}d{day}"]
        for arm in "dp":
            given = people[f"infusion_{period}"] == arm
            arms.loc[given, arm] = gain.reindex(people.index)[given]
    return arms


def volumes(folder: Path) -> pd.DataFrame:
    tables = [
        read(folder, f"derivatives/freesurfer/{name}.volume.tsv").pipe(
            lambda table: table.set_index(table.columns[0])
        )
        for name in ("lh.aparc", "rh.aparc", "wmparc", "aseg")
    ]
    wide = pd.concat(tables, axis=1)
    return wide.loc[:, ~wide.columns.duplicated()].copy()


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return simulate_study(tmp_path_factory.mktemp("small") / "study", layout="both")


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    return simulate_study(tmp_path_factory.mktemp("large") / "study", participants=1_000)


def test_thirty_three_participants_give_sixty_three_cases(small):
    arms = improvements(small)
    assert len(arms) == 33
    assert arms.notna().to_numpy().sum() == 63
    assert arms.notna().all(axis=1).sum() == 30
    assert truth(small)["counts"] == {
        "participants": 33,
        "members": len(truth(small)["members"]),
        "pairs": 30,
        "singles": 3,
        "cases": 63,
        "trials": 1,
        "sites": 1,
    }


@pytest.mark.parametrize("seed", range(8))
def test_thirty_three_give_sixty_three_with_any_seed(tmp_path, seed):
    folder = simulate_study(tmp_path / "study", seed=seed)
    assert improvements(folder).notna().to_numpy().sum() == 63
    assert 0.2 <= len(truth(folder)["members"]) / 33 <= 0.45


def test_members_are_those_whose_files_hold_the_persona(large):
    inside = pd.Series(True, index=volumes(large).index)
    items = read(large, "phenotype/bdi.tsv")
    items = items[items.session_id.str.endswith("d0")]
    values = volumes(large).assign(bdi_10=items.groupby("participant_id").bdi_10.mean())
    for literal in truth(large)["persona"]:
        value = values[literal["feature"]]
        inside &= value <= literal["cut"] if literal["op"] == "<=" else value > literal["cut"]
    assert set(inside[inside].index) == set(truth(large)["members"])
    assert inside.mean() == pytest.approx(0.35, abs=0.01)
    assert items.groupby("participant_id").bdi_10.nunique().max() == 1


def test_planted_effect_is_recovered(large):
    arms = improvements(large)
    benefit = (arms.d - arms.p).dropna()
    inside = benefit.index.isin(truth(large)["members"])
    planted = truth(large)["effect_points"]
    contrast = stats.ttest_ind(benefit[inside], benefit[~inside], equal_var=False)
    low, high = contrast.confidence_interval(0.999)
    assert low < planted < high
    assert stats.ttest_1samp(benefit[~inside], 0).pvalue < 0.01
    assert benefit[~inside].mean() == pytest.approx(1.5, abs=1.2)
    # Members do not do better than others on placebo.
    placebo = arms.p.dropna()
    member = placebo.index.isin(truth(large)["members"])
    assert abs(placebo[member].mean() - placebo[~member].mean()) < 1.5


def test_a_second_persona_is_planted_beside_the_first(tmp_path):
    folder = simulate_study(tmp_path / "study", participants=600, second_effect=1.3)
    planted, value = truth(folder), volumes(folder)
    items = read(folder, "phenotype/hama.tsv")
    items = items[items.session_id.str.endswith("d0")]
    value["hama_9"] = items.groupby("participant_id").hama_9.mean()
    literals = planted["second_persona"]
    inside = np.logical_and.reduce([value[each["feature"]] > each["cut"] for each in literals])
    second = planted["second_members"]
    assert set(value.index[inside]) == set(second)
    assert 0.35 < len(second) / 600 < 0.45
    benefit = improvements(folder).pipe(lambda arms: arms.d - arms.p).dropna()
    rows = [benefit.index.isin(planted[name]) for name in ("members", "second_members")]
    design = np.column_stack([np.ones(len(benefit)), *rows]).astype(float)
    weights = np.linalg.lstsq(design, benefit, rcond=None)[0]
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * np.var(benefit - design @ weights))
    effects = [planted["effect_points"], planted["second_effect_points"]]
    assert np.abs((weights[1:] - effects) / error[1:]).max() < 3


def test_age_foretells_improvement_on_both_arms_and_no_difference(large):
    age = read(large, "participants.tsv").set_index("participant_id").age
    arms = improvements(large).dropna()
    outside = arms[~arms.index.isin(truth(large)["members"])]
    assert outside.d.corr(age) < -0.25
    assert outside.p.corr(age) < -0.25
    assert abs((outside.d - outside.p).corr(age)) < 0.12


def test_effect_zero_plants_nothing(tmp_path):
    folder = simulate_study(tmp_path / "study", participants=600, effect=0)
    benefit = improvements(folder).pipe(lambda arms: arms.d - arms.p).dropna()
    inside = benefit.index.isin(truth(folder)["members"])
    assert stats.ttest_ind(benefit[inside], benefit[~inside]).pvalue > 0.01


def test_madrs_is_at_least_twenty_before_each_infusion(large):
    madrs = read(large, "phenotype/madrs.tsv")
    baseline = madrs[madrs.session_id.str.endswith("d0")].madrs_total
    assert baseline.min() >= 20
    assert baseline.mean() == pytest.approx(33.4, abs=0.6)
    assert baseline.std() == pytest.approx(4.6, abs=0.5)


@pytest.mark.parametrize("scale", SCALE_MODELS, ids=lambda scale: scale.name)
def test_items_keep_their_range_and_add_up(large, scale):
    table = read(large, f"phenotype/{scale.name}.tsv")
    assert list(table.columns) == ["participant_id", "session_id", *scale.columns]
    items, total = table[scale.columns[:-1]], table[scale.columns[-1]]
    assert items.min().min() >= scale.lowest
    assert ((items - scale.lowest).max() <= list(scale.maxima)).all()
    complete = items.notna().all(axis=1)
    assert (items[complete].sum(axis=1) == total[complete]).all()
    assert total.notna().all()
    assert 0.01 < items.isna().to_numpy().mean() < 0.02


@pytest.mark.parametrize("scale", SCALE_MODELS, ids=lambda scale: scale.name)
def test_sidecars_describe_every_column_and_level(small, scale):
    sidecar = json.loads((small / f"phenotype/{scale.name}.json").read_text())
    table = read(small, f"phenotype/{scale.name}.tsv")
    assert set(sidecar) == {*table.columns, "MeasurementToolMetadata"}
    for column in scale.columns[:-1]:
        levels = {int(level) for level in sidecar[column]["Levels"]}
        assert set(table[column].dropna().astype(int)) <= levels
    assert set(table.session_id) <= set(sidecar["session_id"]["Levels"])


def test_archive_texts_hold_the_same_numbers(small):
    for scale in SCALE_MODELS:
        bids = read(small, f"phenotype/{scale.name}.tsv")
        path = small / f"nda/{scale.name}01.txt"
        archive = pd.read_csv(path, sep="\t", skiprows=[1], na_values=[-999])
        names = list(NDA_NAMES.get(scale.name, scale.columns))
        np.testing.assert_array_equal(archive[names], bids[scale.columns])
        assert (archive.visit == bids.session_id).all()
        assert (archive.src_subject_id == bids.participant_id).all()
    age = read(small, "participants.tsv").set_index("participant_id").age
    years = (archive.interview_age // 12).set_axis(archive.src_subject_id)
    assert (years == age.reindex(years.index)).all()
    assert "-999" in path.read_text()


def test_first_people_of_a_larger_study_are_the_same(tmp_path, small):
    folder = simulate_study(tmp_path / "study", participants=300, layout="both")
    for path in sorted(small.rglob("*.t*")):
        larger = (folder / path.relative_to(small)).read_text()
        assert larger.startswith(path.read_text()), path.name


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path, small):
    again = simulate_study(tmp_path / "again", layout="both")
    names = [str(path.relative_to(small)) for path in small.rglob("*") if path.is_file()]
    equal, different, wrong = filecmp.cmpfiles(small, again, names, shallow=False)
    assert len(equal) == len(names)
    assert not different + wrong
    other = simulate_study(tmp_path / "other", seed=8)
    assert not filecmp.cmp(small / "participants.tsv", other / "participants.tsv", shallow=False)


def test_trials_and_sites_are_balanced(tmp_path):
    folder = simulate_study(tmp_path / "study", participants=240, trials=3, sites=2)
    people = read(folder, "participants.tsv")
    counts = people.groupby(["trial", "site"]).infusion_1.value_counts()
    assert list(counts.unique()) == [20]


def test_sites_differ_in_their_scanner_and_keep_their_share_of_members(tmp_path):
    folder = simulate_study(tmp_path / "study", participants=660, sites=3, effect=0)
    site = read(folder, "participants.tsv").set_index("participant_id").site
    brain = volumes(folder).pipe(lambda table: table.loc[:, table.std() > 1])
    apart = stats.f_oneway(*[brain[site == name] for name in site.unique()]).pvalue
    assert (apart < 0.01).mean() > 0.2
    member = pd.Series(site.index.isin(truth(folder)["members"]), index=site.index)
    assert member.groupby(site).mean().between(0.25, 0.45).all()


def test_trials_differ_in_the_overall_benefit(tmp_path):
    folder = simulate_study(tmp_path / "study", participants=2_000, trials=4, effect=0, seed=1)
    trial = read(folder, "participants.tsv").set_index("participant_id").trial
    benefit = improvements(folder).pipe(lambda arms: arms.d - arms.p).dropna()
    groups = [benefit[trial.reindex(benefit.index) == name] for name in trial.unique()]
    assert stats.f_oneway(*groups).pvalue < 0.01


def test_memory_does_not_grow_with_participants(tmp_path):
    peaks = []
    for participants in (440, 1_760):
        tracemalloc.start()
        simulate_study(tmp_path / str(participants), participants=participants)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] + 2**20


def test_without_missing_visits_everybody_is_seen(tmp_path):
    folder = simulate_study(tmp_path / "study", participants=22, missing_visits=False)
    assert len(read(folder, "phenotype/madrs.tsv")) == 22 * 2 * 5
    assert improvements(folder).notna().all(axis=None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"participants": 0}, "participants: cannot be simulated, found 0; choose 1 to 99999"),
        ({"trials": 21}, "trials: cannot be simulated, found 21"),
        ({"seed": -1}, "seed: must not be negative, found -1; choose 0 or more"),
        ({"effect": float("nan")}, "effect: not a plausible effect, found nan"),
        ({"layout": "bidz"}, "unknown layout, found 'bidz'; did you mean 'bids'"),
    ],
)
def test_messages(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        simulate_study(tmp_path / "study", **wrong)


def test_other_column_order_and_missing_volumes_change_nothing_else(tmp_path):
    usual, other = tmp_path / "usual", tmp_path / "other"
    simulate_study(usual, participants=40, seed=3)
    simulate_study(other, participants=40, seed=3, missing_volumes=0.1, shuffle_columns=True)
    tables = [
        pd.read_csv(folder / "derivatives/freesurfer/wmparc.volume.tsv", sep="\t", na_values="n/a")
        for folder in (usual, other)
    ]
    assert sorted(tables[0].columns) == sorted(tables[1].columns)
    assert list(tables[0].columns) != list(tables[1].columns)
    again = tables[1][tables[0].columns]
    assert 0.06 < again.isna().to_numpy().mean() < 0.14
    assert not again["EstimatedTotalIntraCranialVol"].isna().any()
    pd.testing.assert_frame_equal(again, tables[0].where(again.notna()))
    folders = (folder / "derivatives" / "freesurfer" for folder in (usual, other))
    volumes = [open_volumes(folder)["volume"].load() for folder in folders]
    np.testing.assert_array_equal(volumes[1], volumes[0].where(volumes[1].notnull()))
    for name in ("participants.tsv", "phenotype/madrs.tsv"):
        assert (usual / name).read_bytes() == (other / name).read_bytes()


def test_missing_volumes_are_a_fraction(tmp_path):
    with pytest.raises(InputError, match="missing_volumes"):
        simulate_study(tmp_path / "study", participants=11, missing_volumes=1.0)
