"""A cluster profile: what its YAML file may say about where the work runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

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


class JobSettings(_Asking):
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


class HeadJobSettings(_Asking):
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


Kind = Literal[
    "synchronous", "threads", "local", "address", "slurm", "pbs", "lsf", "sge", "htcondor"
]
KINDS: tuple[str, ...] = get_args(Kind)
STAGES: tuple[str, ...] = tuple(Stages.model_fields)
QUEUES = ("slurm", "pbs", "lsf", "sge", "htcondor")


class Profile(BaseModel):
    """Where the work runs; nothing here can change a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)

    kind: Kind = Field(
        default="local",
        description="this thread, threads, local processes, an address, or a job queue",
    )
    workers: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="number of workers; as many as there are cores if not given"
    )
    threads_per_worker: Annotated[int, Field(ge=1)] = Field(
        default=1, description="tasks a worker runs at once"
    )
    memory_limit: str = Field(
        default="auto", description="memory of one worker, for example 2GiB; its share if auto"
    )
    dashboard: bool = Field(default=True, description="serve Dask's dashboard on this machine")
    address: str | None = Field(
        default=None, description="address of a running scheduler, for example tcp://host:8786"
    )
    certificates: Path | None = Field(
        default=None,
        description="folder with ca.pem, cert.pem and key.pem for an address that begins with tls",
    )
    job: JobSettings = Field(
        default_factory=JobSettings, description="a job that holds workers, on a queue"
    )
    head: HeadJobSettings = Field(
        default_factory=HeadJobSettings, description="the job of a submitted study"
    )
    stages: Stages = Field(
        default_factory=Stages, description="stages whose workers need more, or less, than others"
    )
    minimum_workers: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="on a queue, let idle workers go down to this number; keep all if not given",
    )
    listen_without_encryption_on_the_network: bool = Field(
        default=False,
        description="let anyone on the network run code as you; never needed on a shared machine",
    )
    worker_deaths: Annotated[int, Field(ge=0)] = Field(
        default=3, description="workers that may die under one task before it counts as failed"
    )

    @field_validator("memory_limit")
    @classmethod
    def _is_memory(cls, value: str) -> str:
        from dask.utils import parse_bytes

        if value == "auto":
            return value
        try:
            enough = parse_bytes(value) >= 64 * 2**20
        except ValueError:
            raise ValueError("not an amount of memory; write for example 2GiB, or auto") from None
        if not enough:
            raise ValueError("too little for a worker to start; write at least 64MiB, or auto")
        return value

    @model_validator(mode="after")
    def _address_fits(self) -> Profile:
        for name in ("job", "head", "minimum_workers", "listen_without_encryption_on_the_network"):
            if name in self.model_fields_set and self.kind not in QUEUES:
                raise ValueError(f"kind {self.kind} takes no {name}; set kind to slurm")
        self._stages_fit()
        if self.kind in QUEUES and self.workers is None:
            raise ValueError(f"kind {self.kind} needs a number of workers; add `workers: 4`")
        if self.kind == "address" and self.address is None:
            raise ValueError("kind address needs an address; add `address: tcp://HOST:PORT`")
        if self.kind != "address" and self.address is not None:
            raise ValueError(f"kind {self.kind} takes no address; set kind to address")
        return self

    def _stages_fit(self) -> None:
        possible = {"local": {"workers", "memory"}, "threads": {"workers"}}
        for stage in STAGES:
            for name in getattr(self.stages, stage).model_fields_set:
                if self.kind not in QUEUES and name not in possible.get(self.kind, set()):
                    raise ValueError(
                        f"kind {self.kind} takes no stages.{stage}.{name}; set kind to slurm"
                    )

    def for_stage(self, stage: str) -> Profile:
        """Return the profile as the workers of one stage have it.

        Examples
        --------
        >>> profile = Profile(
        ...     kind="local", workers=4, stages={"extract": {"workers": 1, "memory": "8GiB"}}
        ... )
        >>> profile.for_stage("extract").memory_limit, profile.for_stage("search").workers
        ('8GiB', 4)
        """
        given = getattr(self.stages, stage).model_dump(exclude_none=True)
        made: dict[str, Any] = {"stages": Stages()}
        if "workers" in given:
            made["workers"] = given.pop("workers")
        if "memory" in given:
            queued = self.kind in QUEUES
            made["memory_limit"] = "auto" if queued else given.pop("memory")
        if given:
            made["job"] = self.job.model_copy(update=given)
        return self.model_copy(update=made)
