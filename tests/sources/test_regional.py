"""Regional tables of every tool: the values of pandas, one name per region, nothing read early."""

import dask
import numpy as np
import pandas as pd
import pytest

import ketadask as kd
from ketadask.config.study import StudySettings
from ketadask.features.volumes import region_features, region_label
from ketadask.predict.classifier_data import classifier_data, classifier_data_from_volumes
from ketadask.schema.errors import InputError
from ketadask.sources.region_names import region_column, region_place
from ketadask.sources.regional import open_regions, single_session
from ketadask.sources.regions import ETIV, PARCELS
from ketadask.study.from_settings import read_cohort

PEOPLE = ["sub-01", "sub-02", "sub-03"]
DEEP = [f"{side}-{name}" for side in ("Left", "Right") for name in ("Thalamus", "Hippocampus")]
# File name, first cell, column names, the regions and measure they stand for, factor, separator.
FORMATS = {
    "FreeSurfer DK": (
        "t.tsv", "lh.aparc.thickness", ["lh_bankssts_thickness", "lh_insula_thickness"],
        ["lh_bankssts_thickness", "lh_insula_thickness"], "thickness", 1, "\t",
    ),
    "FreeSurfer Destrieux": (
        "t.table", "rh.aparc.a2009s.area", ["rh_G_cuneus_area", "rh_S_central_area"],
        ["rh_G_cuneus_area", "rh_S_central_area"], "area", 1, "\t",
    ),
    "FreeSurfer DKT": (
        "t.csv", "lh.aparc.DKTatlas.meancurv", ["lh_cuneus_meancurv", "lh_insula_meancurv"],
        ["lh_cuneus_meancurv", "lh_insula_meancurv"], "meancurv", 1, ",",
    ),
    "ENIGMA": (
        "CorticalMeasuresENIGMA_SurfAvg.csv", "SubjID", ["L_insula_surfavg", "LSurfArea"],
        ["lh_insula_area", "lh_whole_area"], "area", 1, ",",
    ),
    "ENIGMA thickness": (
        "CorticalMeasuresENIGMA_ThickAvg.csv", "SubjID", ["L_insula_thickavg", "R_cuneus_thickavg"],
        ["lh_insula_thickness", "rh_cuneus_thickness"], "thickness", 1, ",",
    ),
    "ENIGMA subcortical": (
        "LandRvolumes.csv", "SubjID", ["Lthal", "Rthal", "Lhippo", "Rhippo", "ICV"],
        ["Left-Thalamus", "Right-Thalamus", "Left-Hippocampus", "Right-Hippocampus", ETIV],
        "volume", 1, ",",
    ),
    "SynthSeg": (
        "vol.csv", "subject",
        ["total intracranial", "left thalamus", "brain-stem", "left ventral DC", "csf",
         "ctx-lh-insula"],
        [ETIV, "Left-Thalamus", "Brain-Stem", "Left-VentralDC", "CSF", "lh_insula_volume"],
        "volume", 1, ",",
    ),
    "CAT12 volume": (
        "ROI_neuromorphometrics_Vgm.csv", "names", ["lHip", "rHip", "3thVen"],
        ["lh_Hip_volume", "rh_Hip_volume", "3thVen_volume"], "volume", 1000, ",",
    ),
    "CAT12 surface": (
        "ROI_aparc_DK40_thickness.csv", "names", ["lbankssts", "rinsula"],
        ["lh_bankssts_thickness", "rh_insula_thickness"], "thickness", 1, ",",
    ),
    "plain diffusivity": (
        "md.csv", "participant_id",
        ["lh_insula_mean_diffusivity", "Left-Thalamus_mean_diffusivity"],
        ["lh_insula_mean_diffusivity", "Left-Thalamus_mean_diffusivity"], "mean_diffusivity", 1,
        ",",
    ),
    "plain": (
        "fa.tsv", "participant_id",
        ["lh_insula_fractional_anisotropy", "rh_insula_fractional_anisotropy"],
        ["lh_insula_fractional_anisotropy", "rh_insula_fractional_anisotropy"],
        "fractional_anisotropy", 1, "\t",
    ),
}  # fmt: skip


def refuse(graph, keys, **options):
    raise AssertionError("something was computed")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_holds_the_values_of_pandas(tmp_path, name):
    file, first, columns, regions, measure, factor, separator = FORMATS[name]
    values = np.random.default_rng(3).uniform(0.5, 9, (3, len(columns))).round(4)
    values[1, 0] = np.nan
    table = pd.DataFrame(values, columns=columns)
    table.insert(0, first, PEOPLE)
    table.to_csv(tmp_path / file, index=False, sep=separator, na_rep="n/a")
    with dask.config.set(scheduler=refuse):
        dataset = open_regions(tmp_path)
    assert list(dataset.data_vars) == [measure]
    assert dataset[measure].dims == ("participant", "session", "region")
    assert sorted(dataset["region"].values) == sorted(regions)
    read = pd.read_csv(tmp_path / file, sep=separator, index_col=0)
    one = single_session(dataset)[measure].compute().to_pandas()[regions]
    np.testing.assert_array_equal(one.to_numpy(), read.to_numpy() * factor)
    assert one.index.tolist() == PEOPLE


def test_real_thickness_tables_equal_pandas(real_data):
    folder = real_data / "freesurfer" / "aomic_piop2"
    dataset = single_session(open_regions(folder, measure="thickness"))
    assert dataset.sizes == {"participant": 226, "region": 70}  # 68 and two means
    for side in ("lh", "rh"):
        file = folder / f"data-cortical_type-aparc_measure-thickness_hemi-{side}.tsv"
        table = pd.read_csv(file, sep="\t", index_col=0).sort_index()
        own = [name for name in dataset["region"].values if name.startswith(side)]
        assert len(own) == 35
        np.testing.assert_array_equal(dataset["thickness"].sel(region=own), table[own])


@pytest.mark.parametrize(
    ("atlas", "file", "measure", "column"),
    [
        ("DK", "aparc", "thickness", "ThickAvg"),
        ("DK", "aparc", "volume", "GrayVol"),
        ("DKT", "aparc.DKTatlas", "area", "SurfArea"),
        ("Destrieux", "aparc.a2009s", "thickness", "ThickAvg"),
        ("Destrieux", "aparc.a2009s", "meancurv", "MeanCurv"),
    ],
)
def test_real_stats_files_equal_pandas(real_data, atlas, file, measure, column):
    folder = real_data / "freesurfer" / "subjects"
    dataset = single_session(open_regions(folder, measure=measure, atlas=atlas)).compute()
    lines = (folder / "soichi" / "stats" / f"lh.{file}.stats").read_text().splitlines()
    header = next(line for line in lines if line.startswith("# ColHeaders")).split()[2:]
    rows = [line.split() for line in lines if not line.startswith("#")]
    table = pd.DataFrame(rows, columns=header).set_index("StructName")
    own = dataset[measure].sel(
        participant="soichi", region=[f"lh_{n}_{measure}" for n in table.index]
    )
    np.testing.assert_array_equal(own, table[column].astype(float))
    assert set(own["atlas"].values) == {atlas}


def test_fastsurfer_has_volumes_of_its_own_file(tmp_path):
    stats = tmp_path / "sub-1_ses-2" / "stats"
    stats.mkdir(parents=True)
    (stats / "aseg+DKT.stats").write_text(
        "# Measure EstimatedTotalIntraCranialVol, eTIV, Estimated Total, 1500000.0, mm^3\n"
        "# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean\n"
        "1 10 7000 7001.5 Left-Thalamus 90\n2 1002 900 950.25 ctx-lh-cuneus 80\n"
    )
    dataset = open_regions(tmp_path, atlas="DKT").compute()
    assert dataset["session"].values.tolist() == ["2"]
    values = dataset["volume"].sel(participant="sub-1", session="2")
    assert values.sel(region="Left-Thalamus") == 7001.5
    assert values.sel(region="lh_cuneus_volume") == 950.25
    assert values.sel(region=ETIV) == 1.5e6


def test_two_sessions_and_names_of_a_lab(tmp_path):
    path = tmp_path / "dti.csv"
    path.write_text(
        "participant_id,session_id,FAinsL,age\nb,pre,.4,30\nb,post,.5,30\na,pre,.3,20\n"
    )
    columns = {"FAinsL": "lh_insula_fractional_anisotropy"}
    dataset = open_regions(path, columns=columns).compute()
    assert dataset["session"].values.tolist() == ["post", "pre"]
    np.testing.assert_array_equal(
        dataset["fractional_anisotropy"][:, :, 0], [[np.nan, 0.3], [0.5, 0.4]]
    )
    assert dataset.attrs["ignored"] == ["age", "session_id"]
    pre = region_features(single_session(dataset, "pre"))
    assert pre.values.iloc[:, 0].tolist() == [0.3, 0.4]
    assert pre.about["label"].tolist() == ["left insula cortex fractional anisotropy"]
    with pytest.raises(InputError, match=r"there are sessions post, pre.*before treatment"):
        single_session(dataset)
    with pytest.raises(InputError, match=r"no such column.*'FAinsR'"):
        open_regions(path, columns={"FAinsR": "rh_insula_fractional_anisotropy"})


def test_a_choice_is_asked_for_where_there_is_one(tmp_path):
    (tmp_path / "a.csv").write_text("SubjID,L_insula_thickavg,L_insula_surfavg\na,3,900\n")
    with pytest.raises(InputError, match=r"holds area and thickness.*measure='area'"):
        open_regions(tmp_path)
    (tmp_path / "b.tsv").write_text("lh.aparc.DKTatlas.thickness\tlh_cuneus_thickness\na\t2\n")
    with pytest.raises(InputError, match=r"holds DK and DKT.*atlas='DK'"):
        open_regions(tmp_path, measure="thickness")
    assert open_regions(tmp_path, measure="thickness", atlas="DKT").sizes["region"] == 1
    with pytest.raises(InputError, match=r"unknown measure.*'depth'"):
        open_regions(tmp_path, measure="depth")
    (tmp_path / "c.csv").write_text("SubjID,L_insula_thickavg\na,-3\n")
    with pytest.raises(InputError, match="not a thickness, found '-3'"):
        open_regions(tmp_path / "c.csv").compute(scheduler="synchronous")


def test_every_region_lies_in_a_lobe():
    for parcel in PARCELS:
        place = region_place(f"rh_{parcel}_area")
        assert (place.hemisphere, place.tissue) == ("right", "cortex")
        assert place.lobe
        assert place.network
        assert region_column(f"R_{parcel}_thickavg").name == f"rh_{parcel}_thickness"
    assert region_place("lh_frontalpole_thickness").lobe == "frontal"
    assert region_label("rh_G_cuneus_area", "right", "cortex") == "right G_cuneus cortex area"


def test_real_destrieux_parcels_lie_in_a_lobe(real_data):
    dataset = open_regions(
        real_data / "freesurfer" / "subjects", measure="thickness", atlas="Destrieux"
    )
    assert dataset.sizes["region"] == 148
    assert set(dataset["lobe"].values) == {
        "frontal", "parietal", "temporal", "occipital", "cingulate", "insula",
    }  # fmt: skip


def test_search_and_predictor_use_any_measure(tmp_path):
    folder = kd.simulate_study(tmp_path / "study", participants=12)
    people = pd.read_csv(folder / "participants.tsv", sep="\t")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.uniform(2, 4, (len(people), 3)))
    table.columns = ["L_insula_thickavg", "L_cuneus_thickavg", "R_cuneus_thickavg"]
    table.insert(0, "SubjID", people["participant_id"])
    table.to_csv(folder / "thickness.csv", index=False)
    settings = StudySettings(
        name="thick",
        data={"folder": folder, "regions": ({"file": "thickness.csv"},)},
        features={"modalities": ("demographic", "thickness")},
    )
    dataset = read_cohort(settings, folder).dataset
    own = dataset["modality"].values == "thickness"
    assert dataset["feature"].values[own].tolist() == [
        "lh_cuneus_thickness", "lh_insula_thickness", "rh_cuneus_thickness",
    ]  # fmt: skip
    cases = classifier_data(dataset, covariates=("age",))
    assert cases.region == tuple(dataset["feature"].values[own])
    regions = single_session(open_regions(folder / "thickness.csv"))
    labels = people.rename(columns={"participant_id": "participant"}).assign(
        label=np.arange(len(people)) % 2
    )
    direct = classifier_data_from_volumes(regions, labels, "label", covariates=("age",))
    assert direct.region[0] == "lh_insula_thickness"
    assert len(direct) == len(people)
