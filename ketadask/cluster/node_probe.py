"""Look around on a compute node and tell what is there; run by a job of `ketadask doctor`.

Imports nothing of the package before it has told what it can, for the package may be what is wrong.
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
ABSENT = "not installed"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def versions(libraries: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Return the versions of Python and of libraries, those that the workers import if none given.

    Examples
    --------
    >>> versions(("no-such-library",))["no-such-library"] == ABSENT
    True
    """
    found = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ABSENT
    return found


def code() -> str:
    """Return the version of the package's numeric code, or why it cannot be imported."""
    try:
        from ketadask.store.fingerprints import code_version

        return code_version()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def surroundings(folder: Path, token: str, scratch: str) -> dict[str, Any]:
    """Return what this node sees of the shared folder and of itself."""
    place = os.path.expandvars(scratch)
    return {
        "token": token,
        "host": platform.node(),
        "versions": versions(),
        "code": code(),
        "visible": _read(folder / "token") == token,
        "writable": _writes(folder),
        "locked": _is_locked(folder / "lock"),
        "scratch": place,
        "scratch_writable": _writes(Path(place)),
        "scratch_free": _free(Path(place)),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "cores": len(os.sched_getaffinity(0)),
        "clock": time.time(),
    }


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        return str(error.strerror)


def _writes(folder: Path) -> bool:
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def _is_locked(path: Path) -> bool | None:
    """Tell whether the lock that the asking machine holds is seen here."""
    try:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return False


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def tell(told: dict[str, Any], host: str, port: int, certificate: str) -> str:
    """Send what was found to the asking machine, encrypted; return why that failed, or nothing."""
    context = ssl.create_default_context(cadata=base64.b64decode(certificate).decode())
    context.check_hostname = False
    try:
        with (
            socket.create_connection((host, port), timeout=15) as raw,
            context.wrap_socket(raw) as wrapped,
        ):
            wrapped.sendall(json.dumps({**told, "clock": time.time()}).encode() + b"\n")
    except OSError as error:
        return str(error)
    return ""


def main(words: list[str]) -> int:
    """Look around, send it over the network and write it into the shared folder."""
    folder, token, scratch, host, port, certificate = words
    told = surroundings(Path(folder), token, scratch)
    told["unreachable"] = tell(told, host, int(port), certificate)
    try:
        path = Path(folder) / "probe.json"
        path.with_suffix(".new").write_text(json.dumps(told))
        path.with_suffix(".new").rename(path)
    except OSError as error:
        print(f"cannot write into {folder}: {error.strerror}", file=sys.stderr)
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
