"""Parts of recordings: how they are named, and what all of them say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask import names as nm
from ketadask.features.meg.registry import PARCEL, Feature, features
from ketadask.features.meg.settings import MegSettings
from ketadask.features.meg.table import meg_table
from ketadask.schema import InputError
from ketadask.sources.meg.collection import Found
from ketadask.sources.meg.recording import Recording
from ketadask.sources.visits import PERIODS
from ketadask.store import Parts, code_version, fingerprint

if TYPE_CHECKING:
    import pandas as pd

    from ketadask.features.feature_table import FeatureTable

FAILURE = "failure"


def recording_parts(store: Path | str, settings: MegSettings) -> Parts:
    """Return where parts of recordings lie: their key holds the settings and the code."""
    key = fingerprint("meg", settings, code_version())
    return Parts(Path(store) / "recordings" / key[:12], key)


def part_name(found: Found) -> str:
    """Return the name of a recording's part; it changes with the recording and its sidecars."""
    try:
        stamp: Any = Recording.at(found.path).stamp
    except InputError as error:
        stamp = str(error.problem)
    said: tuple[Any, ...] = (stamp, found.bads, found.rate, found.mains, found.problem)
    said += (found.anatomy, found.bad_spans)
    return f"{found.name}-{fingerprint(said)[:12]}"


def read_recordings(
    found: Sequence[Found],
    parts: Parts,
    settings: MegSettings,
    *,
    visits: str = PERIODS,
    sequences: Mapping[str, str] | None = None,
) -> tuple[FeatureTable, pd.DataFrame, list[dict[str, str]]]:
    """Return features by participant and period, a quality row per recording, and the failures."""
    import pandas as pd

    values, quality, failures = [], [], []
    parcels: dict[str, Feature] = {}
    receipts = parts.finished()
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
    made = meg_table(frame, wanted, visits=visits, sequences=sequences)
    return made, pd.DataFrame(quality), failures


def read_spectra(found: Sequence[Found], parts: Parts) -> pd.DataFrame:
    """Return the spectra of the recordings that were measured: recording, frequency, density."""
    import pandas as pd

    receipts = parts.finished()
    named = [(each.name, receipts.get(part_name(each))) for each in found]
    tables = [
        parts.read(receipt.name, "spectrum").assign(**{nm.RECORDING: name})
        for name, receipt in named
        if receipt is not None and FAILURE not in receipt.facts
    ]
    if not tables:
        return pd.DataFrame(columns=[nm.RECORDING, "frequency", "density"])
    return pd.concat(tables, ignore_index=True)
