"""How features follow from recordings as lazy data, whatever a user did to them.

One row of features per recording. A recording that is provably what its file holds is one task that
streams the file. Of any other, windows of ten seconds are filtered and decimated in tasks of their
own, which overlap by the filter; a last task joins them at the lower rate, where bad sensors and
segments are known only after all of it, and measures it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask.delayed import Delayed, delayed

from ketadask import names as nm
from ketadask.features.meg.dataset_field import (
    block_of_field,
    dataset_header,
    dataset_recording,
    find_dataset_jumps,
    mean_field,
    measure_blocks,
    shift_spans,
)
from ketadask.features.meg.extraction import extract_features
from ketadask.features.meg.registry import feature_set
from ketadask.features.meg.settings import NONE, POWER, MegSettings
from ketadask.features.meg.stream import WINDOW, Decimation, ecg_position, neighbourhood
from ketadask.schema.errors import InputError
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.engine import BLOCK_SECONDS, holds_its_file

if TYPE_CHECKING:
    import xarray as xr


def meg_features(
    recordings: xr.DataTree | xr.Dataset, *, settings: MegSettings | None = None
) -> xr.Dataset:
    """Return features of recordings, lazily: nothing is read before ``compute``.

    A recording as it was opened is read from its file in one stream. One that was cropped, scaled,
    resampled, or reduced to some channels is measured as it is now, block by block.

    Parameters
    ----------
    recordings
        What ``open_recordings`` returns, a part of it, the result of its ``map_over_datasets``, or
        one recording.
    settings
        Which features to compute, and how to clean recordings.

    Returns
    -------
    ``value`` (recording, feature), one block per recording, NaN where a recording cannot be used;
    coordinates participant, session, and of features group, measurement_unit and label. Pass it to
    ``assemble``.

    Examples
    --------
    >>> import ketadask as kd
    >>> folder = kd.simulate_study("study", participants=2, meg_seconds=12)
    >>> first = kd.open_recordings(folder).sel(time=slice(0, 6))
    >>> kd.meg_features(first)["value"].sizes
    Frozen({'recording': 4, 'feature': 36})
    """
    import xarray as xr

    settings = replace(settings or MegSettings(), parcels=False)
    features = feature_set(settings.features, settings.modality)
    if isinstance(recordings, xr.Dataset):
        datasets = [(dataset_recording(recordings), recordings)]
    else:
        nodes = [node for node in recordings.leaves if nm.FIELD in node.data_vars]
        datasets = [
            (dataset_recording(node.dataset, node.path.split("/")), node.to_dataset())
            for node in nodes
        ]
    files = [file for file, _ in datasets]
    tasks = [_feature_values(file, dataset, settings) for file, dataset in datasets]
    rows = [da.from_delayed(task, (len(features),), np.float64) for task in tasks]  # type: ignore[no-untyped-call]
    value = da.stack(rows) if rows else da.empty((0, len(features)))  # type: ignore[no-untyped-call]
    coordinates = {
        nm.RECORDING: (nm.RECORDING, [file.name for file in files]),
        nm.PARTICIPANT: (nm.RECORDING, [file.participant for file in files]),
        "session": (nm.RECORDING, [file.session for file in files]),
        nm.FEATURE: (nm.FEATURE, [feature.name for feature in features]),
        "group": (nm.FEATURE, [feature.group for feature in features]),
        "measurement_unit": (nm.FEATURE, [feature.measurement_unit for feature in features]),
        "label": (nm.FEATURE, [feature.label for feature in features]),
    }
    return xr.Dataset(
        {"value": ((nm.RECORDING, nm.FEATURE), value)},
        {name: (dim, np.array(text, dtype=np.str_)) for name, (dim, text) in coordinates.items()},
        {"set": settings.features, "modality": settings.modality},
    )


def band_power(
    recordings: xr.DataTree | xr.Dataset, *, settings: MegSettings | None = None
) -> xr.Dataset:
    """Return band power of recordings, lazily: `meg_features` of the set ``power``.

    Examples
    --------
    >>> import ketadask as kd
    >>> folder = kd.simulate_study("study", participants=2, meg_seconds=12)
    >>> power = kd.band_power(kd.open_recordings(folder))
    >>> power["value"].dims, power["value"].chunks is not None
    (('recording', 'feature'), True)
    """
    return meg_features(recordings, settings=settings or MegSettings(features=POWER))


def _feature_values(file: RecordingFile, dataset: xr.Dataset, settings: MegSettings) -> Delayed:
    """Return the task of one recording, from its file where the dataset holds that, else from it.

    Blocks of ten seconds overlap by the filter; they are joined at the lower rate.
    """
    measure: Callable[..., Delayed] = delayed(_values, pure=True)
    if holds_its_file(dataset):
        return measure(settings, extract_features, file, settings)
    header, block = dataset_header(dataset, file), delayed(block_of_field, pure=True)
    plan = Decimation.of(header, settings, file.path or file.name)
    plan_node = delayed(plan, traverse=False, pure=True)
    field = dataset[nm.FIELD].transpose(nm.CHANNEL, nm.TIME)
    if field.chunks is None:
        field = field.chunk({nm.TIME: round(BLOCK_SECONDS * plan.rate)})
    raw = field.data[plan.inputs]
    jumps = delayed(find_dataset_jumps, pure=True)(
        header.edges,
        [field.data[plan.rows][:, slice(*neighbourhood(e, plan.length))] for e in header.edges],
    )
    offset = delayed(mean_field, pure=True)(raw[:, : round(WINDOW * plan.rate)])
    step = max(1, round(BLOCK_SECONDS * plan.rate) // plan.factor)
    blocks = []
    for first in range(0, plan.n_values, step):
        window = first, min(first + step, plan.n_values)
        start, stop = plan.support(*window)
        start, stop = max(start, 0), min(stop, plan.length)
        blocks.append(block(raw[:, start:stop], start, window, plan_node, jumps, offset))
    bad = dataset["bad"].data if dataset["bad"].chunks is not None else None
    ecg = ecg_position(header.auxiliary, file.ecg) if settings.cardiac_artefact != NONE else None
    course = None if ecg is None else dataset[ecg[0]].isel({f"{ecg[0]}_{nm.CHANNEL}": ecg[1]}).data
    span = float(dataset[nm.TIME].values[0]), plan.length / plan.rate
    # What the measures below do not need is large.
    header = replace(
        header, comps={}, measurement=None, bad_spans=shift_spans(header.bad_spans, *span)
    )
    file = replace(file, bad_spans=shift_spans(file.bad_spans, *span))
    return measure(
        settings, measure_blocks, blocks, plan_node, jumps, header, file, settings, bad, course
    )


def _values(settings: MegSettings, measure: Callable[..., Any], *args: Any) -> np.ndarray:
    try:
        return np.asarray(measure(*args).features["value"], dtype=np.float64)
    except InputError:
        return np.full(len(feature_set(settings.features, settings.modality)), np.nan)
