"""A submitted study: returns at once, same results as on one machine, encrypted."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from ketadask.cluster.network import is_loopback
from tests.cluster.conftest import StudyRunner, results


@pytest.fixture(scope="module")
def observations(slurm, tmp_path_factory):
    """One submitted study, and observations while it ran."""
    slurm.clear()
    study = StudyRunner(slurm, tmp_path_factory.mktemp("submitted"))
    profile = study.profile(slow=True)
    study.set_seconds(0.4)
    start = time.monotonic()
    submission = study.do("submit", cluster=profile)
    seconds = time.monotonic() - start
    assert submission.returncode == 0, submission.stderr
    again = study.do("submit", cluster=profile)
    study.until(lambda: len(study.blocks("done")) >= 3, 300, "three blocks")
    status = study.do("status").stdout
    keys = [(p, p.stat().st_mode & 0o777) for p in study.files("tls-*/*")]
    folders = [(p, p.stat().st_mode & 0o777) for p in study.files("tls-*")]
    stranger = ["setpriv", "--reuid=65534", "--clear-groups", "cat", str(keys[-1][0])]
    read = subprocess.run(stranger, capture_output=True, text=True, check=False)
    result = SimpleNamespace(
        study=study,
        seconds=seconds,
        submission=submission,
        again=again,
        status=status,
        keys=keys,
        folders=folders,
        read=read,
        listening=listening(slurm),
        scheduler=scheduler_address(study),
        strangers=strangers(scheduler_address(study)),
    )
    study.until(lambda: study.files("report.html") and not slurm.jobs(), 240, "the report")
    return result


def scheduler_address(study):
    """Return the address the workers were given."""
    logs = "".join(path.read_text() for path in study.files("logs/worker-*.log"))
    return re.search(r"Registered to:\s+(\S+)", logs)[1]


def strangers(address):
    """Try to join without certificates, and with certificates of one's own; return what is said."""
    code = f"""
from distributed import Client, Security
for address, security in (({address.replace("tls", "tcp")!r}, None),
                          ({address!r}, Security.temporary())):
    try:
        Client(address, timeout='5s', security=security)
        print('connected')
    except Exception as error:
        print('refused', type(error).__name__)
"""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    return process.stdout


def listening(slurm):
    """Return (address, port, process number) of what listens and is no daemon of SLURM."""
    process = subprocess.run(["ss", "-H", "-ltnp"], capture_output=True, text=True, check=True)
    daemons = {process.pid for process in slurm.daemons.values()}
    ports = []
    for line in process.stdout.splitlines():
        address, _, port = line.split()[3].rpartition(":")
        process = re.search(r"pid=(\d+)", line)
        if process and int(process[1]) not in daemons and belongs_to_a_job(process[1]):
            ports.append((address.strip("[]"), int(port), int(process[1])))
    return [(*port, not is_loopback(port[0]) and is_encrypted(*port[:2])) for port in ports]


def belongs_to_a_job(process):
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            return b"SLURM_JOB_ID=" in file.read()
    except OSError:
        return False


def is_encrypted(address, port):
    """Whether a port speaks TLS only and sends nothing without a certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        raw = socket.create_connection((address, port), timeout=10)
        with context.wrap_socket(raw) as connection:
            try:
                return not connection.recv(1)
            except (ssl.SSLError, ConnectionError):
                return True
    except OSError:
        return False


def test_submit_returns_at_once_and_names_job_and_log(observations):
    assert observations.seconds < 30
    assert re.search(r"submitted as job \d+, log .*head-\d+\.log", observations.submission.stdout)


def test_a_second_submit_is_refused_while_the_first_is_on_the_queue(observations):
    assert observations.again.returncode == 2
    assert "already on the queue as job" in observations.again.stderr
    assert "ketadask cancel" in observations.again.stderr


def test_the_bits_are_those_of_one_machine(observations, laptop):
    assert results(observations.study.run) == laptop


def test_status_follows_it(observations):
    present = re.search(r"search\W+(\d+) of 60 splits", observations.status)
    assert present, observations.status
    assert 3 <= int(present[1]) < 60
    assert "head job" in observations.status
    assert "of 2 workers" in observations.status
    assert "not running" in observations.study.do("status").stdout


def test_logs_are_where_it_says(observations):
    assert len(observations.study.files("logs/worker-*.log")) >= 2
    assert "Registered to" in observations.study.files("logs/worker-*.log")[0].read_text()
    assert (
        "search: 60 splits computed" in observations.study.files("logs/head-*.log")[0].read_text()
    )


def test_provenance_tells_where_it_ran(observations):
    runs = json.loads((observations.study.run / "provenance.json").read_text())["runs"]
    assert runs[-1]["cluster"]["kind"] == "slurm"
    assert runs[-1]["events"] == []


def test_clients_need_the_certificates(observations):
    assert observations.scheduler.startswith("tls://")
    assert observations.strangers.split()[::2] == ["refused", "refused"]


def test_certificates_are_for_their_owner_only_and_gone_at_the_end(observations):
    assert [mode for _, mode in observations.folders] == [0o700]
    assert [mode for _, mode in observations.keys] == [0o600] * 3
    assert observations.read.returncode != 0
    assert "PRIVATE" not in observations.read.stdout
    assert not observations.study.files("tls-*")


def test_only_loopback_listens_without_encryption(observations):
    assert len({process for _, _, process, _ in observations.listening}) >= 3
    open_ports = [(a, port) for a, port, _, tls in observations.listening if not tls]
    assert all(is_loopback(address) for address, _ in open_ports), open_ports
    assert sum(tls for *_, tls in observations.listening) >= 5
