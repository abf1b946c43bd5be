"""A cluster profile: what its YAML file may say about where the work runs."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Kind = Literal["synchronous", "threads", "local", "address"]
KINDS: tuple[str, ...] = get_args(Kind)


class Profile(BaseModel):
    """Where the work runs; nothing here can change a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)

    kind: Kind = Field(
        default="local", description="this thread, threads, local processes, or an address"
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
        if self.kind == "address" and self.address is None:
            raise ValueError("kind address needs an address; add `address: tcp://HOST:PORT`")
        if self.kind != "address" and self.address is not None:
            raise ValueError(f"kind {self.kind} takes no address; set kind to address")
        return self
