"""Report the environment of a compute node; a job of `ketadask doctor` runs this file.

It imports the package last, because the package may be what fails.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import platform
import shutil
import socket
import ssl
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("numpy", "pandas", "xarray", "scipy", "numba", "dask", "distributed"),
    *("zarr", "pyarrow", "pydantic", "dask-jobqueue", "cryptography"),
)
MISSING = "not installed"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def worker_versions(libraries: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Return the versions of Python and of the libraries that workers import.

    Examples
    --------
    >>> worker_versions(("no-such-library",))["no-such-library"]
    'not installed'
    """
    versions = {"python": platform.python_version()}
    for name in libraries:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = MISSING
    return versions


def worker_code() -> str:
    """Return the version of the package's numeric code, or why it cannot be imported."""
    try:
        from ketadask.store.fingerprints import code_version

        return code_version()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def node_facts(folder: Path, token: str, scratch: str) -> dict[str, Any]:
    """Return the facts about this node and its view of the shared folder."""
    scratch_folder = Path(os.path.expandvars(scratch))
    return {
        "token": token,
        "host": platform.node(),
        "versions": worker_versions(),
        "code": worker_code(),
        "visible": _read(folder / "token") == token,
        "writable": _is_writable(folder),
        "sees_lock": _sees_lock(folder / "lock"),
        "scratch": str(scratch_folder),
        "scratch_writable": _is_writable(scratch_folder),
        "scratch_free": _free_bytes(scratch_folder),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "cores": len(os.sched_getaffinity(0)),
        "clock": time.time(),
    }


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        return str(error.strerror)


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def _sees_lock(path: Path) -> bool | None:
    """Whether a lock of the submitting machine is effective here; None if that is unknown."""
    try:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return False


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def send_facts(facts: dict[str, Any], host: str, port: int, certificate: str) -> str:
    """Send facts to the submitting machine, encrypted; return why that failed, or nothing."""
    context = ssl.create_default_context(cadata=base64.b64decode(certificate).decode())
    context.check_hostname = False
    try:
        with (
            socket.create_connection((host, port), timeout=15) as raw,
            context.wrap_socket(raw) as connection,
        ):
            connection.sendall(json.dumps({**facts, "clock": time.time()}).encode() + b"\n")
    except OSError as error:
        return str(error)
    return ""


def main(words: list[str]) -> int:
    """Send the facts over the network and write them into the shared folder."""
    folder, token, scratch, host, port, certificate = words
    facts = node_facts(Path(folder), token, scratch)
    facts["unreachable"] = send_facts(facts, host, int(port), certificate)
    try:
        path = Path(folder) / "probe.json"
        path.with_suffix(".new").write_text(json.dumps(facts))
        path.with_suffix(".new").rename(path)
    except OSError as error:
        print(f"cannot write into {folder}: {error.strerror}", file=sys.stderr)
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
