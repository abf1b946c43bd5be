"""The section of a study's YAML file that changes speed and never a number."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator

from ketadask.config.sections import Section, Whole

_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}


def amount(text: str) -> int:
    """Return an amount of memory in bytes.

    Examples
    --------
    >>> amount("2GB"), amount("1.5 GiB")
    (2000000000, 1610612736)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([KMGT])(i?)B\s*", text, re.IGNORECASE)
    if found is None:
        raise ValueError(f"{text!r} is not an amount of memory; write for example 2GB")
    base = 1024 if found[3] else 1000
    return int(float(found[1]) * base ** _UNITS[found[2].upper()])


class Execution(Section):
    """What changes speed and never a number."""

    block: Whole | None = Field(
        default=None, description="splits or relabellings per task; measured if not given"
    )
    task_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="length a task should have when block is measured"
    )
    memory: str = Field(
        default="2GB",
        description="memory of a process that searches; larger cohorts are searched in blocks",
    )

    @field_validator("memory")
    @classmethod
    def _is_memory(cls, value: str) -> str:
        if amount(value) < 300 * 10**6:
            raise ValueError("too little for a search; write at least 300MB")
        return value

    @property
    def memory_bytes(self) -> int:
        """The memory as a number of bytes."""
        return amount(self.memory)
