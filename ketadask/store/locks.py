"""The lock of a run folder: two processes cannot write one run."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ketadask.schema.errors import InputError
from ketadask.store.disk import disk_errors, is_alive, make_folder
from ketadask.store.json_values import render_json

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
_held: set[int] = set()
_watching_forks = False


@dataclass(frozen=True)
class Owner:
    """The process that holds, or held, a lock."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"

    @property
    def alive(self) -> bool:
        """Whether the process lives; of a process on another machine this is not known."""
        return self.host != socket.gethostname() or is_alive(self.host, self.pid)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[Owner | None]:
    """Hold the lock file ``path``; yields the owner that died while holding it, if any.

    The kernel holds the lock and frees it when the process ends, however it ends; the file
    itself stays and only says who the owner is.
    """
    make_folder(path.parent)
    with disk_errors(path.parent):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    me = Owner(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        _acquire(handle, path)
        _forget_in_children(handle)
        dead = read_owner(path)
        _write_owner(handle, path, render_json(me))
        try:
            yield dead
        finally:
            if os.getpid() == me.pid:
                _write_owner(handle, path, b"")
    finally:
        if os.getpid() == me.pid:
            _held.discard(handle)
            os.close(handle)


def read_owner(path: Path) -> Owner | None:
    """Return the owner written into a lock file, or None where nobody holds it."""
    try:
        found = json.loads(path.read_text())
        return Owner(int(found["pid"]), str(found["host"]), str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _acquire(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            raise InputError(
                f"the run is being written by {read_owner(path) or 'another process'}",
                file=path.parent,
                remedy="wait until it ends, or end it; what it has finished is kept",
            ) from error
        if error.errno in _NO_LOCKS:
            raise InputError(
                f"the file system does not offer file locks ({error.strerror})",
                file=path.parent,
                remedy="put the runs on a file system with locks (--out), or ask the "
                "administrator to mount this one with flock",
            ) from error
        raise


def _write_owner(handle: int, path: Path, content: bytes) -> None:
    with disk_errors(path.parent):
        os.ftruncate(handle, 0)
        os.pwrite(handle, content, 0)


def _forget_in_children(handle: int) -> None:
    """Close the lock in forked children, or a child that outlives its parent would keep it."""
    global _watching_forks  # noqa: PLW0603 - the interpreter cannot unregister
    _held.add(handle)
    if not _watching_forks:
        os.register_at_fork(after_in_child=_close_held)
        _watching_forks = True


def _close_held() -> None:
    while _held:
        with contextlib.suppress(OSError):
            os.close(_held.pop())
