"""Files become labelled data: who took part, rating scales, volumes of the brain, MEG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ketadask.sources.freesurfer import open_volumes
    from ketadask.sources.meg.collection import find_recordings, open_recordings
    from ketadask.sources.nda import read_nda
    from ketadask.sources.participants import read_participants
    from ketadask.sources.phenotype import read_phenotype
    from ketadask.sources.plain import PlainTable, read_tables

_HOMES = {
    "PlainTable": "plain",
    "find_recordings": "meg.collection",
    "open_recordings": "meg.collection",
    "open_volumes": "freesurfer",
    "read_nda": "nda",
    "read_participants": "participants",
    "read_phenotype": "phenotype",
    "read_tables": "plain",
}

__all__ = [
    "PlainTable",
    "find_recordings",
    "open_recordings",
    "open_volumes",
    "read_nda",
    "read_participants",
    "read_phenotype",
    "read_tables",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
