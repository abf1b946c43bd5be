"""Nothing of a cluster answers without a certificate or a token."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import dask
import psutil
import pytest

from ketadask.cluster import queues
from ketadask.cluster.connect import connect
from ketadask.cluster.dashboard import has_dashboard
from ketadask.cluster.profile import JobSettings, Profile

PAGES = (
    *("status", "tasks", "workers", "individual-task-stream", "autoload.js", "status/metadata"),
    *("info/main/workers.html", "health", "metrics", "json/counts.json"),
    *("api/v1/get_workers", "status/ws", ""),
)
LOCAL = Profile(kind="local", workers=1, memory_limit="400MiB")
TERMINAL = LOCAL.model_copy(update={"dashboard": True})


def get(url, headers=None):
    """Return status and content of a page."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def listening_ports():
    """Return the ports on which this process and its children listen."""
    me = psutil.Process()
    connections = [c for p in (me, *me.children(recursive=True)) for c in p.net_connections("inet")]
    return {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}


def first_bytes(port):
    """Return the answer of a port to a request without encryption, empty if it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        try:
            return connection.recv(64)
        except OSError:
            return b""


def test_the_dashboard_is_off_outside_a_terminal(monkeypatch):
    assert not has_dashboard(LOCAL)  # the tests have no terminal
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert has_dashboard(LOCAL)
    assert not has_dashboard(LOCAL.model_copy(update={"dashboard": False}))


@pytest.mark.parametrize("profile", [LOCAL, TERMINAL], ids=["off", "on"])
def test_no_port_answers_without_certificate_or_token(profile):
    before = listening_ports()
    with connect(profile) as executor:
        ports = listening_ports() - before
        assert len(ports) >= 3  # scheduler, its pages, and at least one of a worker
        for port in ports:
            answer = first_bytes(port)
            assert answer[9:12] in (b"", b"403", b"404"), answer
            if answer:
                for page in PAGES:
                    status, text = get(f"http://127.0.0.1:{port}/{page}")
                    assert status in (400, 403, 404), page
                    assert "tls://" not in text
                assert "tls://" not in get(f"http://127.0.0.1:{port}/sitemap.json")[1]
        assert (executor.dashboard is None) == (profile is LOCAL)


def test_the_token_opens_the_dashboard():
    with connect(TERMINAL) as executor:
        page, _, token = executor.dashboard.partition("?token=")
        assert len(token) == 32
        assert get(page)[0] == 403
        assert get(f"{page}?token=")[0] == 403
        assert get(f"{page}?token={token[:-1]}x")[0] == 403
        status, text = get(executor.dashboard)
        assert (status, "Dask" in text) == (200, True)
        cookie = {"Cookie": f"ketadask-token={token}"}
        assert get(page.replace("status", "workers"), cookie)[0] == 200
        assert get(page, {"Cookie": "ketadask-token=x"})[0] == 403


def test_the_environment_cannot_open_the_interface_that_removes_workers():
    routes = ["distributed.http.scheduler.api", "distributed.http.health"]
    with (
        dask.config.set({"distributed.scheduler.http.routes": routes}),
        connect(TERMINAL) as executor,
    ):
        page = executor.dashboard.partition("/status")[0]
        assert get(f"{page}/api/v1/get_workers", {"Cookie": "ketadask-token=x"})[0] == 404


def test_a_password_in_the_prologue_is_in_its_private_file_only(tmp_path):
    job = JobSettings(prologue=("module load python", "export API_TOKEN=hunter2"))
    profile = Profile(kind="slurm", workers=1, dashboard=False, job=job)
    options = {"name": "keta-x", "logs": tmp_path, "host": "127.0.0.1", "security": None}
    with queues.open_jobqueue(profile, **options) as cluster:
        script = cluster.job_script()
    path = tmp_path / "prologue.sh"
    assert "hunter2" not in script
    assert f". {path}" in script.splitlines()
    assert path.read_text() == "module load python\nexport API_TOKEN=hunter2\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in str(profile.without_secrets())
