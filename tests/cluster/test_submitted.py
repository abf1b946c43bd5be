"""A submitted study: back at once, same bits as on one machine, watched, encrypted."""

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
from tests.cluster.conftest import Place, results


@pytest.fixture(scope="module")
def seen(slurm, tmp_path_factory):
    """One submitted study, and what could be seen of it while it ran."""
    slurm.clear()
    place = Place(slurm, tmp_path_factory.mktemp("submitted"))
    profile = place.profile(slow=True)
    place.last(0.4)
    begun = time.monotonic()
    submitted = place.do("submit", cluster=profile)
    seconds = time.monotonic() - begun
    assert submitted.returncode == 0, submitted.stderr
    again = place.do("submit", cluster=profile)
    place.until(lambda: len(place.computed("done")) >= 3, 300, "three blocks")
    status = place.do("status").stdout
    keys = [(p, p.stat().st_mode & 0o777) for p in place.there("tls-*/*")]
    folders = [(p, p.stat().st_mode & 0o777) for p in place.there("tls-*")]
    stranger = ["setpriv", "--reuid=65534", "--clear-groups", "cat", str(keys[-1][0])]
    read = subprocess.run(stranger, capture_output=True, text=True, check=False)
    found = SimpleNamespace(
        place=place,
        seconds=seconds,
        submitted=submitted,
        again=again,
        status=status,
        keys=keys,
        folders=folders,
        read=read,
        listening=listening(slurm),
        scheduler=scheduler_address(place),
        strangers=strangers(scheduler_address(place)),
    )
    place.until(lambda: place.there("report.html") and not slurm.jobs(), 240, "the report")
    return found


def scheduler_address(place):
    """Return the address the workers were given."""
    logs = "".join(path.read_text() for path in place.there("logs/worker-*.log"))
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
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    return told.stdout


def listening(slurm):
    """Return (address, port, process number) of what listens and is no daemon of SLURM."""
    told = subprocess.run(["ss", "-H", "-ltnp"], capture_output=True, text=True, check=True)
    daemons = {process.pid for process in slurm.daemons.values()}
    found = []
    for line in told.stdout.splitlines():
        address, _, port = line.split()[3].rpartition(":")
        process = re.search(r"pid=(\d+)", line)
        if process and int(process[1]) not in daemons and belongs_to_a_job(process[1]):
            found.append((address.strip("[]"), int(port), int(process[1])))
    return [(*each, not is_loopback(each[0]) and encrypted(*each[:2])) for each in found]


def belongs_to_a_job(process):
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            return b"SLURM_JOB_ID=" in file.read()
    except OSError:
        return False


def encrypted(address, port):
    """Tell whether a port speaks TLS and nothing else, and gives a stranger no byte."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        raw = socket.create_connection((address, port), timeout=10)
        with context.wrap_socket(raw) as wrapped:
            try:
                return not wrapped.recv(1)
            except (ssl.SSLError, ConnectionError):
                return True
    except OSError:
        return False


def test_submit_returns_at_once_and_names_job_and_log(seen):
    assert seen.seconds < 30
    assert re.search(r"submitted as job \d+, its log is .*head-\d+\.log", seen.submitted.stdout)


def test_a_second_submit_is_refused_while_the_first_is_on_the_queue(seen):
    assert seen.again.returncode == 2
    assert "on the queue already as job" in seen.again.stderr
    assert "ketadask cancel" in seen.again.stderr


def test_the_bits_are_those_of_one_machine(seen, laptop):
    assert results(seen.place.run) == laptop


def test_status_follows_it(seen):
    present = re.search(r"search\W+(\d+) of 60 splits", seen.status)
    assert present, seen.status
    assert 3 <= int(present[1]) < 60
    assert "head job" in seen.status
    assert "of 2 workers" in seen.status
    assert "not running" in seen.place.do("status").stdout


def test_logs_are_where_it_says(seen):
    assert len(seen.place.there("logs/worker-*.log")) >= 2
    assert "Registered to" in seen.place.there("logs/worker-*.log")[0].read_text()
    assert "search: 60 splits made" in seen.place.there("logs/head-*.log")[0].read_text()


def test_provenance_tells_where_it_ran(seen):
    runs = json.loads((seen.place.run / "provenance.json").read_text())["runs"]
    assert runs[-1]["cluster"]["kind"] == "slurm"
    assert runs[-1]["events"] == []


def test_clients_without_the_certificates_are_refused(seen):
    assert seen.scheduler.startswith("tls://")
    assert seen.strangers.split()[::2] == ["refused", "refused"]


def test_certificates_are_for_their_owner_only_and_gone_at_the_end(seen):
    assert [mode for _, mode in seen.folders] == [0o700]
    assert [mode for _, mode in seen.keys] == [0o600] * 3
    assert seen.read.returncode != 0
    assert "PRIVATE" not in seen.read.stdout
    assert not seen.place.there("tls-*")


def test_only_loopback_listens_without_encryption(seen):
    assert len({process for _, _, process, _ in seen.listening}) >= 3
    open_ports = [(a, port) for a, port, _, tls in seen.listening if not tls]
    assert all(is_loopback(address) for address, _ in open_ports), open_ports
    assert sum(tls for *_, tls in seen.listening) >= 5
