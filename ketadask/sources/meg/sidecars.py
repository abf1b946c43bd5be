"""BIDS sidecars of a recording: bad channels, mains, what was said to be recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketadask.schema import InputError
from ketadask.sources.meg.channels import bare_name

if TYPE_CHECKING:
    import pandas as pd

_NEEDED = ("name", "type")


def read_channels(path: Path) -> pd.DataFrame:
    """Read ``*_channels.tsv``: one row per channel, text, with the name freed of its number."""
    import pandas as pd

    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be read ({str(error).splitlines()[0]})", file=path, remedy="check the file"
        ) from error
    for column in _NEEDED:
        if column not in table:
            raise InputError(
                f"has no column {column}", file=path, remedy="see the BIDS specification of MEG"
            )
    table["name"] = [bare_name(name) for name in table["name"]]
    return table


def bad_channels(table: pd.DataFrame) -> list[str]:
    """Return the channels whose status is bad.

    Examples
    --------
    >>> import pandas as pd
    >>> bad_channels(pd.DataFrame({"name": ["MLC11", "MLC12"], "status": ["good", "Bad"]}))
    ['MLC12']
    """
    if "status" not in table:
        return []
    bad = table["status"].str.strip().str.lower() == "bad"
    return [str(name) for name in table.loc[bad, "name"]]


def read_sidecar(path: Path) -> Mapping[str, Any]:
    """Read ``*_meg.json``."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be read ({str(error).splitlines()[0]})", file=path, remedy="check the file"
        ) from error
    if not isinstance(content, dict):
        raise InputError("is no table of keys", file=path, remedy="see the BIDS specification")
    return content


def mains_frequency(sidecar: Mapping[str, Any]) -> float | None:
    """Return PowerLineFrequency, None where it is not said.

    Examples
    --------
    >>> mains_frequency({"PowerLineFrequency": 60}), mains_frequency({"PowerLineFrequency": "n/a"})
    (60.0, None)
    """
    value = sidecar.get("PowerLineFrequency")
    return float(value) if isinstance(value, int | float) else None
