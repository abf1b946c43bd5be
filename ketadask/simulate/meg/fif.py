"""Simulated recordings as FIF files, written window by window through mne."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mne
import numpy as np

from ketadask.simulate.meg.helmet import Helmet
from ketadask.simulate.meg.signals import Field, MegTruth, simulated_field

_FEMTO = 1e-15
_GRADIOMETER, _REFERENCE_MAGNETOMETER = 5001, 5002
_GRADE_3 = 0x47334252  # "G3BR", how CTF calls the third-order compensation


class SimulatedRaw(mne.io.BaseRaw):  # type: ignore[misc]  # mne has no types
    """A simulated field as a recording of mne; windows are computed on demand."""

    def __init__(self, field: Field) -> None:
        super().__init__(
            _measurement(field.helmet, field.rate),
            last_samps=[field.length - 1],
            filenames=[None],
            raw_extras=[{"field": field}],
            orig_format="single",
            verbose="error",
        )

    def _read_segment_file(
        self, data: Any, idx: Any, fi: Any, start: Any, stop: Any, cals: Any, mult: Any
    ) -> None:
        window = self._raw_extras[fi]["field"].window(start, stop) * _FEMTO
        data[:] = window[idx] if mult is None else mult @ window


def write_recording(
    path: Path,
    helmet: Helmet,
    truth: MegTruth | None = None,
    *,
    seconds: float = 20.0,
    rate: float = 1200.0,
    seed: int = 0,
    split_size: str = "2GB",
) -> Path:
    """Write one simulated recording as FIF, split into files of at most ``split_size``.

    Examples
    --------
    >>> import tempfile
    >>> from ketadask.simulate.meg.helmet import helmet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_recording(Path(folder) / "sub-01_meg.fif", helmet(10), seconds=2)
    ...     int(mne.io.read_raw_fif(path, verbose="error").n_times)
    2400
    """
    field = simulated_field(helmet, truth or MegTruth(), seconds=seconds, rate=rate, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = SimulatedRaw(field)
    raw.save(
        path, buffer_size_sec=1.0, split_size=split_size, split_naming="bids", overwrite=True,
        verbose="error",
    )  # fmt: skip
    return path


def _measurement(helmet: Helmet, rate: float) -> mne.Info:
    names = [*helmet.names, *helmet.references]
    kinds = ["mag"] * len(helmet.names) + ["ref_meg"] * len(helmet.references)
    field = mne.create_info(names, rate, kinds, verbose="error")
    for channel, where in zip(field["chs"], helmet.position, strict=False):
        channel["loc"][:3] = where
        channel["coil_type"] = _GRADIOMETER
    for channel in field["chs"][len(helmet.names) :]:
        channel["coil_type"] = _REFERENCE_MAGNETOMETER
        channel["loc"][:3] = (0.0, 0.0, 0.3)
    if helmet.references:
        with field._unlock():  # mne offers no public way to give compensation to a measurement
            field["comps"] = [_compensation(helmet)]
    return field


def _compensation(helmet: Helmet) -> dict[str, Any]:
    rows, columns = helmet.weights.shape
    return {
        "ctfkind": _GRADE_3,
        "kind": 3,
        "save_calibrated": True,
        "rowcals": np.ones(rows),
        "colcals": np.ones(columns),
        "data": {
            "nrow": rows,
            "ncol": columns,
            "row_names": list(helmet.names),
            "col_names": list(helmet.references),
            "data": helmet.weights.copy(),
        },
    }
