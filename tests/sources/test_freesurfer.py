"""Volumes from tables and folders: one naming, globals once, nothing read before compute."""

import shutil
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketadask.schema.errors import InputError
from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.regions import ETIV, REGIONS, region_name

LH = "lh.aparc.volume\tlh_cuneus_volume\tlh_insula_volume\tBrainSegVolNotVent\teTIV\n"
ASEG = "Measure:volume\tLeft-Thalamus-Proper\tCSF\tBrainSegVolNotVent\tMaskVol\t"
ASEG += "EstimatedTotalIntraCranialVol\n"
THALAMI = "Measure:volume\tLeft-Thalamus\tLeft-Thalamus-Proper\na\t1\t1\n"
TRANSPOSE = "lh.aparc.volume\tsub-01\tsub-02\nlh_cuneus_volume\t1\t2\n"


def tables(folder, lh=None, aseg=None):
    (folder / "lh.tsv").write_text(lh or LH + "b\t1\t2\t100\t1000\na\t3\t4\t200\t2000\n")
    (folder / "aseg.tsv").write_text(
        aseg or ASEG + "a\t7\t8\t200\t9\t2000\nc\t5\tn/a\t300\t9\t3000\n"
    )
    (folder / "participants.tsv").write_text("participant_id\na\n")
    return folder


def refuse(graph, keys, **options):
    raise AssertionError("something was computed")


def test_tables_become_one_dataset(tmp_path):
    volumes = open_volumes(tables(tmp_path))
    assert volumes["participant"].values.tolist() == ["a", "b", "c"]
    assert volumes["region"].values.tolist() == [
        "lh_cuneus_volume", "lh_insula_volume", "Left-Thalamus", "CSF", "BrainSegVolNotVent", ETIV,
    ]  # fmt: skip
    nan = np.nan
    np.testing.assert_array_equal(
        volumes["volume"].compute(),
        [[3, 4, 7, 8, 200, 2000], [1, 2, nan, nan, 100, 1000], [nan, nan, 5, nan, 300, 3000]],
    )
    csf = volumes.sel(region="CSF")
    assert [csf[c].item() for c in ("hemisphere", "tissue", "atlas", "measurement_unit")] == [
        "both", "subcortical", "aseg", "mm3",
    ]  # fmt: skip
    assert volumes.attrs["ignored"] == ["MaskVol"]
    assert len(volumes.attrs["absent"]) == 185 - 6


def test_nothing_is_read_before_compute(tmp_path):
    tables(tmp_path)
    with dask.config.set(scheduler=refuse):
        volumes = open_volumes(tmp_path)
        head = volumes["volume"].sel(region=ETIV) / volumes["volume"].mean("participant")
    with dask.config.set(scheduler=refuse), pytest.raises(AssertionError, match="was computed"):
        head.compute()


def test_one_task_reads_one_file(tmp_path):
    volumes = open_volumes(tables(tmp_path))
    reads = [key for key in volumes["volume"].data.__dask_graph__() if "read_regions" in str(key)]
    assert len(reads) == 2
    assert open_volumes(tmp_path)["volume"].data.name == volumes["volume"].data.name


def test_globals_that_disagree_are_named_when_computed(tmp_path):
    aseg = ASEG + "a\t7\t8\t200\t9\t2500\n"
    volumes = open_volumes(tables(tmp_path, aseg=aseg))
    with pytest.raises(
        InputError, match=rf"aseg\.tsv: a: {ETIV}: .* is 2000 in .*lh\.tsv and 2500"
    ):
        volumes.compute()


@pytest.mark.parametrize("separator", [",", ";", " "])
def test_other_separators_and_paths_as_names(tmp_path, separator):
    rows = ASEG + "/data/sub-01_ses-b0/\t7\t8\t200\t9\t2000\n"
    path = tmp_path / "aseg.table"
    path.write_text(rows.replace("\t", separator))
    volumes = open_volumes(path).compute()
    assert volumes["participant"].values.tolist() == ["sub-01"]
    assert volumes["volume"].sel(region="CSF").item() == 8


WRONG = {
    "text": (LH + "a\tx\t1\t1\t1\n", "row 2, column lh_cuneus_volume: not a volume, found 'x'"),
    "negative": (LH + "a\t-9\t1\t1\t1\n", "row 2, column lh_cuneus_volume: not a volume"),
    "twice": (LH + "a\t1\t1\t1\t1\na/\t1\t1\t1\t1\n", "participant appears twice, first in row 2"),
    "nobody": (LH + "\t1\t1\t1\t1\n", "row 2, column lh.aparc.volume: no participant"),
    "header only": (LH, "has a header but no rows"),
    "empty": ("", "the file is empty"),
    "short row": (LH + "a\t1\n", "row 2: has 2 cells where the header has 5"),
    "transposed": (TRANSPOSE, "without --transpose"),
    "region twice": (THALAMI, "two columns hold Left-Thalamus"),
    "other": ("a\tb\n1\t2\n", "holds neither tables of aparcstats2table"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_table_that_is_wrong_is_named(tmp_path, name):
    content, message = WRONG[name]
    (tmp_path / "lh.tsv").write_text(content)
    with pytest.raises(InputError, match=message):
        open_volumes(tmp_path).compute()


def test_a_table_that_may_not_be_read_is_not_passed_over(tmp_path, monkeypatch):
    tables(tmp_path)
    path_open = Path.open

    def refuse_aseg(self, *arguments, **options):
        if self.name == "aseg.tsv":
            raise PermissionError(13, "Permission denied")
        return path_open(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse_aseg)
    with pytest.raises(InputError, match=r"aseg\.tsv: cannot be read \(Permission denied\)"):
        open_volumes(tmp_path)


def test_tables_given_by_name_must_hold_volumes_of_a_known_atlas(tmp_path):
    path = tmp_path / "x.tsv"
    for first, message in [
        ("lh.aparc.thickness", "does not hold volumes, found 'lh.aparc.thickness'"),
        ("lh.aparc.a2009s.volume", "not a supported atlas"),
        ("participant_id", "not a FreeSurfer table, found 'participant_id'"),
    ]:
        path.write_text(f"{first}\tlh_cuneus_volume\na\t1\n")
        with pytest.raises(InputError, match=message):
            open_volumes([path])
    tables(tmp_path)
    shutil.copy(tmp_path / "lh.tsv", tmp_path / "lh2.tsv")
    with pytest.raises(InputError, match="lh_cuneus_volume is in two tables"):
        open_volumes([tmp_path / "lh.tsv", tmp_path / "lh2.tsv"])
    with pytest.raises(InputError, match="no such file or folder"):
        open_volumes(tmp_path / "nowhere")


def test_names_of_all_versions_are_one():
    assert region_name("Left-Thalamus-Proper*") == region_name("Left-Thalamus") == "Left-Thalamus"
    assert region_name("eTIV") == region_name("IntraCranialVol") == ETIV
    assert region_name("lh_insula_volume", hemisphere="lh") == region_name(
        "insula", hemisphere="lh"
    )
    assert region_name("insula") is None
    assert region_name("lh_insula_volume", hemisphere="rh") == "lh_insula_volume"
    count = {}
    for region in REGIONS.values():
        count[region.tissue] = count.get(region.tissue, 0) + 1
    assert count == {"cortex": 68, "white": 70, "subcortical": 45, "global": 2}


def test_the_real_tables(real_data):
    folder = real_data / "freesurfer" / "aomic_piop2"
    volumes = open_volumes(folder).compute()
    assert volumes.sizes == {"participant": 226, "region": 185}
    assert volumes["region"].values.tolist() == list(REGIONS)
    names = set()
    for path in folder.glob("data-*_measure-volume_*.tsv"):
        table = pd.read_csv(path, sep="\t", index_col=0).sort_index().rename(columns=region_name)
        own = [name for name in table if name in REGIONS]
        np.testing.assert_array_equal(volumes["volume"].sel(region=own), table[own])
        names |= set(own)
    assert names == set(REGIONS)
    assert "lhSurfaceHoles" in volumes.attrs["ignored"]


def test_the_real_stats_have_the_same_regions(real_data):
    volumes = open_volumes(real_data / "freesurfer" / "subjects").compute()
    assert volumes["region"].values.tolist() == list(REGIONS)
    assert not volumes["volume"].isnull().any()
    person = volumes["volume"].sel(participant="soichi")
    assert person.sel(region="Left-Thalamus").item() == 8178.8
    assert person.sel(region="lh_isthmuscingulate_volume").item() == 2524.0
    assert person.sel(region="wm-rh-inferiorparietal").item() == 12185.4
    assert person.sel(region=ETIV).item() == 1420434.160521
    assert person.sel(region="BrainSegVolNotVent").item() == 1157593.0


@pytest.fixture
def subjects(real_data, tmp_path):
    """Return a folder of three participants and FreeSurfer's template, in temporary storage."""
    source = real_data / "freesurfer" / "subjects" / "soichi" / "stats"
    for name in ("sub-02", "sub-01", "sub-03", "fsaverage"):
        (tmp_path / name / "stats").mkdir(parents=True)
        for file in ("aseg.stats", "lh.aparc.stats", "rh.aparc.stats", "wmparc.stats"):
            (tmp_path / name / "stats" / file).write_bytes((source / file).read_bytes())
    return tmp_path


def test_one_task_reads_one_folder(subjects):
    with dask.config.set(scheduler=refuse):
        volumes = open_volumes(subjects)
    assert volumes["participant"].values.tolist() == ["sub-01", "sub-02", "sub-03"]
    assert volumes["volume"].data.chunks == ((1, 1, 1), (185,))
    (subjects / "sub-02" / "stats" / "wmparc.stats").unlink()
    missing = volumes["volume"].isnull().sum("region").compute()
    assert missing.values.tolist() == [0, 70, 0]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("aseg.stats", "8178.8", "many", r"row \d+, Left-Thalamus: not a volume, found 'many'"),
        ("aseg.stats", "# ColHeaders", "# Colheaders", "no line '# ColHeaders' above"),
        ("aseg.stats", "StructName normMean", "Name normMean", "lacks the columns StructName"),
        ("lh.aparc.stats", "1420434.160521", "1500000.0", f"{ETIV} is 1.42043e"),
        ("lh.aparc.stats", "2524  2.216", "2524", r"row \d+: has 9 cells where the header has 10"),
    ],
)
def test_a_damaged_stats_file_is_named(subjects, file, old, new, message):
    path = subjects / "sub-02" / "stats" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        open_volumes(subjects).compute()
    assert "sub-02" in str(error.value)


def test_sessions_of_one_participant_and_mixed_folders_are_named(subjects):
    (subjects / "sub-01").rename(subjects / "sub-02_ses-2")
    with pytest.raises(InputError, match="participant appears twice"):
        open_volumes(subjects)
    tables(subjects)
    with pytest.raises(InputError, match="holds group tables and participant folders"):
        open_volumes(subjects)


def test_xarray_opens_the_same_by_its_engine(tmp_path):
    tables(tmp_path)
    expected = open_volumes(tmp_path).compute()
    with xr.open_dataset(tmp_path, engine="ketadask-freesurfer") as eager:
        xr.testing.assert_identical(eager.compute(), expected)
        assert eager["volume"].sel(region="CSF", participant="a").item() == 8
    with dask.config.set(scheduler=refuse):
        lazy = xr.open_dataset(tmp_path, engine="ketadask-freesurfer", chunks={})
    assert lazy["volume"].data.chunks == open_volumes(tmp_path)["volume"].data.chunks
    xr.testing.assert_identical(lazy.compute(), expected)
    dataset = xr.open_dataset(tmp_path, engine="ketadask-freesurfer", drop_variables=["hemisphere"])
    assert "hemisphere" not in dataset.coords


def test_xarray_guesses_the_engine(tmp_path):
    tables(tmp_path)
    assert "volume" in xr.open_dataset(tmp_path)
    assert "volume" in xr.open_dataset(tmp_path / "lh.tsv")


ROWS = "Measure:volume\tLeft-Amygdala\tCSF\nsub-1\t1500.5\t900\nsub-2\t1400.5\t800\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ROWS + ROWS, r"row 4: the header is repeated, found 'Measure:volume'; remove this line"),
        (ROWS.replace("sub-2", "NaN"), r"row 3, .*: no participant, found 'NaN'; name the partic"),
        (ROWS.replace("\nsub-1", "\n"), r"row 2, .*: no participant, found ''; name the partici"),
        (ROWS.encode("utf-16"), "holds neither tables"),
    ],
)
def test_a_volume_table_that_names_nobody_or_itself_is_refused(tmp_path, content, message):
    path = tmp_path / "aseg.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        open_volumes(tmp_path).compute(scheduler="synchronous")


def test_nothing_of_freesurfer_is_lost_behind_a_link_or_a_folder(tmp_path):
    (tmp_path / "aseg.tsv").write_text(ROWS)
    link = tmp_path / "lh.aparc.volume.tsv"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(
        InputError, match=r"lh\.aparc\.volume\.tsv: a link to a missing file; fetch it"
    ):
        open_volumes(tmp_path)
    link.unlink()
    link.mkdir()
    with pytest.raises(InputError, match=r"lh.aparc.volume.tsv: is a folder, not a table; move"):
        open_volumes(tmp_path)
    stats = tmp_path / "subjects" / "sub-1" / "stats"
    stats.mkdir(parents=True)
    (stats / "aseg.stats").symlink_to(tmp_path / "gone")
    with pytest.raises(
        InputError, match=r"sub-1/stats/aseg\.stats: a link to a missing file; fetch it"
    ):
        open_volumes(tmp_path / "subjects").compute(scheduler="synchronous")
