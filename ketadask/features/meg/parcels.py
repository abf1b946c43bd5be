"""Power of brain parcels where anatomy exists: beamformer weights on band covariances.

The time courses of thousands of sources are never computed. A parcel's weights are one row over
the sensors, so its power in a band is ``w C w'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ketadask.features.meg import registry
from ketadask.features.meg.quality import Quality
from ketadask.features.meg.stream import DecimatedField
from ketadask.kernels.covariance import band_covariance
from ketadask.kernels.spectra import in_band
from ketadask.schema.errors import InputError
from ketadask.sources.meg.anatomy import Anatomy, read_forward, read_parcels
from ketadask.sources.meg.channels import bare_name

if TYPE_CHECKING:
    import pandas as pd

_REGULARISATION = 0.05
_RANK_TOLERANCE = 1e-7
_WINDOW_SEGMENTS = 1


def parcel_power(
    data: DecimatedField, quality: Quality, names: Sequence[str], anatomy: Anatomy, mains: float
) -> pd.DataFrame:
    """Return the power of every parcel in every band: columns parcel, band, value.

    Values are log10 of the power relative to sensors with independent noise of 1 fT2/Hz; NaN where
    the segments are too short for a band.

    Parameters
    ----------
    data, quality
        The field, its bad sensors and segments.
    names
        (sensor,) names.
    anatomy
        Forward solution and parcels of the head.
    mains
        Hz; frequencies near it and its multiples are not used.
    """
    import pandas as pd

    good = np.flatnonzero(quality.good)
    broad, *covariances = _covariances(data, quality, good, mains)
    weights = parcel_weights(anatomy, broad, [names[row] for row in good.tolist()])
    rows = []
    for parcel, weight in weights.items():
        for band, covariance in zip(registry.BANDS, covariances, strict=True):
            power = weight @ covariance @ weight
            rows.append((parcel, band, float(np.log10(power)) if power > 0 else np.nan))
    return pd.DataFrame(rows, columns=["parcel", "band", "value"])


def parcel_weights(
    anatomy: Anatomy, covariance: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return by parcel the weights of the sensors, of unit length.

    A scalar beamformer of unit noise gain in the direction of most power (Sekihara & Nagarajan
    2008), regularised by 5 %; the sources of a parcel are combined by their first principal
    component, which needs only their covariance.

    Parameters
    ----------
    anatomy
        Forward solution and parcels.
    covariance
        (sensor, sensor) of the broad band.
    names
        (sensor,) names, in the order of the covariance.
    """
    filters, rows = _filters(anatomy, covariance, names)
    covariance = covariance[np.ix_(rows, rows)]
    weights = {}
    for parcel, sources in read_parcels(anatomy, len(filters)).items():
        own = filters[sources]
        _, vectors = np.linalg.eigh(own @ covariance @ own.T)
        weight = np.zeros(len(names))
        weight[rows] = vectors[:, -1] @ own
        weights[parcel] = weight / np.linalg.norm(weight)
    return weights


def _covariances(
    data: DecimatedField, quality: Quality, good: np.ndarray, mains: float
) -> np.ndarray:
    """Return the covariance of the broad band, then of each band (1 + band, sensor, sensor)."""
    length = _WINDOW_SEGMENTS * quality.length
    frequency = np.fft.rfftfreq(length, 1 / data.rate)
    lines = [mains * k for k in range(1, 6)]
    masks = [
        in_band(frequency, *band, without=lines)
        for band in (registry.BROAD, *registry.BANDS.values())
    ]
    starts = quality.disjoint_starts(_WINDOW_SEGMENTS)
    return band_covariance(data.field[good], starts, length, data.rate, masks)


def numeric_rank(covariance: np.ndarray) -> int:
    """Return the dimensions of a field, which signal space separation and projectors reduce.

    Rounding of float32 leaves 1e-8 of the largest eigenvalue in the others, the noise of sensors
    1e-5.

    Examples
    --------
    >>> numeric_rank(np.diag([4.0, 1.0, 1e-9]))
    2
    """
    values = np.linalg.eigvalsh(covariance)
    return int((values > _RANK_TOLERANCE * values[-1]).sum())


def _filters(
    anatomy: Anatomy, covariance: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return beamformer weights (source, sensor), and which sensors the forward solution has."""
    import mne

    forward = read_forward(anatomy)
    full_names = {bare_name(name): name for name in forward["sol"]["row_names"]}
    rows = np.array([row for row, name in enumerate(names) if name in full_names], dtype=np.int64)
    if rows.size < 2:
        raise InputError(
            "the forward solution has none of the recording's sensors",
            file=anatomy.forward,
            remedy="compute it for the helmet of this recording",
        )
    sensors = [full_names[names[row]] for row in rows.tolist()]
    forward = mne.pick_channels_forward(forward, sensors, ordered=True, verbose="error")
    measurement = mne.create_info(sensors, 1.0, "mag", verbose="error")
    rank = numeric_rank(covariance[np.ix_(rows, rows)])
    # mne's beamformer works in tesla; the unit of the covariance only scales the weights.
    data: Any = mne.Covariance(
        covariance[np.ix_(rows, rows)] * 1e-30, sensors, [], [], nfree=1, verbose="error"
    )
    filters = mne.beamformer.make_lcmv(
        measurement, forward, data, reg=_REGULARISATION, pick_ori="max-power",
        weight_norm="unit-noise-gain", reduce_rank=True, rank={"mag": rank}, verbose="error",
    )  # fmt: skip
    return np.asarray(filters["weights"]), rows
