"""Features of recordings as a table of participants and periods, for the cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.features.feature_table import ABOUT, FeatureTable
from ketadask.features.meg.registry import PARCEL, Feature, features
from ketadask.features.meg.settings import MegSettings
from ketadask.pipeline.executor import load
from ketadask.schema.errors import InputError
from ketadask.sources.meg.collection import RecordingFile
from ketadask.sources.meg.recording import Recording
from ketadask.sources.visits import PERIODS, SHARED, UNPLACED, VisitPattern, period_of_visit
from ketadask.store.fingerprints import code_version, fingerprint
from ketadask.store.parts import Parts

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.features.feature_table import FeatureTable


def meg_table(
    values: pd.DataFrame,
    wanted: Sequence[Feature],
    *,
    session_pattern: str = PERIODS,
    sequences: Mapping[str, str] | None = None,
) -> FeatureTable:
    """Return MEG features by participant and period.

    Only recordings made before an infusion count, on day 0 or earlier or of a shared baseline:
    what came after it must not foretell. Several before the same infusion are averaged. One that
    contradicts the sequence is used nowhere.

    Parameters
    ----------
    values
        One row per recording: participant, session (empty where there are none), then one column
        per feature name.
    wanted
        The features, in order.
    session_pattern
        Pattern of session names, as in ``read_phenotype``. A session it does not fit counts for
        both periods, if its participant has only one.
    sequences
        Arms in order of infusion per participant, needed where sessions are named by their arm.

    Examples
    --------
    >>> rows = pd.DataFrame({"participant": ["sub-1", "sub-1"], "session": ["ses-p1d0", "ses-p1d7"],
    ...                      "meg_peak_all": [10.0, 11.0]})
    >>> meg_table(rows, [Feature("peak", "", "all")]).at(["sub-1", "sub-1"], [1, 2]).ravel()
    array([10., nan])
    """
    names = [each.name for each in wanted]
    periods = [
        _period(row.participant, row.session, values, session_pattern, sequences or {})
        for row in values[[nm.PARTICIPANT, "session"]].itertuples(index=False)
    ]
    before = values.assign(period=periods).dropna(subset=["period"])
    before = before.astype({"period": int})
    table = before.groupby([nm.PARTICIPANT, "period"], sort=True)[names].mean()
    return FeatureTable(table, about(wanted))


def dataset_table(
    opened: xr.Dataset,
    *,
    session_pattern: str = PERIODS,
    sequences: Mapping[str, str] | None = None,
) -> FeatureTable:
    """Return what ``band_power`` returns as a table; this computes it."""
    opened = load(opened)
    values = pd.DataFrame(opened["value"].values, columns=opened[nm.FEATURE].values.tolist())
    values.insert(0, nm.PARTICIPANT, opened[nm.PARTICIPANT].values.tolist())
    values.insert(1, "session", opened["session"].values.tolist())
    wanted = features(opened.attrs["set"])
    return meg_table(values, wanted, session_pattern=session_pattern, sequences=sequences)


def unmeasured(wanted: Sequence[Feature]) -> FeatureTable:
    """Return the features without a value: what will be there once recordings are measured.

    Examples
    --------
    >>> unmeasured([Feature("peak", "", "all")]).at(["sub-1"], [1])
    array([[nan]])
    """
    names = [each.name for each in wanted]
    nobody = pd.MultiIndex.from_arrays([[], []], names=[nm.PARTICIPANT, "period"])
    return FeatureTable(pd.DataFrame(columns=names, index=nobody, dtype=float), about(wanted))


def about(wanted: Sequence[Feature]) -> pd.DataFrame:
    """Return what a reader is told of every feature."""
    return pd.DataFrame(
        [(nm.MEG, nm.CONTINUOUS, each.measurement_unit, each.label) for each in wanted],
        index=[each.name for each in wanted],
        columns=list(ABOUT),
    )


def _period(
    participant: str,
    session: str,
    values: pd.DataFrame,
    session_pattern: str,
    sequences: Mapping[str, str],
) -> int | None:
    """Return the period of a recording, 0 for both, None where it came after an infusion."""
    if not session:
        return 0
    try:
        visit = VisitPattern(session_pattern).visit(session)
    except InputError:
        sessions = set(values.loc[values[nm.PARTICIPANT] == participant, "session"])
        if len(sessions) > 1:
            raise
        return 0
    period = period_of_visit(sequences.get(participant, ""), *visit)
    before = visit.day <= 0 or visit.arm == SHARED
    return period if before and period != UNPLACED else None


FAILURE = "failure"


def recording_parts(store: Path | str, settings: MegSettings) -> Parts:
    """Return where parts of recordings lie: their key holds the settings and the code."""
    key = fingerprint("meg", settings, code_version())
    return Parts(Path(store) / "recordings" / key[:12], key)


def part_name(found: RecordingFile) -> str:
    """Return the name of a recording's part; it changes with the recording and its sidecars."""
    try:
        stamp: Any = Recording.at(found.path).stamp
    except InputError as error:
        stamp = str(error.problem)
    said: tuple[Any, ...] = (stamp, found.bads, found.rate, found.mains, found.problem)
    said += (found.anatomy, found.bad_spans)
    return f"{found.name}-{fingerprint(said)[:12]}"


def read_recordings(
    found: Sequence[RecordingFile],
    parts: Parts,
    settings: MegSettings,
    *,
    session_pattern: str = PERIODS,
    sequences: Mapping[str, str] | None = None,
) -> tuple[FeatureTable, pd.DataFrame, list[dict[str, str]]]:
    """Return features by participant and period, a quality row per recording, and the failures."""
    import pandas as pd

    values, quality, failures = [], [], []
    parcels: dict[str, Feature] = {}
    receipts = parts.verify()
    for each in found:
        receipt = receipts.get(part_name(each))
        if receipt is None:
            continue
        who = {nm.PARTICIPANT: each.participant, "session": each.session, nm.RECORDING: each.name}
        if FAILURE in receipt.facts:
            failures.append({**who, "reason": str(receipt.facts[FAILURE])})
            continue
        table = parts.read(receipt.name, "features")
        row = {**who, **dict(zip(table["feature"], table["value"], strict=True))}
        if "parcels" in receipt.rows:
            for parcel, band, value in parts.read(receipt.name, "parcels").itertuples(index=False):
                feature = Feature(PARCEL, band, parcel)
                parcels[feature.name] = feature
                row[feature.name] = value
        values.append(row)
        quality.append({**who, **parts.read(receipt.name, "quality").iloc[0].to_dict()})
    wanted = (*features(settings.features), *parcels.values())
    columns = [nm.PARTICIPANT, "session", *(each.name for each in wanted)]
    frame = pd.DataFrame(values, columns=columns)
    made = meg_table(frame, wanted, session_pattern=session_pattern, sequences=sequences)
    return made, pd.DataFrame(quality), failures


def read_spectra(found: Sequence[RecordingFile], parts: Parts) -> pd.DataFrame:
    """Return the spectra of the recordings that were measured: recording, frequency, density."""
    import pandas as pd

    receipts = parts.verify()
    named = [(each.name, receipts.get(part_name(each))) for each in found]
    tables = [
        parts.read(receipt.name, "spectrum").assign(**{nm.RECORDING: name})
        for name, receipt in named
        if receipt is not None and FAILURE not in receipt.facts
    ]
    if not tables:
        return pd.DataFrame(columns=[nm.RECORDING, "frequency", "density"])
    return pd.concat(tables, ignore_index=True)
