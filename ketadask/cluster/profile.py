"""The cluster profile: keys of the YAML file that says where a study runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# Workers store next to nothing that could be spilled, and dask never resumes one that is paused
# for good. Here workers go on, and the nanny restarts one at its memory limit.
NO_PAUSING = {f"distributed.worker.memory.{name}": False for name in ("target", "spill", "pause")}

# Dask sends a task to the worker that stores its problem. Tasks take seconds, so an idle worker
# should fetch the problem at once, not after the second that dask waits before it steals work.
LONG_TASKS = {
    "distributed.scheduler.unknown-task-duration": "10s",
    "distributed.scheduler.work-stealing-interval": "100ms",
    "distributed.admin.large-graph-warning-threshold": "2GiB",
}

# Lines of a profile that cannot contain a password; provenance does not record any others.
_RECORDED = {
    "prologue": r"(module|conda|source|\.) [\w./ +-]+",
    "directives": r"-{0,2}(constraint|qos|nodelist|exclude|gres|reservation|exclusive)\b.*",
}

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)
WALLTIME = r"^(\d+-)?\d{1,3}(:\d\d){1,2}$"
Walltime = Annotated[str, Field(pattern=WALLTIME)]


class _Section(BaseModel):
    model_config = _STRICT

    @field_validator("walltime", mode="before", check_fields=False)
    @classmethod
    def _require_quotes(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError("is read as a number; write it in quotes, for example '04:00:00'")
        return value

    @field_validator("memory", check_fields=False)
    @classmethod
    def _check_memory(cls, value: str | None) -> str | None:
        if value is not None:
            _check_size(value, 300, "too little for Python to start", "4GiB")
        return value


class _MemorySection(_Section):
    memory: str

    @property
    def mebibytes(self) -> int:
        """The memory in the unit of job queues."""
        from dask.utils import parse_bytes

        return int(parse_bytes(self.memory)) // 2**20


def _check_size(value: str, mebibytes: int, problem: str, example: str) -> None:
    from dask.utils import parse_bytes

    try:
        size = parse_bytes(value)
    except (ValueError, OverflowError):
        raise ValueError(f"not an amount of memory; write for example {example}") from None
    if size < mebibytes * 2**20:
        raise ValueError(f"{problem}; write at least {mebibytes}MiB")


class JobSettings(_MemorySection):
    """A job on the queue that runs workers."""

    partition: str | None = Field(
        default=None, description="partition or queue; default of the site"
    )
    account: str | None = Field(default=None, description="account to which the time is charged")
    walltime: Walltime = Field(default="04:00:00", description="maximum run time of a job")
    memory: str = Field(default="4GiB", description="memory of a job, for all its workers together")
    workers: Annotated[int, Field(ge=1, le=512)] = Field(
        default=1, description="worker processes in one job"
    )
    directives: tuple[str, ...] = Field(
        default=(), description="further options for the queue, for example --constraint=avx2"
    )
    prologue: tuple[str, ...] = Field(
        default=(), description="shell commands before the worker, for example module load python"
    )
    python: Path | None = Field(
        default=None, description="Python on the compute nodes; default: this Python"
    )
    scratch: str = Field(
        default="${SLURM_TMPDIR:-${TMPDIR:-/tmp}}",
        description="node-local folder for temporary files",
    )
    interface: str | None = Field(
        default=None, description="network interface; default: the one that reaches the nodes"
    )
    poll: Annotated[float, Field(gt=0, le=300)] = Field(
        default=10.0, description="seconds between two polls of the queue"
    )
    renew_seconds: Annotated[float, Field(ge=0)] = Field(
        default=300.0, description="seconds before the end of a job at which the next is submitted"
    )


class HeadJobSettings(_MemorySection):
    """The job that runs scheduler and study when a study is submitted."""

    partition: str | None = Field(
        default=None, description="partition; default: that of the workers"
    )
    walltime: Walltime = Field(default="1-00:00:00", description="maximum run time of the head job")
    memory: str = Field(default="4GiB", description="memory of the head job")
    directives: tuple[str, ...] = Field(
        default=(), description="further options for the queue, for example --qos=long"
    )
    requeue_seconds: Annotated[int, Field(ge=10, le=3600)] = Field(
        default=180, description="seconds before its end at which it stores results and requeues"
    )


class Resources(_Section):
    """The workers of one stage; defaults are those of the rest of the profile."""

    workers: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="number of workers in this stage"
    )
    memory: str | None = Field(
        default=None, description="memory of a job in this stage; of a worker if kind is local"
    )
    partition: str | None = Field(default=None, description="partition or queue in this stage")
    walltime: Walltime | None = Field(
        default=None, description="maximum run time of a job in this stage"
    )
    directives: tuple[str, ...] | None = Field(
        default=None, description="further options for the queue in this stage"
    )


class Stages(_Section):
    """Stages with workers of their own, which compute no other stage."""

    extract: Resources = Field(
        default_factory=Resources, description="features of recordings, one at a time"
    )
    search: Resources = Field(
        default_factory=Resources, description="splits, relabelled trials, selected personas"
    )
    predict: Resources = Field(
        default_factory=Resources, description="folds and permutations of the predictor"
    )


Kind = Literal[
    "synchronous",
    "threads",
    "local",
    "address",
    "current",
    "slurm",
    "pbs",
    "lsf",
    "sge",
    "htcondor",
]
STAGES: tuple[str, ...] = tuple(Stages.model_fields)
QUEUES = ("slurm", "pbs", "lsf", "sge", "htcondor")


class Profile(BaseModel):
    """Where a study runs; no key of a profile can change a result."""

    model_config = _STRICT

    kind: Kind = Field(
        default="local",
        description="one thread, threads, local processes, the address of a scheduler, the current "
        "Client of a notebook (threads without one), or a queue",
    )
    workers: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="number of workers; default: number of cores"
    )
    threads_per_worker: Annotated[int, Field(ge=1)] = Field(
        default=1, description="parallel tasks per worker"
    )
    memory_limit: str = Field(
        default="auto", description="memory of one worker, for example 2GiB; auto: equal parts"
    )
    dashboard: bool | None = Field(
        default=None,
        description="serve Dask's dashboard on this machine; default: in a terminal only",
    )
    address: str | None = Field(
        default=None, description="address of a running scheduler, for example tcp://host:8786"
    )
    certificates: Path | None = Field(
        default=None,
        description="folder with ca.pem, cert.pem and key.pem for an address that begins with tls",
    )
    job: JobSettings = Field(
        default_factory=JobSettings, description="a job that runs workers, on a queue"
    )
    head: HeadJobSettings = Field(
        default_factory=HeadJobSettings, description="the job of a submitted study"
    )
    stages: Stages = Field(
        default_factory=Stages, description="stages whose workers need more or less than others"
    )
    minimum_workers: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="on a queue, release idle workers down to this number; default: none",
    )
    listen_without_encryption_on_the_network: bool = Field(
        default=False,
        description="let anyone on the network run code as you; unsafe on a shared machine",
    )
    allowed_failures: Annotated[int, Field(ge=0)] = Field(
        default=3, description="workers that may die during a task before the task fails"
    )

    @field_validator("memory_limit")
    @classmethod
    def _check_limit(cls, value: str) -> str:
        if value != "auto":
            _check_size(value, 64, "too little for a worker to start", "2GiB, or auto")
        return value

    @model_validator(mode="after")
    def _check_kind(self) -> Profile:
        for name in ("job", "head", "minimum_workers", "listen_without_encryption_on_the_network"):
            if name in self.model_fields_set and self.kind not in QUEUES:
                raise ValueError(f"kind {self.kind} takes no {name}; set kind to slurm")
        self._check_stages()
        if self.kind in QUEUES and self.workers is None:
            raise ValueError(f"kind {self.kind} needs a number of workers; add `workers: 4`")
        if self.kind == "address" and self.address is None:
            raise ValueError("kind address needs an address; add `address: tcp://HOST:PORT`")
        if self.kind != "address" and self.address is not None:
            raise ValueError(f"kind {self.kind} takes no address; set kind to address")
        return self

    def _check_stages(self) -> None:
        possible = {"local": {"workers", "memory"}, "threads": {"workers"}}
        for stage in STAGES:
            for name in getattr(self.stages, stage).model_fields_set:
                if self.kind not in QUEUES and name not in possible.get(self.kind, set()):
                    raise ValueError(
                        f"kind {self.kind} takes no stages.{stage}.{name}; set kind to slurm"
                    )

    def without_secrets(self) -> dict[str, Any]:
        """Return the profile as JSON without the commands that may contain a password.

        Examples
        --------
        >>> job = JobSettings(prologue=("module load python", "export API_TOKEN=1234"))
        >>> Profile(kind="slurm", workers=1, job=job).without_secrets()["job"]["prologue"]
        ['module load python', '(not recorded)']
        """
        fields = self.model_dump(mode="json")
        for section in (fields["job"], fields["head"], *fields["stages"].values()):
            for name, pattern in _RECORDED.items():
                if section.get(name):
                    section[name] = [
                        line if re.fullmatch(pattern, line) else "(not recorded)"
                        for line in section[name]
                    ]
        return fields

    def for_stage(self, stage: str) -> Profile:
        """Return the profile for the workers of one stage.

        Examples
        --------
        >>> profile = Profile(
        ...     kind="local", workers=4, stages={"extract": {"workers": 1, "memory": "8GiB"}}
        ... )
        >>> profile.for_stage("extract").memory_limit, profile.for_stage("search").workers
        ('8GiB', 4)
        """
        changes = getattr(self.stages, stage).model_dump(exclude_none=True)
        update: dict[str, Any] = {"stages": Stages()}
        if "workers" in changes:
            update["workers"] = changes.pop("workers")
        if "memory" in changes:
            update["memory_limit"] = "auto" if self.kind in QUEUES else changes.pop("memory")
        if changes:
            update["job"] = self.job.model_copy(update=changes)
        return self.model_copy(update=update)
