"""Runs on disk: fingerprints, the run folder, parts written whole, what is left to do."""

from ketadask.store.fingerprints import code_version, file_hash, fingerprint
from ketadask.store.locks import Owner
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import Range, blocks, choose, gaps, parse_range, range_name
from ketadask.store.runs import RunFolder

__all__ = [
    "Owner",
    "Parts",
    "Range",
    "Receipt",
    "RunFolder",
    "blocks",
    "choose",
    "code_version",
    "file_hash",
    "fingerprint",
    "gaps",
    "parse_range",
    "range_name",
]
