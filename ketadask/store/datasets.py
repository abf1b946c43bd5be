"""Datasets as zarr folders, written whole and read back only when every byte is as written."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.store.disk import (
    disk_errors,
    make_folder,
    set_aside,
    sync_folder,
    sync_tree,
    temporary_path,
)
from ketadask.store.fingerprints import file_hash, fingerprint

if TYPE_CHECKING:
    import xarray as xr

_CHECKSUM = ".checksum"


def write_dataset(path: Path, dataset: xr.Dataset) -> Path:
    """Write a dataset to a folder that appears complete or not at all.

    A missing text becomes the empty text; variables come back in alphabetical order.
    """
    make_folder(path.parent)
    temporary = temporary_path(path)
    with disk_errors(path.parent):
        try:
            # Format 2: format 3 has no settled form for texts and warns about each of them.
            _with_texts(dataset).to_zarr(temporary, mode="w", zarr_format=2, consolidated=True)
            (temporary / _CHECKSUM).write_text(_checksum(temporary))
            sync_tree(temporary)
            _exchange(temporary, path)
        finally:
            _remove(temporary)
    return path


def read_dataset(path: Path) -> xr.Dataset:
    """Read a dataset into memory; a damaged one is moved into ``damaged/`` beside it."""
    import xarray as xr

    if not path.is_dir():
        raise InputError("no such dataset", file=path, remedy="run the stage that makes it")
    if not is_whole(path):
        place = set_aside(path, path.parent / "damaged")
        raise InputError("the dataset is damaged", file=place, remedy="run again: it is made anew")
    with xr.open_zarr(path, consolidated=True, chunks=None) as dataset:
        loaded: xr.Dataset = dataset.load()
    return loaded


def is_whole(path: Path) -> bool:
    """Whether the dataset is there and every byte of it is as written."""
    try:
        return (path / _CHECKSUM).read_text() == _checksum(path)
    except (OSError, ValueError):
        return False


def _checksum(folder: Path) -> str:
    """Hash every file, also the hidden ones, in which zarr keeps shapes, types and attributes."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != _CHECKSUM)
    return fingerprint({file.relative_to(folder).as_posix(): file_hash(file) for file in files})


def _with_texts(dataset: xr.Dataset) -> xr.Dataset:
    """Give texts a fixed width: objects would have to be guessed, and dtypes come back changed."""
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
    """Remove what is left of a folder; zarr's own threads may write into it for a moment more."""
    for patience in (0.0, 0.05, 0.2, 1.0):
        time.sleep(patience)
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
