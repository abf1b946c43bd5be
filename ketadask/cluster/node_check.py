"""One small job that looks around on a compute node, and what it has to tell."""

from __future__ import annotations

import base64
import json
import secrets
import shlex
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ketadask.cluster import certificates, slurm
from ketadask.cluster.profile import Profile
from ketadask.cluster.queues import host_of
from ketadask.cluster.worker_jobs import tail
from ketadask.schema.errors import InputError
from ketadask.store.locks import hold_lock

_WAIT = 90.0


@dataclass
class Preflight:
    """What came back of the job: over the network, through the folder, or not at all."""

    told: dict[str, Any] | None = None
    skew: float | None = None
    by_network: bool = False
    by_folder: bool = False
    state: str = ""
    log: str = ""
    key_mode: int = 0o600
    folder: Path = field(default_factory=Path)
    address: str = ""


def preflight(profile: Profile, out: Path, *, wait: float = _WAIT) -> Preflight:
    """Submit the job and wait for what it tells."""
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=out.absolute()))
    found, token = Preflight(folder=folder), secrets.token_hex(16)
    try:
        with certificates.temporary(folder / "tls"), hold_lock(folder / "lock"):
            found.key_mode = (folder / "tls" / "key.pem").stat().st_mode & 0o777
            found.address = host_of(profile)
            with _listening(found, folder / "tls", token) as port:
                _ask(profile, folder, found, token, port, wait)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _ask(
    profile: Profile, folder: Path, found: Preflight, token: str, port: int, wait: float
) -> None:
    (folder / "token").write_text(token)
    certificate = base64.b64encode((folder / "tls" / "ca.pem").read_bytes()).decode()
    words = [folder, token, profile.job.scratch, found.address, port, certificate]
    job = slurm.submit(probe_script(profile, folder, [str(word) for word in words]))
    end = time.monotonic() + wait
    try:
        while time.monotonic() < end:
            time.sleep(0.5)
            _gather(found, folder, token)
            if found.told is not None and found.by_network and found.by_folder:
                return
            state = slurm.look([job]).get(job)
            if state is not None and state.alive:
                found.state = f"{state.state} ({state.reason})" if state.waiting else state.state
                continue
            time.sleep(1)  # a shared folder may need a moment to show what was written
            _gather(found, folder, token)
            found.state = str(slurm.death(job))
            return
    finally:
        found.log = tail(folder / f"probe-{job}.log")
        slurm.cancel([job])


def _gather(found: Preflight, folder: Path, token: str) -> None:
    try:
        told = json.loads((folder / "probe.json").read_text())
    except (OSError, ValueError):
        return
    if told.get("token") == token:
        found.by_folder = True
        found.told = found.told or told


def probe_script(profile: Profile, folder: Path, words: list[str]) -> str:
    """Return the job script; it asks for what a worker's job asks for, and a shorter time."""
    lines = [f"#SBATCH {line}" for line in asked_of_queue(profile)]
    lines.append(f'#SBATCH --output="{folder}/probe-%j.log"')
    python = shlex.quote(str(profile.job.python or sys.executable))
    # the scratch folder is named as in a worker's script: with variables of the node
    command = shlex.join(["-m", "ketadask.cluster.node_probe", *words])
    command = command.replace(shlex.quote(profile.job.scratch), f'"{profile.job.scratch}"')
    return "\n".join(
        ["#!/usr/bin/env bash", *lines, *profile.job.prologue, f"{python} {command}\n"]
    )


def asked_of_queue(profile: Profile) -> list[str]:
    """Return what the job of a worker asks of the queue, as options of sbatch."""
    job = profile.job
    return [
        "--job-name=keta-doctor",
        "--ntasks=1",
        f"--cpus-per-task={job.workers * profile.threads_per_worker}",
        f"--mem={job.mebibytes}M",
        f"--time={job.walltime}",
        *([f"--partition={job.partition}"] if job.partition else []),
        *([f"--account={job.account}"] if job.account else []),
        *job.directives,
    ]


@contextmanager
def _listening(found: Preflight, folder: Path, token: str) -> Iterator[int]:
    """Listen, encrypted, for the one line of the probe; note how its clock differs from ours.

    Whoever does not know the token is not heard.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    try:
        server = socket.create_server((found.address, 0))
    except OSError as error:
        raise InputError(
            f"this machine cannot listen there ({error.strerror})",
            where="job.interface",
            value=found.address,
            remedy="name another interface in the profile",
        ) from None
    server.settimeout(0.5)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                raw, _ = server.accept()
                with context.wrap_socket(raw, server_side=True) as wrapped:
                    wrapped.settimeout(15)
                    line = wrapped.makefile("rb").readline(1_000_000)
                told = json.loads(line)
                if told["token"] != token:
                    continue
                found.skew = told["clock"] - time.time()
                found.told, found.by_network = told, True
            except (OSError, ValueError, KeyError, TypeError):
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        over.set()
        thread.join(timeout=5)
        server.close()
