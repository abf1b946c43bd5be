"""One process writes a run at a time; a dead process has no lock."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from ketadask.schema.errors import InputError
from ketadask.store.run_folder import RunFolder

HOLD = """
import os, sys, time
from ketadask.store.run_folder import RunFolder
with RunFolder.open(sys.argv[1]).lock():
    {extra}
    print("locked", flush=True)
    time.sleep(60)
"""
FORK = "(os.fork() == 0) and (time.sleep(60), os._exit(0))"


@pytest.fixture
def run(tmp_path):
    return RunFolder.make(tmp_path, "demo", "d" * 64)


def holder(run, extra="pass"):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(extra=extra), str(run.path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "locked\n"
    return process


def end_all(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_an_error_names_the_process_with_the_lock(run):
    process = holder(run)
    try:
        expected = rf"being written by process {process.pid} on {socket.gethostname()}, since 20"
        with pytest.raises(InputError, match=expected), run.lock():
            pass
        assert run.owner.pid == process.pid
    finally:
        end_all(process)


def test_a_killed_process_loses_the_lock(run):
    process = holder(run)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert run.owner is None
    with run.lock() as dead:
        assert dead.pid == process.pid
        assert run.owner.pid == os.getpid()
    with run.lock() as dead:
        assert dead is None


def test_a_forked_child_that_outlives_its_parent_does_not_keep_the_lock(run):
    process = holder(run, extra=FORK)
    try:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert _wait_for_lock(run).pid == process.pid  # the child may not run yet
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the child is still there
        process.stdout.close()


def _wait_for_lock(run):
    end = time.monotonic() + 30
    while True:
        try:
            with run.lock() as dead:
                return dead
        except InputError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_the_lock_is_free_after_an_error(run):
    with pytest.raises(ZeroDivisionError), run.lock():
        raise ZeroDivisionError
    assert run.owner is None
    with run.lock():
        pass


def test_the_same_process_cannot_hold_it_twice(run):
    message = f"being written by process {os.getpid()}"
    with run.lock(), pytest.raises(InputError, match=message), run.lock():
        pass


def test_of_many_processes_one_at_a_time_is_inside(run, tmp_path):
    code = """
import sys, time
from pathlib import Path
from ketadask.schema.errors import InputError
from ketadask.store.run_folder import RunFolder
run, inside, count = RunFolder.open(sys.argv[1]), Path(sys.argv[2]), 0
while count < 5:
    try:
        with run.lock():
            inside.touch(exist_ok=False)
            time.sleep(0.002)
            inside.unlink()
            count += 1
    except InputError:
        time.sleep(0.001)
"""
    arguments = [sys.executable, "-c", code, str(run.path), str(tmp_path / "inside")]
    processes = [subprocess.Popen(arguments) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_an_error_names_a_file_system_without_locks(run, monkeypatch, code):
    def refuse(handle, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    expected = rf"{run.path.name}: the file system does not support file locks .*with flock"
    with pytest.raises(InputError, match=expected), run.lock():
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x", "host": 1, "since": ""}'])
def test_an_unreadable_owner_is_no_obstacle(run, content):
    (run.path / "lock").write_text(content)
    assert run.owner is None
    with run.lock() as dead:
        assert dead is None


def test_an_owner_on_another_machine_may_be_alive(run):
    (run.path / "lock").write_text('{"pid": 1, "host": "far-away", "since": "2024"}')
    assert str(run.owner) == "process 1 on far-away, since 2024"
    start = time.monotonic()
    with run.lock() as dead:
        assert dead.host == "far-away"
    assert time.monotonic() - start < 1
