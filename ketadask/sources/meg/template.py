"""A template head for recordings without a forward solution: a sphere and 68 parcels in it.

``parcels.tsv`` has the middles of the parcels of Desikan et al. (2006, NeuroImage 31:968) on the
pial surface of fsaverage, in millimetres of the coordinates that its fiducials span: x through the
ears to the right, y through the nasion, z up. The sphere is fitted to its inner skull.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from ketadask.sources.meg.channels import bare_name

# Metres in the template's coordinates: the middle of its sphere, left ear, nasion, right ear.
_MIDDLE = np.array([-0.0014, 0.0087, 0.0494])
_FIDUCIALS = np.array([[-0.0825, 0.0, 0.0], [0.0, 0.114, 0.0], [0.0825, 0.0, 0.0]])
_CARDINAL = 1  # kind of mne's digitised points; their ident is 1, 2, 3 for left, nasion, right


@cache
def template_parcels() -> dict[str, tuple[float, float, float]]:
    """Return the middle of every parcel in metres, in the order of the table.

    Examples
    --------
    >>> len(template_parcels()), template_parcels()["cuneus-lh"]
    (68, (-0.004, -0.048, 0.061))
    """
    text = files("ketadask.sources.meg").joinpath("parcels.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return {name: (int(x) / 1e3, int(y) / 1e3, int(z) / 1e3) for name, x, y, z in rows}


def template_scale(measurement: Any) -> float | None:
    """Return the size of a head relative to the template's, None without its fiducials.

    Head coordinates are those of the fiducials, so that only the size is not known.
    """
    points = {
        int(point["ident"]): point["r"]
        for point in measurement["dig"] or ()
        if point["kind"] == _CARDINAL
    }
    if measurement["dev_head_t"] is None or set(points) != {1, 2, 3}:
        return None
    size = np.linalg.norm([points[ident] for ident in (1, 2, 3)])
    return float(size / np.linalg.norm(_FIDUCIALS))


def template_gain(measurement: Any, grade: int, names: Sequence[str], scale: float) -> np.ndarray:
    """Return the field of currents in the parcels: (sensor, parcel, direction), tesla per A m.

    Parameters
    ----------
    measurement
        ``info`` of mne, as recorded.
    grade
        Gradient compensation of the field.
    names
        (sensor,) names without serial numbers.
    scale
        As `template_scale` returns it.
    """
    import mne

    raw = mne.io.RawArray(np.zeros((len(measurement["chs"]), 1)), measurement, verbose="error")
    has_references = bool(len(mne.pick_types(raw.info, meg=False, ref_meg=True)))
    if has_references and grade != (raw.compensation_grade or 0):
        raw.apply_gradient_compensation(grade, verbose="error")
    full_names = {bare_name(name): name for name in raw.ch_names}
    middles = scale * np.array(list(template_parcels().values()))
    upward = np.tile([0.0, 0.0, 1.0], (len(middles), 1))
    sources = mne.setup_volume_source_space(
        pos={"rr": middles, "nn": upward}, sphere=(*scale * _MIDDLE, 0.2), sphere_units="m",
        mindist=0.0, verbose="error",
    )  # fmt: skip
    sphere = mne.make_sphere_model(scale * _MIDDLE, head_radius=None, verbose="error")
    forward = mne.make_forward_solution(
        raw.info, None, sources, sphere, meg=True, eeg=False, mindist=0.0,
        ignore_ref=not has_references, verbose="error",
    )  # fmt: skip
    sensors = [full_names[name] for name in names]
    forward = mne.pick_channels_forward(forward, sensors, ordered=True, verbose="error")
    gain: np.ndarray = forward["sol"]["data"].reshape(len(names), len(middles), 3)
    return gain
