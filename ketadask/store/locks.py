"""The lock of a run folder: one process writes at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ketadask.schema.errors import InputError
from ketadask.store.disk import disk_errors, is_alive, make_folder
from ketadask.store.environment import now
from ketadask.store.json_values import render_json

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
_handles: set[int] = set()
_watching_forks = False


@dataclass(frozen=True)
class Owner:
    """The process in a lock file; it may be dead."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"

    @property
    def alive(self) -> bool:
        """Whether the process is alive; True for one on another machine, which is unknown."""
        return self.host != socket.gethostname() or is_alive(self.host, self.pid)


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[Owner | None]:
    """Lock the file ``path``; yield the last owner if it died without releasing the lock.

    The kernel releases the lock whenever the process ends; the file remains and names the owner.
    """
    make_folder(path.parent)
    mode = path.parent.stat().st_mode & 0o664
    with disk_errors(path.parent):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    owner = Owner(os.getpid(), socket.gethostname(), now())
    try:
        _acquire(handle, path)
        _forget_in_children(handle)
        dead = read_owner(path)
        _write_owner(handle, path, render_json(owner))
        try:
            yield dead
        finally:
            if os.getpid() == owner.pid:
                _write_owner(handle, path, b"")
    finally:
        if os.getpid() == owner.pid:
            _handles.discard(handle)
            os.close(handle)


def read_owner(path: Path) -> Owner | None:
    """Return the owner in a lock file, or None."""
    try:
        owner = json.loads(path.read_text())
        return Owner(int(owner["pid"]), str(owner["host"]), str(owner["since"]))
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
                remedy="wait until it ends, or stop it; its complete parts remain",
            ) from error
        if error.errno in _NO_LOCKS:
            raise InputError(
                f"the file system does not support file locks ({error.strerror})",
                file=path.parent,
                remedy="choose a folder on a file system with locks (--out), or ask the "
                "administrator to mount this one with flock",
            ) from error
        raise


def _write_owner(handle: int, path: Path, content: bytes) -> None:
    with disk_errors(path.parent):
        os.ftruncate(handle, 0)
        os.pwrite(handle, content, 0)


def _forget_in_children(handle: int) -> None:
    """Close the lock in forked children: a child may outlive its parent."""
    global _watching_forks  # noqa: PLW0603 - the interpreter cannot unregister
    _handles.add(handle)
    if not _watching_forks:
        os.register_at_fork(after_in_child=_close_handles)
        _watching_forks = True


def _close_handles() -> None:
    while _handles:
        with contextlib.suppress(OSError):
            os.close(_handles.pop())
