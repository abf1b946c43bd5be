"""Parts of recordings on disk, and their features as a table of participants and periods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.features.meg.registry import Feature, feature_set
from ketadask.features.meg.settings import MegSettings
from ketadask.pipeline.executor import load
from ketadask.schema.errors import InputError
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.recording import Recording
from ketadask.sources.visits import (
    NO_PERIOD,
    PERIODS,
    SHARED_BASELINE,
    VisitPattern,
    period_of_visit,
)
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts, Receipt

FAILURE = "failure"


def recording_parts(store: Path | str, settings: MegSettings) -> Parts:
    """Return the parts of recordings; their key holds the settings and the code."""
    key = fingerprint("meg", settings, code_version())
    return Parts(Path(store) / "recordings" / key[:12], key)


def part_name(file: RecordingFile) -> str:
    """Return the name of a recording's part; it changes with the recording and its sidecars."""
    try:
        stamp: Any = Recording.at(file.path).stamp
    except InputError as error:
        stamp = str(error.problem)
    sidecars = (file.bads, file.rate, file.mains, file.problem, file.anatomy, file.bad_spans)
    stamps = (stamp, *sidecars, file.ecg, file.choice)
    return f"{file.name}-{fingerprint(stamps)[:12]}"


def read_recordings(
    files: Sequence[RecordingFile],
    parts: Parts,
    settings: MegSettings,
    *,
    session_pattern: str = PERIODS,
    sequences: Mapping[str, str] | None = None,
) -> tuple[FeatureTable, pd.DataFrame, list[dict[str, Any]]]:
    """Return features by participant and period, a quality row per recording, and the failures."""
    values, quality, failures = [], [], []
    parcels: dict[str, Feature] = {}
    for file, receipt in _receipts(files, parts):
        row: dict[str, Any] = {
            nm.PARTICIPANT: file.participant,
            "session": file.session,
            nm.RECORDING: file.name,
        }
        if FAILURE in receipt.facts:
            failures.append({**row, "reason": str(receipt.facts[FAILURE])})
            continue
        quality.append(row | parts.read(receipt.name, "quality").iloc[0].to_dict())
        results = parts.read(receipt.name, "features")
        row |= dict(zip(results["feature"].tolist(), results["value"].tolist(), strict=True))
        if "parcels" in receipt.rows:
            table_rows = parts.read(receipt.name, "parcels").itertuples(index=False)
            for group, parcel, band, value in table_rows:
                feature = Feature(str(group), str(band), str(parcel), settings.modality)
                parcels[feature.name] = feature
                row[feature.name] = value
        values.append(row)
    features = (*feature_set(settings.features, settings.modality), *parcels.values())
    columns = [nm.PARTICIPANT, "session", *(feature.name for feature in features)]
    frame = pd.DataFrame(values, columns=columns)
    table = meg_table(frame, features, session_pattern=session_pattern, sequences=sequences)
    units = {row["measurement_unit"] for row in quality}
    if len(units) == 1:
        table = FeatureTable(table.values, describe_features(features, *units))
    return table, pd.DataFrame(quality), failures


def read_spectra(files: Sequence[RecordingFile], parts: Parts) -> pd.DataFrame:
    """Return the spectra of the usable recordings: recording, frequency, density."""
    tables = [
        parts.read(receipt.name, "spectrum").assign(**{nm.RECORDING: file.name})
        for file, receipt in _receipts(files, parts)
        if FAILURE not in receipt.facts
    ]
    if not tables:
        return pd.DataFrame(columns=[nm.RECORDING, "frequency", "density"])
    return pd.concat(tables, ignore_index=True)


def _receipts(files: Sequence[RecordingFile], parts: Parts) -> list[tuple[RecordingFile, Receipt]]:
    """Return the recordings that have a part, with its receipt."""
    receipts = parts.verify()
    names = {part_name(file): file for file in files}
    return [(file, receipts[name]) for name, file in names.items() if name in receipts]


def meg_table(
    values: pd.DataFrame,
    features: Sequence[Feature],
    *,
    session_pattern: str = PERIODS,
    sequences: Mapping[str, str] | None = None,
) -> FeatureTable:
    """Return MEG features by participant and period.

    Only recordings before an infusion count, on day 0 or earlier or of a shared baseline: later
    ones must not predict its outcome. Several before the same infusion are averaged. One that
    contradicts the sequence is not used.

    Parameters
    ----------
    values
        One row per recording: participant, session (may be empty), then one column per feature.
    features
        The features, in order.
    session_pattern
        As in ``read_phenotype``. A session that does not match it counts for both periods, if its
        participant has only one.
    sequences
        Arms in order of infusion per participant, needed where sessions are named by their arm.

    Examples
    --------
    >>> rows = pd.DataFrame({"participant": ["sub-1", "sub-1"], "session": ["ses-p1d0", "ses-p1d7"],
    ...                      "meg_peak_all": [10.0, 11.0]})
    >>> meg_table(rows, [Feature("peak", "", "all")]).at(["sub-1", "sub-1"], [1, 2]).ravel()
    array([10., nan])
    """
    sessions = values.groupby(nm.PARTICIPANT)["session"].nunique()
    periods = [
        _period(session, sessions[participant], session_pattern, (sequences or {}).get(participant))
        for participant, session in zip(values[nm.PARTICIPANT], values["session"], strict=True)
    ]
    is_baseline = np.array([period is not None for period in periods], dtype=bool)
    numbers = np.array([period for period in periods if period is not None], dtype=np.int64)
    baseline = values[is_baseline].assign(period=numbers)
    names = [feature.name for feature in features]
    means = baseline.groupby([nm.PARTICIPANT, "period"], sort=True)[names].mean()
    return FeatureTable(means, describe_features(features))


def dataset_table(
    dataset: xr.Dataset,
    *,
    session_pattern: str = PERIODS,
    sequences: Mapping[str, str] | None = None,
) -> FeatureTable:
    """Return the result of ``band_power`` as a table; this computes it."""
    dataset = load(dataset)
    values = pd.DataFrame(dataset["value"].values, columns=dataset[nm.FEATURE].values.tolist())
    values.insert(0, nm.PARTICIPANT, dataset[nm.PARTICIPANT].values.tolist())
    values.insert(1, "session", dataset["session"].values.tolist())
    features = feature_set(dataset.attrs["set"], dataset.attrs["modality"])
    return meg_table(values, features, session_pattern=session_pattern, sequences=sequences)


def empty_meg_table(features: Sequence[Feature]) -> FeatureTable:
    """Return the features without any participant, as a stand-in before recordings are measured.

    Examples
    --------
    >>> empty_meg_table([Feature("peak", "", "all")]).at(["sub-1"], [1])
    array([[nan]])
    """
    names = [feature.name for feature in features]
    index = pd.MultiIndex.from_arrays([[], []], names=[nm.PARTICIPANT, "period"])
    values = pd.DataFrame(columns=names, index=index, dtype=float)
    return FeatureTable(values, describe_features(features))


def describe_features(features: Sequence[Feature], unit: str = "fT") -> pd.DataFrame:
    """Return modality, kind, unit and label of every feature, for sensors of a unit.

    Examples
    --------
    >>> describe_features([Feature("power", "alpha", "all")], "fT/cm")["measurement_unit"].item()
    'log10 (fT/cm)2/Hz'
    """
    square = "fT2" if unit == "fT" else f"({unit})2"
    return pd.DataFrame(
        [
            (
                feature.modality,
                nm.CONTINUOUS,
                feature.measurement_unit.replace("fT2", square),
                feature.label,
            )
            for feature in features
        ],
        index=[feature.name for feature in features],
        columns=list(ABOUT),
    )


def _period(session: str, n_sessions: int, pattern: str, sequence: str | None) -> int | None:
    """Return the period of a recording, 0 for both, None where it does not precede an infusion."""
    if not session:
        return 0
    try:
        visit = VisitPattern(pattern).visit(session)
    except InputError:
        if n_sessions > 1:
            raise
        return 0
    period = period_of_visit(sequence or "", *visit)
    before = visit.day <= 0 or visit.arm == SHARED_BASELINE
    return period if before and period != NO_PERIOD else None
