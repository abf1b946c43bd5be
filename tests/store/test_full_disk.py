"""A full disk is an error with folder, space and remedy; no incomplete file remains."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketadask.schema.errors import InputError
from ketadask.store import disk
from ketadask.store.run_folder import RunFolder

KEY = "f" * 64
LARGE = pd.DataFrame({"q": np.random.default_rng(1).normal(size=50_000)})  # does not compress
SMALL = pd.DataFrame({"q": [1.0]})

# Runs in a process of its own: the limit on the size of a file cannot be raised again.
SCRIPT = """
import resource, sys
import numpy as np, pandas as pd, xarray as xr
from ketadask.schema.errors import InputError
from ketadask.store.run_folder import RunFolder
import zarr
run = RunFolder.open(sys.argv[1])
parts = run.parts("search", "f" * 64)
large = pd.DataFrame({"q": np.random.default_rng(1).normal(size=50_000)})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
for write in (
    lambda: parts.write("000010-000019", {"small": large[:1], "large": large}),
    lambda: run.write_table("verdicts", large),
    lambda: run.write_text("report.html", "x" * 200_000),
    lambda: run.write_dataset("cohort", xr.Dataset({"q": ("case", large["q"].to_numpy())})),
):
    try:
        write()
    except InputError as error:
        print(error)
parts.write("000020-000029", {"small": large[:1]})
"""


@pytest.fixture
def run(tmp_path):
    run = RunFolder.make(tmp_path, "demo", KEY)
    run.parts("search", KEY).write("000000-000009", {"large": LARGE})
    return run


def assert_usable(run):
    """No incomplete file remains, no complete part was lost, and writing is possible."""
    assert not [file for file in run.path.rglob("*") if file.name.endswith(".tmp")]
    parts = run.parts("search", KEY)
    assert parts.ranges() == [(0, 9), (20, 29)]
    assert parts.damaged_files == []
    parts.write("000010-000019", {"large": LARGE})
    assert parts.missing(30) == []
    assert not (run.path / "verdicts.parquet").exists()


def test_a_limit_on_the_size_of_files(run):
    arguments = [sys.executable, "-c", SCRIPT, str(run.path)]
    lines = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    messages = lines.splitlines()
    assert len(messages) == 4, lines
    for message, folder in zip(messages, (run.path / "search", *[run.path] * 3), strict=True):
        assert message.startswith(f"{folder}: cannot write, the file is larger than")
        assert " free); raise the limit (ulimit -f) or choose another folder" in message
    assert_usable(run)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte, or None where mounting is not allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        is_mount = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        is_mount = False
    yield folder if is_mount else None
    if is_mount:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_file_system_that_is_full(small_disk, monkeypatch, tmp_path):
    run = RunFolder.make(small_disk or tmp_path, "demo", KEY)
    parts = run.parts("search", KEY)
    parts.write("000000-000009", {"large": LARGE})
    if small_disk is None:
        _refuse_large_writes(monkeypatch)
    expected = r"search: cannot write, the disk is full \([\d,.]+ [kMG]?B free\); free some space"
    with pytest.raises(InputError, match=expected):
        parts.write("000010-000019", {"small": SMALL, "large": LARGE, "again": LARGE})
    with pytest.raises(InputError, match="the disk is full"):
        run.write_table("verdicts", pd.concat([LARGE, LARGE]))
    cohort = xr.Dataset({"q": ("case", np.random.default_rng(1).normal(size=200_000))})
    with pytest.raises(InputError, match="the disk is full"):
        run.write_dataset("cohort", cohort)
    parts.write("000020-000029", {"small": SMALL})
    monkeypatch.undo()
    assert_usable(run)


def _refuse_large_writes(monkeypatch):
    def refuse(path, content):
        if len(content) > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        Path(path).write_bytes(content)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "_write_and_sync", refuse)
    monkeypatch.setattr(xr.Dataset, "to_zarr", full)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EACCES, "no permission"),
        (errno.EPERM, "no permission"),
        (errno.EROFS, "the file system is read-only"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_every_refusal_at_every_moment(run, monkeypatch, code, words, call):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    owner = Path if call == "replace" else os
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, refuse)
        with pytest.raises(InputError, match=f"search: cannot write, {words} .* free.*--out"):
            run.parts("search", KEY).write("000010-000019", {"small": SMALL, "large": LARGE})
    run.parts("search", KEY).write("000020-000029", {"small": SMALL})
    assert_usable(run)


def test_other_errors_stay_what_they_are(run, monkeypatch):
    def refuse(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        run.write_text("note", "")


def test_a_folder_without_permission(tmp_path):
    """Root may write everywhere, so a process without that right tries."""
    code = (
        "import os, sys\n"
        "from ketadask.store.run_folder import RunFolder\n"
        "import ketadask.store.run_folder, ketadask.store.json_values\n"
        "if os.getuid() == 0: os.setgid(65534), os.setuid(65534)\n"
        "try: RunFolder.make(sys.argv[1], 'demo', 'f' * 64)\n"
        "except ValueError as error: print(error)"
    )
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055)
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    output = subprocess.check_output([sys.executable, "-c", code, str(folder)], text=True)
    assert "cannot write, no permission" in output
    assert str(folder) in output


def test_free_space_of_a_folder_that_does_not_exist_yet(tmp_path):
    assert disk.free_space(tmp_path / "a" / "b").endswith("B")
