"""Complete files only: written under a temporary name, synced, renamed, folder synced."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ketadask.schema.errors import InputError

_ELSEWHERE = "or choose another folder for the runs (--out)"
_REMEDIES = {
    errno.ENOSPC: ("the disk is full", f"free some space {_ELSEWHERE}, then run again"),
    errno.EDQUOT: ("the quota is used up", f"free some space {_ELSEWHERE}, then run again"),
    errno.EFBIG: (
        "the file is larger than this process may write",
        f"raise the limit (ulimit -f) {_ELSEWHERE}, then run again",
    ),
    errno.EACCES: ("no permission", f"change the permissions of the folder {_ELSEWHERE}"),
    errno.EPERM: ("no permission", f"change the permissions of the folder {_ELSEWHERE}"),
    errno.EROFS: ("the file system is read-only", f"remount it writable {_ELSEWHERE}"),
    errno.ENOENT: (
        "the folder was moved or deleted",
        "move it back, or run again to compute what is missing",
    ),
    errno.ENOTDIR: ("a file has the name of a folder", f"move it {_ELSEWHERE}"),
    errno.EEXIST: ("a file has the name of a folder", f"move it {_ELSEWHERE}"),
    errno.EISDIR: ("a folder has the name of a file", f"move it {_ELSEWHERE}"),
}
_RECENT_SECONDS = 3600.0
_TEMPORARY = re.compile(r"^\..+\.(?P<host>[^/]+)-(?P<pid>\d+)-[0-9a-f]{8}\.tmp$")


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk or a missing permission into an InputError with its remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        problem, remedy = _REMEDIES[error.errno]
        raise InputError(
            f"cannot write, {problem} ({free_space(folder)} free)", file=folder, remedy=remedy
        ) from error


def free_space(folder: Path) -> str:
    """Format the free space on the disk of a folder, which need not exist yet."""
    for parent in (folder, *folder.absolute().parents):
        with contextlib.suppress(OSError):
            size = float(shutil.disk_usage(parent).free)
            for unit in ("B", "kB", "MB"):
                if size < 1000:
                    return f"{size:.0f} {unit}"
                size /= 1000
            return f"{size:,.1f} GB"
    return "unknown space"


def make_folder(folder: Path, mode: int | None = None) -> Path:
    """Create a folder and its parents; an error says why that is impossible.

    Folders, without a ``mode`` of their own, and files are as private as the folder that contains
    them.
    """
    with disk_errors(folder):
        if not folder.is_dir():
            make_folder(folder.parent)
            folder.mkdir(mode=_mode(folder.parent) if mode is None else mode, exist_ok=True)
            sync_folder(folder.parent)
    return folder


def limit_access(folder: Path, mode: int) -> None:
    """Give group and others the access of ``mode`` to a folder of ours, whatever the umask is."""
    status = folder.stat()
    if status.st_uid == os.geteuid() and (status.st_mode ^ mode) & 0o077:
        folder.chmod(status.st_mode & 0o7700 | mode & 0o077)


@contextlib.contextmanager
def readable_by_group(active: bool) -> Iterator[None]:
    """Let the group read new files of this process, whatever the umask is."""
    umask = os.umask(0o077)
    os.umask(umask & ~0o050 if active else umask)
    try:
        yield
    finally:
        os.umask(umask)


def create_file(path: Path) -> Path:
    """Create an empty file where there is none, as private as its folder."""
    folder = make_folder(path.parent)
    with disk_errors(folder):
        path.touch(mode=_mode(folder) & 0o666)
    return path


def write_locked(path: Path, content: bytes, *, kind: str) -> Path:
    """Write a file whole, unless another content has its name; such a file is never replaced."""
    if path.exists() and path.read_bytes() != content:
        raise InputError(
            f"another {kind} has this name",
            file=path,
            remedy="lock into another folder (--to); a locked file is never replaced",
        )
    return write_file(path, content)


def write_file(path: Path, content: bytes) -> Path:
    """Write one file so that it is complete or absent."""
    write_files({path: content})
    return path


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files of one folder so that the last one exists only if all others do.

    All bytes are on disk under temporary names before the first file gets its name: a full disk
    leaves nothing behind.
    """
    *_, last = contents
    folder = make_folder(last.parent)
    temporary = {path: temporary_path(path) for path in contents}
    with disk_errors(folder):
        try:
            for path, content in contents.items():
                _write_and_sync(temporary[path], content)
            for path in contents:
                if path == last and len(contents) > 1:
                    sync_folder(folder)
                temporary[path].replace(path)
            sync_folder(folder)
        finally:
            for leftover in temporary.values():
                with contextlib.suppress(OSError):
                    leftover.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """Return an unused hidden name beside ``path`` that contains the host and process."""
    writer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{writer}.tmp")


def is_temporary(path: Path) -> bool:
    """Whether a file or folder has a temporary name."""
    return _TEMPORARY.match(path.name) is not None


def has_live_writer(path: Path) -> bool:
    """Whether the process in a temporary name is alive.

    A process on another machine counts as alive if it wrote within the last hour.
    """
    match = _TEMPORARY.match(path.name)
    if match is None:
        return False
    if match["host"] == socket.gethostname():
        return is_alive(match["host"], int(match["pid"]))
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime < _RECENT_SECONDS
    return False


def is_named_for(path: Path, temporary: Path) -> bool:
    """Whether a temporary file will be renamed to ``path``."""
    return is_temporary(temporary) and temporary.name.startswith(f".{path.name}.")


def is_alive(host: str, pid: int) -> bool:
    """Whether a process is alive on this machine; False for other machines."""
    if host != socket.gethostname():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def set_aside(path: Path, folder: Path) -> Path:
    """Move a file or folder into ``folder`` under a free name; delete nothing."""
    make_folder(folder)
    with disk_errors(folder):
        target = next(name for name in _names_like(folder / path.name) if not name.exists())
        path.rename(target)
        sync_folder(folder)
        sync_folder(path.parent)
    return target


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the file system supports that."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make a folder with all files in it durable, and as private as its parent."""
    mode = _mode(folder.parent) & 0o755
    for parent, _, files in os.walk(folder):
        os.chmod(parent, mode)
        for name in files:
            handle = os.open(Path(parent) / name, os.O_RDONLY)
            try:
                os.fchmod(handle, mode & 0o666)
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(parent))


def _mode(folder: Path) -> int:
    """Return the permissions of a folder."""
    return folder.stat().st_mode & 0o777


def _write_and_sync(path: Path, content: bytes) -> None:
    mode = _mode(path.parent) & 0o666
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _names_like(path: Path) -> Iterator[Path]:
    yield path
    for suffix in itertools.count(1):
        yield path.with_name(f"{path.name}.{suffix}")
