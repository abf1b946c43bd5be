"""The engine ``ketadask-meg`` of xarray: a recording as one lazy labelled array."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from ketadask import names as nm
from ketadask.schema.errors import InputError
from ketadask.sources.meg.channels import Channels
from ketadask.sources.meg.compensation import HIGHEST
from ketadask.sources.meg.recording import Recording, is_recording
from ketadask.sources.meg.time_index import time_coordinate


class LazyField(BackendArray):
    """Field (channel, time) of which only what is indexed is read; pickles as a path."""

    def __init__(self, recording: Recording, grade: int | None) -> None:
        header = recording.header
        self.recording, self.grade = recording, grade
        self.shape = (len(header.channels.names), header.length)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Return the field at ``key``."""
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, Any]) -> np.ndarray:
        rows, times = key
        row_numbers = np.arange(self.shape[0])[rows]
        chosen = np.arange(self.shape[1])[times] if not isinstance(times, slice) else None
        if chosen is None:
            start, stop, step = times.indices(self.shape[1])
            chosen = np.arange(start, stop, step)
        many = np.atleast_1d(chosen)
        if many.size == 0:
            return np.empty((*np.shape(row_numbers), 0), dtype=self.dtype)
        first, last = int(many.min()), int(many.max())
        window = self.recording.read(
            first, last + 1, rows=np.atleast_1d(row_numbers), grade=self.grade
        )
        window = window[:, many - first]
        return window.reshape((*np.shape(row_numbers), *np.shape(chosen)))


class MegBackend(BackendEntrypoint):
    """Open MEG by ``xr.open_dataset(path, engine="ketadask-meg", chunks={"time": 12000})``."""

    description = "MEG recordings: CTF folders .ds through a memory map, .fif through mne"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "grade", "bads")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        grade: int | None = None,
        bads: Iterable[str] = (),
    ) -> xr.Dataset:
        """Return the field in fT (channel, time) with what is known of every channel.

        Parameters
        ----------
        filename_or_obj
            A folder ``.ds`` or a file ``.fif``; the further files of a split one are found.
        drop_variables
            Variables and coordinates left out.
        grade
            Gradient compensation 0 to 3; as recorded if None.
        bads
            Channels known to be bad, besides those the recording names itself.
        """
        recording = Recording.at(filename_or_obj)
        header = recording.header
        if grade is not None and not (grade == header.grade or grade in (0, *header.comps)):
            raise InputError(
                "the recording has no such gradient compensation",
                file=recording.path,
                where="grade",
                value=grade,
                remedy=f"choose one of {sorted({0, *(g for g in header.comps if g <= HIGHEST)})}",
            )
        lazy = xr.Variable(
            (nm.CHANNEL, nm.TIME),
            indexing.LazilyIndexedArray(LazyField(recording, grade)),
            {"long_name": "magnetic field", "units": "fT"},
        )
        attributes = {
            "rate": header.rate,
            "grade": header.grade if grade is None else grade,
            "trials": len(header.edges),
            "source": recording.path,
        }
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or []
        channels = header.channels.with_bads(bads)
        dataset = xr.Dataset({nm.FIELD: lazy}, channel_coordinates(channels), attributes)
        dataset = dataset.assign_coords(time_coordinate(header.length, header.rate))
        return dataset.drop_vars(list(dropped), errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether the name is that of a MEG recording."""
        return isinstance(filename_or_obj, str | Path) and is_recording(Path(filename_or_obj))


def channel_coordinates(channels: Channels) -> dict[str, Any]:
    """Return the coordinates of the channels: name, kind, region, hemisphere, position, bad."""
    x, y, z = channels.position.T
    of_channel: dict[str, Any] = {
        nm.CHANNEL: np.array(channels.names, dtype=np.str_),
        "kind": channels.kind,
        nm.REGION: channels.region,
        "hemisphere": channels.hemisphere,
        "measure": channels.measure,
        "x": x,
        "y": y,
        "z": z,
        "bad": channels.bad,
    }
    return {name: (nm.CHANNEL, values) for name, values in of_channel.items()}
