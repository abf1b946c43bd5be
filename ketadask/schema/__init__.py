"""Contract of every dataset and table: what columns exist, of which type, meaning what."""

from ketadask.schema.checks import Column, DatasetContract, TableContract
from ketadask.schema.datasets import COHORT, UNITS
from ketadask.schema.errors import InputError, nearest
from ketadask.schema.tables import (
    EXCLUSIONS,
    HITS,
    LEFT_OUT,
    LITERALS,
    NULLS,
    SEARCHES,
    SUMMARIES,
    TRIALS,
    VERDICTS,
)

__all__ = [
    "COHORT",
    "EXCLUSIONS",
    "HITS",
    "LEFT_OUT",
    "LITERALS",
    "NULLS",
    "SEARCHES",
    "SUMMARIES",
    "TRIALS",
    "UNITS",
    "VERDICTS",
    "Column",
    "DatasetContract",
    "InputError",
    "TableContract",
    "nearest",
]
