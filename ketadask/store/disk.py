"""Files written whole: a temporary name beside the target, synced, renamed, folder synced."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ketadask.schema.errors import InputError

_ELSEWHERE = "or choose another place for the runs (--out)"
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
    errno.ENOTDIR: ("a file stands where a folder is needed", f"move it {_ELSEWHERE}"),
    errno.EEXIST: ("a file stands where a folder is needed", f"move it {_ELSEWHERE}"),
    errno.EISDIR: ("a folder stands where a file is needed", f"move it {_ELSEWHERE}"),
}
_FRESH = 3600.0
_TEMPORARY = re.compile(r"^\..+\.(?P<host>[^/]+)-(?P<pid>\d+)-[0-9a-f]{8}\.tmp$")


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk or a missing permission into an InputError that says what to do."""
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
    """Say how much space is left on the disk of a folder, which need not exist yet."""
    for place in (folder, *folder.absolute().parents):
        with contextlib.suppress(OSError):
            size = float(shutil.disk_usage(place).free)
            for unit in ("B", "kB", "MB"):
                if size < 1000:
                    return f"{size:.0f} {unit}"
                size /= 1000
            return f"{size:,.1f} GB"
    return "unknown space"


def make_folder(folder: Path) -> Path:
    """Make a folder and its parents, or say why that is impossible."""
    with disk_errors(folder):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
    return folder


def write_whole(path: Path, content: bytes) -> Path:
    """Write one file so that it is either there with all its bytes or not there at all."""
    write_together({path: content})
    return path


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files of one folder, the last one last: once it is there, all the others are too.

    All bytes are on disk under temporary names before the first file gets its name, so a full
    disk leaves nothing behind.
    """
    *_, last = contents
    folder = make_folder(last.parent)
    temporary = {path: temporary_path(path) for path in contents}
    with disk_errors(folder):
        try:
            for path, content in contents.items():
                _write_synced(temporary[path], content)
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
    """Return an unused hidden name beside ``path`` that says which process is writing."""
    writer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{writer}.tmp")


def is_temporary(path: Path) -> bool:
    """Whether a file or folder has a temporary name."""
    return _TEMPORARY.match(path.name) is not None


def is_being_written(path: Path) -> bool:
    """Whether the process named in a temporary name lives here, or may live on another machine.

    Of other machines nothing is known: what they wrote within the last hour may be theirs still.
    """
    found = _TEMPORARY.match(path.name)
    if found is None:
        return False
    if found["host"] == socket.gethostname():
        return is_alive(found["host"], int(found["pid"]))
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime < _FRESH
    return False


def is_named_for(path: Path, temporary: Path) -> bool:
    """Whether a temporary name is one that will become ``path``."""
    return is_temporary(temporary) and temporary.name.startswith(f".{path.name}.")


def is_alive(host: str, pid: int) -> bool:
    """Whether a process lives on this machine; of other machines nothing is known."""
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
    """Move a file or folder into ``folder`` under a free name; nothing is ever deleted."""
    make_folder(folder)
    with disk_errors(folder):
        target = next(place for place in _free_names(folder / path.name) if not place.exists())
        path.rename(target)
        sync_folder(folder)
        sync_folder(path.parent)
    return target


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the file system can."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make a folder with all files in it durable."""
    for place, _, files in os.walk(folder):
        for name in files:
            handle = os.open(Path(place) / name, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(place))


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _free_names(path: Path) -> Iterator[Path]:
    yield path
    number = 0
    while True:
        number += 1
        yield path.with_name(f"{path.name}.{number}")
