"""Power of brain parcels where anatomy exists: beamformer weights on band covariances.

The time courses of thousands of sources are never made. A parcel's weights are one row over the
sensors, so its power in a band is ``w C w'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.features.meg import registry
from ketadask.features.meg.quality import Quality
from ketadask.features.meg.stream import Decimated
from ketadask.kernels.covariance import band_covariance
from ketadask.kernels.spectra import in_band
from ketadask.schema.errors import InputError
from ketadask.sources.meg.anatomy import Anatomy, read_forward, read_parcels
from ketadask.sources.meg.channels import bare_name

if TYPE_CHECKING:
    import pandas as pd

_REGULARISED = 0.05
_WINDOW_SEGMENTS = 1


def parcel_power(
    made: Decimated, quality: Quality, names: Sequence[str], anatomy: Anatomy, mains: float
) -> pd.DataFrame:
    """Return the power of every parcel in every band: columns parcel, band, value.

    Values are log10 of the power over what sensors of 1 fT2/Hz of independent noise would give; NaN
    where the segments are too short for a band.

    Parameters
    ----------
    made, quality
        The field, and what is bad in it.
    names
        (sensor,) names.
    anatomy
        Forward solution and parcels of the head.
    mains
        Hz; frequencies near it and its multiples are not used.
    """
    import pandas as pd

    good = np.flatnonzero(quality.good)
    covariance = _covariances(made, quality, good, mains)
    weights = parcel_weights(anatomy, covariance[0], [names[row] for row in good])
    rows = [
        (parcel, band, float(np.log10(power)) if (power := weight @ each @ weight) > 0 else np.nan)
        for parcel, weight in weights.items()
        for band, each in zip(registry.BANDS, covariance[1:], strict=True)
    ]
    return pd.DataFrame(rows, columns=["parcel", "band", "value"])


def parcel_weights(
    anatomy: Anatomy, covariance: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return by parcel the weights of the sensors, of unit length.

    A scalar beamformer of unit noise gain in the direction of most power (Sekihara & Nagarajan
    2008), regularised by 5 %; the sources of a parcel are joined by their first principal
    component, which needs their covariance and not their courses.

    Parameters
    ----------
    anatomy
        Forward solution and parcels.
    covariance
        (sensor, sensor) of the broad band.
    names
        (sensor,) names, in the order of the covariance.
    """
    filters, kept = _filters(anatomy, covariance, names)
    parcels = read_parcels(anatomy, len(filters))
    seen = covariance[np.ix_(kept, kept)]
    made = {}
    for parcel, members in parcels.items():
        mine = filters[members]
        _, vectors = np.linalg.eigh(mine @ seen @ mine.T)
        weight = np.zeros(len(names))
        weight[kept] = vectors[:, -1] @ mine
        made[parcel] = weight / np.linalg.norm(weight)
    return made


def _covariances(made: Decimated, quality: Quality, good: np.ndarray, mains: float) -> np.ndarray:
    """Return the covariance of the broad band, then of each band (1 + band, sensor, sensor)."""
    length = _WINDOW_SEGMENTS * quality.length
    frequency = np.fft.rfftfreq(length, 1 / made.rate)
    lines = [mains * k for k in range(1, 6)]
    masks = [
        in_band(frequency, *band, without=lines)
        for band in (registry.BROAD, *registry.BANDS.values())
    ]
    starts = quality.apart(_WINDOW_SEGMENTS)
    return band_covariance(made.field[good], starts, length, made.rate, masks)


def _filters(
    anatomy: Anatomy, covariance: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return beamformer weights (source, kept sensor), and which sensors the forward knows."""
    import mne

    forward = read_forward(anatomy)
    given = {bare_name(name): name for name in forward["sol"]["row_names"]}
    kept = np.array([row for row, name in enumerate(names) if name in given], dtype=np.int64)
    if kept.size < 2:
        raise InputError(
            "the forward solution knows none of the recording's sensors",
            file=anatomy.forward,
            remedy="make it for the helmet of this recording",
        )
    chosen = [given[names[row]] for row in kept]
    forward = mne.pick_channels_forward(forward, chosen, ordered=True, verbose="error")
    about = mne.create_info(chosen, 1.0, "mag", verbose="error")
    # mne's beamformer works in tesla; the unit of the covariance only scales the weights.
    data: Any = mne.Covariance(
        covariance[np.ix_(kept, kept)] * 1e-30, chosen, [], [], nfree=1, verbose="error"
    )
    found = mne.beamformer.make_lcmv(
        about, forward, data, reg=_REGULARISED, pick_ori="max-power",
        weight_norm="unit-noise-gain", reduce_rank=True, rank={"mag": kept.size}, verbose="error",
    )  # fmt: skip
    return np.asarray(found["weights"]), kept
