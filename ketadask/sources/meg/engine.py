"""The engine ``ketadask-meg`` of xarray: a recording as one lazy labelled array."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from dask.base import tokenize
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from ketadask import names as nm
from ketadask.sources.meg.channels import Channels
from ketadask.sources.meg.compensation import missing_grade
from ketadask.sources.meg.recording import Recording, is_recording
from ketadask.sources.meg.time_index import time_coordinate

_FIELD, _LONG_NAMES = "magnetic field", {"uV": "scalp potential"}
BLOCK_SECONDS = 10.0


class LazyField(BackendArray):
    """Field (channel, time) that reads only what is indexed; pickles as a path."""

    def __init__(self, recording: Recording, grade: int | None) -> None:
        header = recording.header
        self.recording, self.grade = recording, grade
        self.shape = (len(header.channels.names), header.length)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Return the field at ``key``."""
        field: np.ndarray = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )
        return field

    def _read(self, key: tuple[Any, Any]) -> np.ndarray:
        rows, times = (self._positions(axis, index) for axis, index in enumerate(key))
        if np.size(times) == 0:
            return np.empty((*np.shape(rows), 0), dtype=self.dtype)
        first, last = int(np.min(times)), int(np.max(times))
        window = self._window(first, last + 1, np.atleast_1d(rows))
        window = window[:, np.atleast_1d(times) - first]
        return window.reshape((*np.shape(rows), *np.shape(times)))

    def _window(self, first: int, last: int, rows: np.ndarray) -> np.ndarray:
        return self.recording.read(first, last, rows=rows, grade=self.grade)

    def _positions(self, axis: int, index: Any) -> Any:
        length = self.shape[axis]
        if isinstance(index, slice):
            return np.arange(*index.indices(length))
        return np.arange(length)[index]


class LazyAuxiliary(LazyField):
    """The channels of one kind besides the field, (channel, time)."""

    def __init__(self, recording: Recording, kind: str) -> None:
        super().__init__(recording, None)
        self.kind = kind
        self.shape = (len(recording.header.auxiliary[kind]), recording.header.length)
        self.dtype = np.dtype(np.float64)

    def _window(self, first: int, last: int, rows: np.ndarray) -> np.ndarray:
        window: np.ndarray = self.recording.read_auxiliary(self.kind, first, last)[rows]
        return window


class MegBackend(BackendEntrypoint):
    """Open MEG by ``xr.open_dataset(path, engine="ketadask-meg", chunks={"time": 12000})``."""

    description = "MEG and EEG: CTF folders .ds through a memory map, other formats through mne"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "grade", "bads", "ch_type")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        grade: int | None = None,
        bads: Iterable[str] = (),
        ch_type: str = "",
    ) -> xr.Dataset:
        """Return the field in fT (channel, time) with the properties of every channel.

        Planar gradiometers are in fT/cm, electrodes in uV. Where the recording has them, ``ecg``,
        ``eog``, ``eeg`` (volts) and ``stim`` (event codes) have their own channels.

        Parameters
        ----------
        filename_or_obj
            A folder ``.ds`` or of BTi/4D, or a file ``.fif``, ``.con``, ``.sqd``, ``.edf``,
            ``.bdf``, ``.vhdr``, ``.set`` or ``.raw``; further files of a split one are
            included.
        drop_variables
            Variables and coordinates to drop.
        grade
            Gradient compensation 0 to 3; as recorded if None.
        bads
            Bad channels, besides those that the recording marks itself.
        ch_type
            ``meg`` or ``eeg``; by default MEG, or EEG where the recording has no MEG.
        """
        recording = Recording.at(filename_or_obj, ch_type)
        header = recording.header
        if grade not in (None, 0, header.grade, *header.comps):
            raise missing_grade(header.comps, int(grade or 0), recording.path)
        units = np.unique(header.channels.measurement_unit[header.channels.sensors])
        lazy = xr.Variable(
            (nm.CHANNEL, nm.TIME),
            indexing.LazilyIndexedArray(LazyField(recording, grade)),
            {"long_name": _LONG_NAMES.get(units[0], _FIELD), "units": " or ".join(units.tolist())},
        )
        attributes = {
            "rate": header.rate,
            "grade": header.grade if grade is None else grade,
            "trials": len(header.edges),
            "source": recording.path,
        }
        drops = [drop_variables] if isinstance(drop_variables, str) else drop_variables or []
        channels = header.channels.with_bads(bads)
        dataset = xr.Dataset({nm.FIELD: lazy}, channel_coordinates(channels), attributes)
        dataset = dataset.assign_coords(time_coordinate(header.length, header.rate))
        dataset = dataset.assign(_auxiliary_variables(recording))
        return dataset.drop_vars(list(drops), errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether the name is that of a MEG recording."""
        return isinstance(filename_or_obj, str | Path) and is_recording(Path(filename_or_obj))


def recording_blocks(dataset: xr.Dataset, seconds: float = BLOCK_SECONDS) -> xr.Dataset:
    """Return a recording as Dask arrays, in blocks of some seconds."""
    size = {nm.TIME: max(1, round(seconds * dataset.attrs["rate"]))}
    names = [name for name, variable in dataset.data_vars.items() if nm.TIME in variable.dims]
    dataset = dataset.assign({name: dataset[name].chunk(size) for name in names})
    return dataset.assign_attrs(field_token=_field_token(dataset))


def holds_its_file(dataset: xr.Dataset) -> bool:
    """Whether a dataset has exactly the sensors and values of the file it was opened from.

    Nothing is read. Where that cannot be proven the answer is no.
    """
    source = dataset.attrs.get("source")
    if nm.FIELD not in dataset or not source or not Path(source).exists():
        return False
    recording = Recording.at(source)
    header = recording.header
    channels = channel_coordinates(header.channels)
    same_size = dataset[nm.FIELD].dims == (nm.CHANNEL, nm.TIME) and dataset[nm.FIELD].shape == (
        len(header.channels.names),
        header.length,
    )
    if not same_size or not set(channels) <= set(dataset.coords):
        return False
    coordinates = {name: dataset[name].variable for name in (*channels, nm.TIME)}
    if any(variable.chunks is not None for variable in coordinates.values()):
        return False
    time = time_coordinate(header.length, header.rate)[nm.TIME].values
    same = np.array_equal(coordinates.pop(nm.TIME).values, time)
    # Further bad channels may be marked: they are read from the dataset.
    same &= bool((coordinates.pop("bad").values >= header.channels.bad).all())
    same &= all(
        _equal(variable.values, channels[name][1]) for name, variable in coordinates.items()
    )
    if dataset[nm.FIELD].chunks is not None:
        return same and dataset.attrs.get("field_token") == _field_token(dataset)
    return same and _is_whole_field(dataset[nm.FIELD].variable._data, recording)


def _field_token(dataset: xr.Dataset) -> str:
    """Return a token of the lazy field: Dask names an array by how it is computed."""
    return str(tokenize(dataset[nm.FIELD].data.name, Recording.at(dataset.attrs["source"])))


def _is_whole_field(data: Any, recording: Recording) -> bool:
    """Whether lazy data are all of the field of a recording, under any of xarray's wrappers."""
    while not isinstance(data, LazyField):
        if isinstance(data, indexing.LazilyIndexedArray):
            if any(not isinstance(index, slice) for index in data.key.tuple) or any(
                index.indices(size) != (0, size, 1)
                for index, size in zip(data.key.tuple, data.array.shape, strict=True)
            ):
                return False
        elif not isinstance(data, indexing.MemoryCachedArray | indexing.CopyOnWriteArray):
            return False
        data = data.array
    return not isinstance(data, LazyAuxiliary) and data.recording == recording


def _equal(values: np.ndarray, others: np.ndarray) -> bool:
    return np.array_equal(values, others, equal_nan=values.dtype.kind == "f")


def _auxiliary_variables(recording: Recording) -> dict[str, xr.Variable]:
    """Return the channels besides the field as lazy variables, each with the names of its own."""
    variables = {}
    for kind, names in recording.header.auxiliary.items():
        dim = f"{kind}_{nm.CHANNEL}"
        variables[dim] = xr.Variable(dim, np.array(names, dtype=np.str_))
        lazy = indexing.LazilyIndexedArray(LazyAuxiliary(recording, kind))
        units = {} if kind == "stim" else {"units": "V"}
        variables[kind] = xr.Variable((dim, nm.TIME), lazy, units)
    return variables


def channel_coordinates(channels: Channels) -> dict[str, Any]:
    """Return the coordinates of the channels: name, kind, region, hemisphere, position, bad."""
    x, y, z = channels.position.T
    coordinates: dict[str, Any] = {
        nm.CHANNEL: np.array(channels.names, dtype=np.str_),
        "kind": channels.kind,
        nm.REGION: channels.region,
        "hemisphere": channels.hemisphere,
        "measurement_unit": channels.measurement_unit,
        "x": x,
        "y": y,
        "z": z,
        "bad": channels.bad,
    }
    return {name: (nm.CHANNEL, values) for name, values in coordinates.items()}
