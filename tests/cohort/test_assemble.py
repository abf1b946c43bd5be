"""From files to the cohort: joins, exclusions with reasons, and what must never enter."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketadask.cohort.assemble import assemble
from ketadask.cohort.endpoints import Outcome
from ketadask.cohort.units import score_units
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.features.meg.registry import feature_set
from ketadask.schema.datasets import COHORT
from ketadask.schema.errors import InputError
from ketadask.schema.phenotype import Participants, Phenotype
from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.participants import read_participants
from ketadask.sources.phenotype import read_phenotype
from ketadask.sources.visits import ARMS

PEOPLE = """participant_id\tage\tsex\tbmi\tgroup\tinfusion_1\tinfusion_2
a\t30\tF\t22\tMDD\td\tp
b\t40\tM\t25\tMDD\tp\td
c\t50\tF\t30\tMDD\td\tn/a
d\t60\tM\t28\tMDD\tn/a\tn/a
e\t20\tM\t21\tHC\td\tp
"""
MADRS = """participant_id\tsession_id\tmadrs_total\tmadrs_10
a\tses-p1d0\t30\t1
a\tses-p1d7\t18\t0
a\tses-p2d0\t20\t2
a\tses-p2d7\t22\t1
b\tses-p1d0\t40\t3
b\tses-p1d6\t39\t0
b\tses-p2d7\t10\t0
c\tses-p1d0\t25\t4
c\tses-p1d7\t25\t0
e\tses-p1d0\t1\t0
e\tses-p1d7\t1\t0
"""
BDI = """participant_id\tbdi_10
a\t0
b\t1
c\t2
"""


def write(folder, people=PEOPLE, **scales):
    (folder / "phenotype").mkdir(parents=True)
    (folder / "participants.tsv").write_text(people)
    for name, text in (scales or {"madrs": MADRS, "bdi": BDI}).items():
        (folder / "phenotype" / f"{name}.tsv").write_text(text)
    return folder


def reasons(cohort):
    return list(cohort.exclusions.itertuples(index=False, name=None))


def test_cases_have_the_features_before_their_own_infusion(tmp_path):
    cohort = assemble(read_phenotype(write(tmp_path)), max_missing=0.5)
    assert cohort.dataset is COHORT.check(cohort.dataset)
    keys = cohort.dataset[["participant", "period"]].to_dataframe()[["participant", "period"]]
    assert keys.values.tolist() == [["a", 1], ["a", 2], ["c", 1], ["e", 1]]
    assert cohort.dataset["arm"].values.tolist() == ["active", "control", "active", "active"]
    assert cohort.dataset["sequence"].values.tolist()[:3] == ["active-control"] * 2 + ["active"]
    assert cohort.dataset["improvement"].values.tolist() == [12, -2, 0, 0]
    assert cohort.dataset["response"].values.tolist() == [1, 0, 0, 0]
    assert cohort.dataset["percent"].values.tolist() == [40, -10, 0, 0]
    assert cohort.dataset["feature"].values.tolist() == [
        "age", "bmi", "sex", "bdi_10", "madrs_10", "madrs_total",
    ]  # fmt: skip
    np.testing.assert_array_equal(
        cohort.dataset["value"],
        [
            [30, 22, 1, 0, 1, 30],
            [30, 22, 1, 0, 2, 20],
            [50, 30, 1, 2, 4, 25],
            [20, 21, 0, np.nan, 0, 1],
        ],
    )


def test_nobody_is_lost_without_a_reason(tmp_path):
    cohort = assemble(read_phenotype(write(tmp_path)), groups=["MDD"], max_missing=0.5)
    assert reasons(cohort) == [
        ("b", 1, "baseline only: no visit at day 7"),
        ("b", 2, "follow-up only: no madrs before the infusion"),
        ("c", 2, "the second infusion was not given"),
        ("d", 0, "unknown arm: no infusion is recorded"),
        ("e", 0, "group HC is not studied"),
    ]


def test_the_window_takes_the_nearest_visit(tmp_path):
    rows = "b\tses-p1d8\t38\t0\nb\tses-p1d9\t37\t0\n"
    phenotype = read_phenotype(write(tmp_path, madrs=MADRS + rows))
    cohort = assemble(phenotype, window=1)
    found = cohort.dataset.isel(case=(cohort.dataset["participant"] == "b").values)
    assert found["followup"].values.tolist() == [39]  # day 6 and day 8 are equally near
    late = assemble(phenotype, day=9, window=2)
    assert (
        late.dataset.isel(case=(late.dataset["participant"] == "b").values)["followup"].values[0]
        == 37
    )
    assert ("a", 1, "baseline only: no visit within 1 days of day 9") in reasons(
        assemble(phenotype, day=9, window=1)
    )


def test_a_total_may_be_summed_from_items_and_a_column_may_be_the_outcome(tmp_path):
    head = "participant_id\tsession_id\tmadrs_1\tmadrs_2"
    lines = ["a\tses-p1d0\t6\t5", "a\tses-p1d7\t1\t2", "b\tses-p1d0\t6\t6", "b\tses-p1d7\tn/a\t2"]
    some = write(tmp_path / "some", madrs="\n".join([head, *lines]) + "\n")
    with pytest.raises(InputError, match="neither a total nor all of its 10 items"):
        assemble(read_phenotype(some))
    head += "".join(f"\tmadrs_{n}" for n in range(3, 11))
    items = "\n".join([head, *(line + 8 * "\t0" for line in lines)]) + "\n"
    phenotype = read_phenotype(write(tmp_path / "all", madrs=items))
    cohort = assemble(phenotype)
    assert cohort.dataset["improvement"].values.tolist() == [8]
    assert ("b", 1, "baseline only: day 7: 1 of 10 items missing") in reasons(cohort)
    filled = assemble(phenotype, outcome=Outcome("madrs", missing_items=1)).dataset
    assert filled["improvement"].values.tolist() == [8, pytest.approx(12 - 10 * 2 / 9)]
    assert assemble(phenotype, outcome="madrs_2").dataset["improvement"].values.tolist() == [3, 4]
    with pytest.raises(InputError, match="no such outcome scale, found 'mards'; did you mean 'mad"):
        assemble(phenotype, outcome="mards")


def test_a_baseline_of_zero_gives_no_response(tmp_path):
    rows = "participant_id\tsession_id\tmadrs_total\na\tses-p1d0\t0\na\tses-p1d7\t0\n"
    cohort = assemble(read_phenotype(write(tmp_path, madrs=rows)))
    assert cohort.dataset["response"].values.tolist() == [0]
    assert np.isnan(cohort.dataset["percent"].values).all()


def test_percent_is_one_number_wherever_it_is_asked_for(tmp_path):
    """Of a baseline of zero or below there is no percent, in the cohort or as an endpoint."""
    scores = [30, 18, 30, 24, 0, -2, -4, -8, 20, 10, 20, 22]
    sessions = [f"ses-p{p}d{d}" for p in (1, 2) for d in (0, 7)]
    rows = [
        f"{who}\t{session}\t{score}"
        for (who, session), score in zip(product("abc", sessions), scores, strict=True)
    ]
    text = "\n".join(["participant_id\tsession_id\tmood", *rows]) + "\n"
    people = "participant_id\tinfusion_1\tinfusion_2\na\td\tp\nb\tp\td\nc\tp\td\n"
    folder = write(tmp_path, mood=text, people=people)
    people = read_participants(folder)
    cohort = assemble(
        read_phenotype(folder), participants=people, outcome="mood", direction="lower"
    )
    made = score_units(cohort, design="pooled", endpoint="percent")
    seen = np.nanmax(made["outcome"].to_numpy(), axis=1)
    percent = cohort.dataset["percent"].to_numpy()
    assert np.isnan(percent).tolist() == [False, False, True, True, False, False]
    assert seen.tolist() == percent[np.isfinite(percent)].tolist() == [40.0, 20.0, 50.0, -10.0]


VOLUMES = "Measure:volume\tCSF\tBrain-Stem\tEstimatedTotalIntraCranialVol\n"


def volumes_at(tmp_path, rows):
    path = tmp_path / "aseg.tsv"
    path.write_text(VOLUMES + rows)
    return open_volumes(path)


def test_cases_without_volumes_or_with_too_few_features_are_listed(tmp_path):
    volumes = volumes_at(tmp_path, "a\t1\t2\t10\nc\t3\t4\t9\ne\tn/a\tn/a\tn/a\nz\t9\t9\t9\n")
    phenotype = read_phenotype(write(tmp_path / "study"))
    cohort = assemble(phenotype, volumes, window=1, max_missing=0.5, max_missing_case=0.3)
    assert set(cohort.dataset["participant"].values) == {"a", "c"}
    assert ("b", 1, "no volumes") in reasons(cohort)
    assert ("e", 1, "more than 30% of the features are missing") in reasons(cohort)
    with pytest.raises(
        InputError, match=r"no participant of the study has volumes, found 'z'; .* a$"
    ):
        assemble(phenotype, volumes_at(tmp_path, "z\t1\t2\t3\n"))


def test_wrong_cells_that_were_let_pass_are_kept_with_the_cohort(tmp_path):
    people = PEOPLE.replace("a\t30", "a\told")
    folder = write(tmp_path, people, madrs=MADRS.replace("30\t1", "90\t1"))
    participants = read_participants(folder, bad_cells="missing")
    phenotype = read_phenotype(folder, bad_cells="missing")
    cohort = assemble(phenotype, participants=participants, max_missing=0.5)
    found = cohort.findings
    assert [(f["where"], f["value"]) for f in found] == [
        ("row 2, column age", "old"),
        ("row 2, column madrs_total", "90"),
    ]
    assert ("a", 1, "follow-up only: no madrs before the infusion") in reasons(cohort)


def test_recordings_are_placed_by_the_names_of_the_scales(tmp_path):
    rows = MADRS.replace("ses-p1d0", "ses-b0").replace("ses-p1d7", "ses-d7")
    scales = rows.replace("ses-p2d7", "ses-p7").replace("ses-p1d6", "ses-p7")
    scales = "".join(line for line in scales.splitlines(True) if "ses-p2d0" not in line)
    scales = scales.replace("b\tses-p7\t10", "b\tses-d7\t10")
    wanted = feature_set("power")
    power = xr.Dataset(
        {"value": (("recording", "feature"), np.arange(2.0)[:, None] + np.zeros(len(wanted)))},
        {
            "recording": ["a", "b"],
            "participant": ("recording", ["a", "b"]),
            "session": ("recording", ["ses-b0", "ses-b0"]),
            "feature": [each.name for each in wanted],
        },
        {"set": "power", "modality": "meg"},
    )
    read = read_phenotype(write(tmp_path, madrs=scales), session_pattern=ARMS)
    cohort = assemble(read, power, modalities=["meg"], max_missing=0.9, max_missing_case=1.0)
    value = (
        cohort.dataset["value"]
        .isel(feature=0)
        .to_series()
        .groupby(cohort.dataset["participant"].values)
    )
    assert value.first().dropna().to_dict() == {"a": 0.0, "b": 1.0}


def test_features_are_dropped_by_missingness_and_when_constant(tmp_path):
    cohort = assemble(read_phenotype(write(tmp_path)), groups=["MDD"], max_missing=0.2)
    assert cohort.dropped == {"sex": "constant"}
    sparse = BDI.replace("c\t2\n", "")
    phenotype = read_phenotype(write(tmp_path / "2", madrs=MADRS, bdi=sparse))
    dropped = assemble(phenotype, groups=["MDD"]).dropped
    assert dropped["bdi_10"] == "missing in 33% of cases"


def test_families_include_and_exclude(tmp_path):
    phenotype = read_phenotype(write(tmp_path))

    def names(**options):
        return assemble(phenotype, max_missing=0.5, **options).dataset["feature"].values.tolist()

    assert names(modalities=["demographic"]) == ["age", "bmi", "sex"]
    assert names(include=["madrs_*", "age"], exclude=["*_total"]) == ["age", "madrs_10"]
    with pytest.raises(InputError, match="include: no such feature, found 'bdi_1O'; did you mean"):
        names(include=["bdi_1O"])
    with pytest.raises(
        InputError, match=r"include: a list of .*'madrs_\*'; write include=\['madrs"
    ):
        names(include="madrs_*")
    with pytest.raises(InputError, match="exclude: a list of names is needed, not a text"):
        names(exclude="age")
    with pytest.raises(
        InputError, match="modalities: not known, found 'scales'; did you mean 'sca"
    ):
        names(modalities=["scales"])
    with pytest.raises(InputError, match="groups: not known, found 'mdd'"):
        names(groups=["mdd"])


@pytest.mark.parametrize("family", ["meg", "genes"])  # families are open
def test_other_features_join_by_participant_and_period(tmp_path, family):
    index = pd.MultiIndex.from_tuples(
        [("a", 1), ("a", 2), ("c", 0)], names=["participant", "period"]
    )
    about = pd.DataFrame(
        [[family, "continuous", "Hz", "alpha"]], index=["alpha"], columns=list(ABOUT)
    )
    table = FeatureTable(pd.DataFrame({"alpha": [9.0, 10.0, 11.0]}, index=index), about)
    cohort = assemble(read_phenotype(write(tmp_path)), table, groups=["MDD"])
    assert cohort.dataset["value"].sel(feature="alpha").values.tolist() == [9, 10, 11]
    assert cohort.dataset["modality"].sel(feature="alpha").item() == family


def test_what_cannot_be_assembled_is_named(tmp_path):
    phenotype = read_phenotype(write(tmp_path))
    with pytest.raises(InputError, match="one phenotype table, at most one dataset of volumes"):
        assemble(phenotype, phenotype)
    with pytest.raises(InputError, match="no case has madrs at day 30; most often: baseline only"):
        assemble(phenotype, day=30)
    clash = pd.DataFrame([["scale", "ordinal", "", "x"]], index=["age"], columns=list(ABOUT))
    index = pd.MultiIndex.from_tuples([("a", 0)], names=["participant", "period"])
    with pytest.raises(InputError, match="two features have the same name, found 'age'"):
        assemble(phenotype, FeatureTable(pd.DataFrame({"age": [1.0]}, index=index), clash))


def test_a_session_that_contradicts_the_sequence_is_said(tmp_path):
    rows = "participant_id\tsession_id\tmadrs_total\n"
    rows += "c\tses-b0\t30\nc\tses-p2\t10\na\tses-b0\t30\na\tses-d2\t9\n"
    folder = write(tmp_path, madrs=rows)
    with pytest.raises(InputError, match="row 3, column session_id: session does not fit"):
        read_phenotype(folder, session_pattern=ARMS)
    cohort = assemble(read_phenotype(folder, session_pattern=ARMS, bad_cells="missing"), day=2)
    expected = "baseline only: no visit at day 2; a session contradicts the sequence of infusions"
    assert ("c", 1, expected) in reasons(cohort)
    found = cohort.findings
    assert [(f["where"], f["value"]) for f in found] == [("row 3, column session_id", "ses-p2")]
    assert found[0]["problem"] == "session does not fit the infusions active"


def test_sessions_are_compared_when_the_infusions_come_later(tmp_path):
    rows = "participant_id\tsession_id\tmadrs_total\n"
    rows += "c\tses-b0\t30\nc\tses-p2\t10\na\tses-b0\t30\na\tses-d2\t9\n"
    folder = write(tmp_path, madrs=rows)
    phenotype = read_phenotype(folder, session_pattern=ARMS, participants=["a", "c"])
    cohort = assemble(phenotype, day=2)
    assert [(f["where"], f["value"]) for f in cohort.findings] == [("participant c", "ses-p2")]


DATED = """participant_id\tage\tgroup\tinfusion_1\tinfusion_1_date\tinfusion_2\tinfusion_2_date
a\t30\tMDD\td\t2004-11-03\tp\t2004-11-17
b\t40\tMDD\tp\t2004-11-03\td\t2004-11-12
c\t50\tMDD\td\t2004-11-03\tn/a\tn/a
"""


def test_a_second_infusion_before_the_wash_out_is_left_out(tmp_path):
    rows = "participant_id\tsession_id\tmadrs_total\n"
    sessions = [("p1d0", 30), ("p1d7", 20), ("p2d0", 31), ("p2d7", 19)]
    rows += "".join(f"{who}\tses-{s}\t{y}\n" for who in "ab" for s, y in sessions)
    phenotype = read_phenotype(write(tmp_path / "dated", DATED, madrs=rows))
    cohort = assemble(phenotype, washout=14)
    assert cohort.dataset["participant"].values.tolist() == ["a", "a", "b"]
    assert ("b", 2, "the second infusion came before a wash-out of 14 days") in reasons(cohort)
    assert assemble(phenotype, washout=9).dataset.sizes["case"] == 4
    undated = read_phenotype(write(tmp_path / "undated"))
    with pytest.raises(InputError, match="washout: no participant has dates of both infusions"):
        assemble(undated, washout=14)


def test_everybody_is_counted_in_the_flow(tmp_path):
    cohort = assemble(read_phenotype(write(tmp_path)), groups=["MDD"], max_missing=0.5)
    flow = cohort.flow
    assert (flow["assessed"], flow["studied"], flow["lost"]) == (5, 4, 2)
    assert flow["analysed"] == {
        "participants": 2, "cases": 3, "both_arms": 1, "active": 2, "control": 1,
    }  # fmt: skip
    assert {r["reason"]: (r["participants"], r["periods"]) for r in flow["excluded"]} == {
        "group HC is not studied": (1, 0),
        "baseline only: no visit at day 7": (1, 1),
        "follow-up only: no madrs before the infusion": (1, 1),
        "the second infusion was not given": (1, 1),
        "unknown arm: no infusion is recorded": (1, 0),
    }


def test_few_missing_items_keep_most_pairs():
    rng, columns = np.random.default_rng(5), [f"madrs_{n}" for n in range(1, 11)]
    keys = [(f"s{i:02d}", "", p, "", d) for i in range(40) for p in (1, 2) for d in (0, 7)]
    items = rng.integers(0, 7, (len(keys), 10)).astype(float)
    items[rng.random(items.shape) < 0.015] = np.nan
    visits = pd.DataFrame(keys, columns=["participant", "session", "period", "arm", "day"])
    visits[columns] = items
    people = pd.DataFrame({"participant": sorted(set(visits["participant"]))}).assign(
        sequence=["active-control", "control-active"] * 20, trial="1", site="1", age=30.0,
        sex=0.0, bmi=22.0, group="", washout=np.nan,
    )  # fmt: skip
    pairs = {}
    for missing_items in (0, 1):
        outcome = Outcome("madrs", missing_items=missing_items)
        cohort = assemble(Phenotype(visits), participants=Participants(people), outcome=outcome)
        pairs[missing_items] = cohort.flow["analysed"]["both_arms"]
        assert cohort.dataset.attrs["definition"].endswith("mean of the others") == missing_items
    assert pairs[0] < 25
    assert pairs[1] >= 32
