"""Sections of a profile: a job on a queue, the head job, and what single stages get instead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)
WALLTIME = r"^(\d+-)?\d{1,3}(:\d\d){1,2}$"
Walltime = Annotated[str, Field(pattern=WALLTIME)]


class _Section(BaseModel):
    model_config = _STRICT

    @field_validator("walltime", mode="before", check_fields=False)
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError("is read as a number; write it in quotes, for example '04:00:00'")
        return value

    @field_validator("memory", check_fields=False)
    @classmethod
    def _is_memory(cls, value: str | None) -> str | None:
        from dask.utils import parse_bytes

        if value is None:
            return None
        try:
            enough = parse_bytes(value) >= 300 * 2**20
        except ValueError:
            raise ValueError("not an amount of memory; write for example 4GiB") from None
        if not enough:
            raise ValueError("too little for Python to start; write at least 300MiB")
        return value


class _Asking(_Section):
    memory: str

    @property
    def mebibytes(self) -> int:
        """The memory in the unit queues are told it in."""
        from dask.utils import parse_bytes

        return int(parse_bytes(self.memory)) // 2**20


class Job(_Asking):
    """One job on the queue that holds workers."""

    partition: str | None = Field(default=None, description="partition or queue; the site's own")
    account: str | None = Field(default=None, description="account the time is charged to")
    walltime: Walltime = Field(default="04:00:00", description="time a job is asked for")
    memory: str = Field(default="4GiB", description="memory of a job, all its workers together")
    workers: Annotated[int, Field(ge=1, le=512)] = Field(
        default=1, description="worker processes in one job"
    )
    directives: tuple[str, ...] = Field(
        default=(), description="more lines for the queue, for example --constraint=avx2"
    )
    prologue: tuple[str, ...] = Field(
        default=(), description="shell lines before the worker, for example module load python"
    )
    python: Path | None = Field(
        default=None, description="Python of the compute nodes; this one if not given"
    )
    scratch: str = Field(
        default="${SLURM_TMPDIR:-${TMPDIR:-/tmp}}",
        description="node-local folder for what does not fit into memory",
    )
    interface: str | None = Field(
        default=None, description="network interface; the one that reaches the nodes if not given"
    )
    poll: Annotated[float, Field(gt=0, le=300)] = Field(
        default=10.0, description="seconds between two looks at the queue"
    )
    successor: Annotated[float, Field(ge=0)] = Field(
        default=300.0, description="seconds before a walltime ends at which a new job is submitted"
    )


class Head(_Asking):
    """The job that holds scheduler and study when a study is submitted."""

    partition: str | None = Field(
        default=None, description="partition; that of the workers if not given"
    )
    walltime: Walltime = Field(default="1-00:00:00", description="time the head job is asked for")
    memory: str = Field(default="4GiB", description="memory of the head job")
    directives: tuple[str, ...] = Field(
        default=(), description="more lines for the queue, for example --qos=long"
    )
    lead: Annotated[int, Field(ge=10, le=3600)] = Field(
        default=180, description="seconds before its walltime at which it stores and requeues"
    )


class Resources(_Section):
    """What the workers of one stage get; what is not given is as in the rest of the profile."""

    workers: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="number of workers in this stage"
    )
    memory: str | None = Field(
        default=None, description="memory of a job in this stage; of a worker without a queue"
    )
    partition: str | None = Field(default=None, description="partition or queue in this stage")
    walltime: Walltime | None = Field(default=None, description="time a job of it is asked for")
    directives: tuple[str, ...] | None = Field(
        default=None, description="more lines for the queue in this stage"
    )


class Stages(_Section):
    """Stages that need other workers than the rest; only workers of a stage get its tasks."""

    extract: Resources = Field(
        default_factory=Resources, description="recordings into features, one at a time"
    )
    search: Resources = Field(
        default_factory=Resources, description="splits, relabelled trials, chosen personas"
    )
    predict: Resources = Field(
        default_factory=Resources, description="folds and permutations of the predictor"
    )
