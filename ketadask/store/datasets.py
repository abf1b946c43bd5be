"""Datasets as zarr folders with a checksum: complete or absent, verified before they are read."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketadask import names as nm
from ketadask.schema.cohort import Cohort
from ketadask.schema.errors import InputError
from ketadask.schema.tables import EXCLUSIONS
from ketadask.store.disk import (
    disk_errors,
    make_folder,
    set_aside,
    sync_folder,
    sync_tree,
    temporary_path,
)
from ketadask.store.fingerprints import file_hash, fingerprint
from ketadask.store.json_values import to_json_value

if TYPE_CHECKING:
    import xarray as xr

_CHECKSUM = ".checksum"
_VISIT, _CASE = "visit", (nm.PARTICIPANT, "period")
_FACTS = ("exclusions", "flow", "findings", "dropped", "columns")


def write_dataset(path: Path, dataset: xr.Dataset) -> Path:
    """Write a dataset to a folder that appears complete or not at all.

    A missing text becomes the empty text; variables come back in alphabetical order.
    """
    make_folder(path.parent)
    temporary = temporary_path(path)
    with disk_errors(path.parent):
        try:
            # Format 2: format 3 has no standard for texts and warns about each of them.
            _with_texts(dataset).to_zarr(temporary, mode="w", zarr_format=2, consolidated=True)
            (temporary / _CHECKSUM).write_text(_checksum(temporary))
            sync_tree(temporary)
            _exchange(temporary, path)
        finally:
            _remove(temporary)
    return path


def read_dataset(path: Path) -> xr.Dataset:
    """Read a dataset into memory; move a damaged one into ``damaged/`` beside it."""
    import xarray as xr

    if not path.is_dir():
        raise InputError("no such dataset", file=path, remedy="run the stage that computes it")
    if not is_intact(path):
        damaged_path = set_aside(path, path.parent / "damaged")
        raise InputError(
            "the dataset is damaged", file=damaged_path, remedy="run again to compute it again"
        )
    dataset: xr.Dataset
    with xr.open_zarr(path, consolidated=True, chunks=None) as dataset:
        return dataset.load()


def to_dataset(cohort: Cohort) -> xr.Dataset:
    """Return a cohort as one dataset: courses are variables, other facts texts of JSON.

    See `from_dataset` for the way back.
    """
    cases = _case_index(cohort.dataset)
    keys = zip(*(cohort.courses[name] for name in _CASE), strict=True)
    case = np.array([cases[who, period] for who, period in keys], dtype=np.int64)
    courses = {
        "course_case": (_VISIT, case),
        "course_day": (_VISIT, cohort.courses["day"].to_numpy(dtype=np.int64)),
        "course_score": (_VISIT, cohort.courses["score"].to_numpy(dtype=np.float64)),
    }
    facts = {
        "exclusions": cohort.exclusions.to_dict("records"),
        "flow": cohort.flow,
        "findings": cohort.findings,
        "dropped": cohort.dropped,
        "columns": cohort.columns,
    }
    texts = {name: json.dumps(to_json_value(fact)) for name, fact in facts.items()}
    return cohort.dataset.assign(courses).assign_attrs(texts)


def from_dataset(dataset: xr.Dataset) -> Cohort:
    """Return the cohort that `to_dataset` made a dataset of."""
    import pandas as pd

    attrs = dict(dataset.attrs)
    facts = {name: json.loads(attrs.pop(name)) for name in _FACTS}
    exclusions = pd.DataFrame(facts["exclusions"], columns=list(EXCLUSIONS.columns))
    case = dataset["course_case"].to_numpy()
    courses = {name: dataset[name].to_numpy()[case] for name in (*_CASE, nm.ARM)}
    courses |= {name: dataset[f"course_{name}"].to_numpy() for name in ("day", "score")}
    cohort = dataset.drop_dims(_VISIT)
    cohort.attrs = attrs
    return Cohort(
        cohort,
        exclusions=exclusions.astype({"period": np.int64}),  # no rows, no type
        flow=facts["flow"],
        findings=facts["findings"],
        dropped=facts["dropped"],
        columns=facts["columns"],
        courses=pd.DataFrame(courses),
    )


def _case_index(dataset: xr.Dataset) -> dict[tuple[str, int], int]:
    pairs = zip(*(dataset[name].to_numpy().tolist() for name in _CASE), strict=True)
    return {pair: index for index, pair in enumerate(pairs)}


def is_intact(path: Path) -> bool:
    """Whether the dataset exists and matches its checksum."""
    try:
        return (path / _CHECKSUM).read_text() == _checksum(path)
    except (OSError, ValueError):
        return False


def _checksum(folder: Path) -> str:
    """Hash every file; hidden ones hold shapes, types and attributes."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != _CHECKSUM)
    return fingerprint({file.relative_to(folder).as_posix(): file_hash(file) for file in files})


def _with_texts(dataset: xr.Dataset) -> xr.Dataset:
    """Give texts a fixed width, because zarr returns objects with another dtype."""
    texts = {
        name: (variable.dims, _text(variable.values), variable.attrs)
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "OT"
    }
    coordinates = {name: text for name, text in texts.items() if name in dataset.coords}
    variables = {name: text for name, text in texts.items() if name in dataset.data_vars}
    return dataset.assign(variables).assign_coords(coordinates)


def _text(values: np.ndarray) -> np.ndarray:
    import pandas as pd

    values = values.astype(object)
    return np.where(pd.isna(values), "", values).astype("U")


def _remove(folder: Path) -> None:
    """Remove a folder into which threads of zarr may still be writing."""
    for pause in (0.0, 0.05, 0.2, 1.0):
        time.sleep(pause)
        if not folder.exists():
            return
        shutil.rmtree(folder, ignore_errors=True)


def _exchange(new: Path, path: Path) -> None:
    old = temporary_path(path)
    with contextlib.suppress(FileNotFoundError):
        path.rename(old)
    new.rename(path)
    sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)
