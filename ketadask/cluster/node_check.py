"""Submit the node probe as a small job and collect its reply."""

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
from ketadask.cluster.queues import prologue_lines, scheduler_host
from ketadask.cluster.worker_jobs import tail
from ketadask.schema.errors import InputError
from ketadask.store.locks import hold_lock

_WAIT_SECONDS = 90.0


@dataclass
class NodeReport:
    """The reply of the probe: over the network, through the folder, or neither."""

    facts: dict[str, Any] | None = None
    clock_skew: float | None = None
    by_network: bool = False
    by_folder: bool = False
    state: str = ""
    log: str = ""
    key_mode: int = 0o600
    folder: Path = field(default_factory=Path)
    address: str = ""


def check_node(profile: Profile, out: Path, *, wait: float = _WAIT_SECONDS) -> NodeReport:
    """Submit the probe and wait for its reply."""
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=out.absolute()))
    report, token = NodeReport(folder=folder), secrets.token_hex(16)
    try:
        with certificates.temporary(folder / "tls"), hold_lock(folder / "lock"):
            report.key_mode = (folder / "tls" / "key.pem").stat().st_mode & 0o777
            report.address = scheduler_host(profile)
            with _listen(report, token) as port:
                _run_probe(profile, report, token, port, wait)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report


def _run_probe(profile: Profile, report: NodeReport, token: str, port: int, wait: float) -> None:
    folder = report.folder
    (folder / "token").write_text(token)
    certificate = base64.b64encode((folder / "tls" / "ca.pem").read_bytes()).decode()
    words = [folder, token, profile.job.scratch, report.address, port, certificate]
    job = slurm.submit(probe_script(profile, folder, [str(word) for word in words]))
    end = time.monotonic() + wait
    try:
        while time.monotonic() < end:
            time.sleep(0.5)
            _read_reply(report, token)
            if report.facts is not None and report.by_network and report.by_folder:
                return
            state = slurm.job_states([job]).get(job)
            if state is not None and state.is_alive:
                reason = f" ({state.reason})" if state.is_waiting else ""
                report.state = f"{state.state}{reason}"
                continue
            time.sleep(1)  # a shared folder may show new files with a delay
            _read_reply(report, token)
            report.state = str(slurm.job_end(job))
            return
    finally:
        report.log = tail(folder / f"probe-{job}.log")
        slurm.cancel([job])


def _read_reply(report: NodeReport, token: str) -> None:
    try:
        facts = json.loads((report.folder / "probe.json").read_text())
    except (OSError, ValueError):
        return
    if facts.get("token") == token:
        report.by_folder = True
        report.facts = report.facts or facts


def probe_script(profile: Profile, folder: Path, words: list[str]) -> str:
    """Return the job script of the probe, with the resources of a worker job."""
    python = shlex.quote(str(profile.job.python or sys.executable))
    # The scratch folder may contain variables of the node, as in the script of a worker.
    command = shlex.join(["-m", "ketadask.cluster.node_probe", *words])
    command = command.replace(shlex.quote(profile.job.scratch), f'"{profile.job.scratch}"')
    options = [*sbatch_options(profile), f'--output="{folder}/probe-%j.log"']
    return job_script(options, *prologue_lines(profile, folder), f"{python} {command}")


def job_script(options: list[str], *commands: str) -> str:
    """Return a job script from options of sbatch and shell commands."""
    lines = [f"#SBATCH {option}" for option in options]
    return "\n".join(["#!/usr/bin/env bash", *lines, *commands, ""])


def sbatch_options(profile: Profile) -> list[str]:
    """Return the options of sbatch with the resources of a worker job."""
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
def _listen(report: NodeReport, token: str) -> Iterator[int]:
    """Yield the port of an encrypted server that accepts the reply of the probe.

    Messages without the token are ignored.
    """
    folder = report.folder / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    try:
        server = socket.create_server((report.address, 0))
    except OSError as error:
        raise InputError(
            f"this machine cannot listen on the address ({error.strerror})",
            where="job.interface",
            value=report.address,
            remedy="choose another interface in the profile",
        ) from None
    server.settimeout(0.5)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                raw, _ = server.accept()
                with context.wrap_socket(raw, server_side=True) as connection:
                    connection.settimeout(15)
                    facts = json.loads(connection.makefile("rb").readline(1_000_000))
                if facts["token"] == token:
                    report.clock_skew = facts["clock"] - time.time()
                    report.facts, report.by_network = facts, True
            except (OSError, ValueError, KeyError, TypeError):
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        stop.set()
        thread.join(timeout=5)
        server.close()
