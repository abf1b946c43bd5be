"""Datasets: complete or absent, read back unchanged, set aside when damaged."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketadask.schema.errors import InputError
from ketadask.store.run_folder import RunFolder


@pytest.fixture
def run(tmp_path):
    return RunFolder.make(tmp_path, "demo", "e" * 64)


@pytest.fixture
def cohort():
    table = pd.DataFrame({"participant": ["sub-1", "sub-22", "sub-1"], "period": [1, 1, 2]})
    return xr.Dataset(
        {
            "value": (("case", "feature"), np.array([[1.0, np.nan]] * 3)),
            "response": ("case", np.array([0.0, 1.0, np.nan])),
            "note": ("case", np.array(["a", "bb", ""], dtype=object)),
        },
        coords={
            "participant": ("case", table["participant"].to_numpy()),
            "period": ("case", table["period"].to_numpy()),
            "feature": np.array(["madrs_1", "Left-Amygdala"], dtype=object),
            "label": ("feature", ["reported sadness", "µ"]),
        },
        attrs={"outcome": "madrs", "day": 7, "response_threshold": 0.4},
    )


def test_reading_returns_the_dataset_without_a_warning(run, cohort):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = run.write_dataset("cohort", cohort)
        result = run.read_dataset("cohort")
    xr.testing.assert_equal(result, cohort)
    assert result.attrs == cohort.attrs
    assert result["period"].dtype == cohort["period"].dtype
    assert path.name == "cohort.zarr"
    assert run.has("cohort.zarr")


def test_a_missing_text_becomes_the_empty_text(run):
    for missing in (None, np.nan, pd.NA):
        texts = np.array(["a", missing], dtype=object)
        run.write_dataset("cohort", xr.Dataset(coords={"site": ("case", texts)}))
        assert run.read_dataset("cohort")["site"].values.tolist() == ["a", ""]


def test_dask_arrays(run, cohort):
    run.write_dataset("cohort", cohort.chunk(case=2))
    xr.testing.assert_equal(run.read_dataset("cohort"), cohort)


def test_writing_again_replaces(run, cohort):
    run.write_dataset("cohort", cohort)
    run.write_dataset("cohort", cohort.isel(case=[0]))
    assert run.read_dataset("cohort").sizes["case"] == 1
    assert sorted(file.name for file in run.path.iterdir()) == [
        "checksums.json",
        "cohort.zarr",
        "manifest.json",
    ]


def test_an_error_names_a_missing_dataset(run):
    assert not run.has("cohort.zarr")
    with pytest.raises(InputError, match=r"cohort\.zarr: no such dataset; run the stage"):
        run.read_dataset("cohort")


def files_of(path):
    return sorted(file for file in path.rglob("*") if file.is_file())


def test_damage_and_missing_files(run, cohort):
    for file in files_of(run.write_dataset("cohort", cohort)):
        content = file.read_bytes()
        half = len(content) // 2
        other = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        for damage in (other, content[:-1], None):
            file.unlink() if damage is None else file.write_bytes(damage)
            assert not run.has("cohort.zarr"), (file, damage)
        file.write_bytes(content)
        assert run.has("cohort.zarr")
    (run.path / "cohort.zarr" / ".zattrs").unlink()
    with pytest.raises(
        InputError, match=r"damaged/cohort\.zarr: the dataset is damaged; run again"
    ):
        run.read_dataset("cohort")
    assert (run.path / "damaged" / "cohort.zarr").is_dir()
    run.write_dataset("cohort", cohort)
    xr.testing.assert_equal(run.read_dataset("cohort"), cohort)
