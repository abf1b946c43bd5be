"""One test body over all executors: same results, failures as values, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections import Counter
from pathlib import Path

import dask
import pytest
from dask import delayed

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.pipeline.executor import TaskFailure
from ketadask.schema.errors import InputError

PROFILES = [
    Profile(kind="synchronous"),
    Profile(kind="threads", workers=2),
    Profile(kind="local", workers=2, memory_limit="400MiB", dashboard=False),
]


def square(x: int) -> int:
    if x == 3:
        raise ValueError("three is wrong\nand a second line")
    return x * x


def environment() -> str:
    return os.environ["OMP_NUM_THREADS"] + os.environ["NUMBA_NUM_THREADS"]


def kill_once(marker: str) -> int:
    if not Path(marker).exists():
        Path(marker).write_text("dead")
        os.kill(os.getpid(), signal.SIGKILL)
    return 7


def kill_always() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def problem() -> bytes:
    return bytes(1 << 20)


def process_of(problem: bytes, i: int) -> int:
    time.sleep(1.2)
    return os.getpid()


def test_long_tasks_on_one_problem_use_all_workers_from_the_start():
    """By default dask sends them to one worker until it has measured their duration."""
    node = delayed(problem)()
    with connect(PROFILES[2]) as executor:
        results = executor.compute([delayed(process_of)(node, i) for i in range(4)])
        tasks_of_worker = Counter(worker for _, worker in results)
    assert len(tasks_of_worker) == 2


@pytest.fixture(scope="module")
def local():
    """One cluster for all tests that kill no worker."""
    with connect(PROFILES[2]) as executor:
        yield executor


@pytest.fixture(params=PROFILES, ids=lambda p: p.kind)
def executor(request):
    if request.param.kind == "local":
        yield request.getfixturevalue("local")
    else:
        with connect(request.param) as executor:
            yield executor


def test_results_come_with_their_index_and_one_failure_stops_no_other_task(executor):
    tasks = [delayed(square)(x, dask_key_name=f"square-{x}") for x in range(40)]
    results = dict(executor.compute(tasks))
    assert sorted(results) == list(range(40))
    assert [results[x] for x in range(40) if x != 3] == [x * x for x in range(40) if x != 3]
    failure = results[3]
    assert isinstance(failure, TaskFailure)
    assert str(failure) == "square-3: ValueError: three is wrong"
    assert "square" in failure.trace


def test_leaving_early_is_clean(executor):
    for index, _ in executor.compute([delayed(square)(x) for x in range(50)]):
        assert index < 50
        break
    assert dict(executor.compute([delayed(square)(5)])) == {0: 25}


def test_no_tasks_no_results(executor):
    assert list(executor.compute([])) == []


def connect_without_certificate(port: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        context.wrap_socket(raw) as connection,
    ):
        if not connection.recv(1):  # TLS 1.3 reports the rejection with the first bytes
            raise ConnectionError("closed")


def test_other_users_cannot_connect_to_local_workers(local):
    address = local._client.scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    assert all(worker.startswith("tls://127.0.0.1:") for worker in local._client.nthreads())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect_without_certificate(int(address.rpartition(":")[2]))
    assert dict(local.compute([delayed(square)(5)])) == {0: 25}


def test_more_tasks_than_the_window(local, monkeypatch):
    monkeypatch.setattr(local, "window", 8)
    results = dict(local.compute([delayed(abs)(-x, pure=False) for x in range(50)]))
    assert results == {x: x for x in range(50)}


def test_workers_have_one_thread_and_a_log_on_loopback(tmp_path):
    profile = Profile(kind="local", workers=1, memory_limit="400MiB")
    with connect(profile, logs=tmp_path) as executor:
        assert dict(executor.compute([delayed(environment)()])) == {0: "11"}
        assert executor.workers == 1
    assert any("started" in p.read_text() for p in tmp_path.glob("worker-*.log"))


def memory_settings() -> list[object]:
    return [dask.config.get(f"distributed.worker.memory.{name}") for name in ("pause", "spill")]


def test_workers_do_not_pause(local):
    assert dict(local.compute([delayed(memory_settings)()])) == {0: [False, False]}


def test_a_new_worker_repeats_the_task_of_a_killed_one(tmp_path, capfd):
    with connect(PROFILES[2], logs=tmp_path) as executor:
        tasks = [delayed(kill_once)(str(tmp_path / "mark")), delayed(square)(4)]
        assert dict(executor.compute(tasks)) == {0: 7, 1: 16}
        assert len(executor.events) == 1
        assert "lost" in executor.events[0]
    output = capfd.readouterr()
    assert output.out + output.err == ""


def test_a_task_that_kills_every_worker_fails_with_its_remedy(tmp_path):
    profile = Profile(
        kind="local", workers=2, memory_limit="400MiB", dashboard=False, allowed_failures=1
    )
    with connect(profile) as executor:
        tasks = [delayed(kill_always)(), *(delayed(square)(x) for x in (4, 5))]
        results = dict(executor.compute(tasks))
        # Closing while a worker restarts may wait until it stops looking for its scheduler.
        executor._client.wait_for_workers(2, timeout=60)
    assert results[1] == 16
    assert results[2] == 25
    assert "2 workers died" in str(results[0])
    assert "memory_limit" in str(results[0])


def test_the_death_of_a_part_counts_against_its_task():
    node = delayed(square)(2)
    parts = [delayed(wait_long)(node), delayed(square)(5)]
    tasks = [delayed(sum)(parts), delayed(square)(node)]
    # One thread more than there are parts, whichever starts first.
    profile = Profile(
        kind="local", workers=1, threads_per_worker=3, memory_limit="400MiB", dashboard=False
    )
    with connect(profile) as executor:
        executor._tries = 3
        running = executor.compute(tasks)
        assert next(running) == (1, 16)
        for _ in range(3):
            executor.blame([str(parts[0].key)], "out of memory")
            executor.blame([str(node.key)], "of both tasks")
        ((index, failure),) = running
    assert index == 0
    assert isinstance(failure.error, MemoryError)
    assert "3 workers died while they computed it: out of memory" in str(failure)


def wait_long(x):
    time.sleep(20)


def settle_once(folder: str) -> int:
    """Return a result once, and die when the file ``die`` appears; a second call dies at once."""
    files = {name: Path(folder) / name for name in ("go", "result", "die")}
    if files["result"].exists():
        kill_always()
    wait_until(files["go"].exists)
    files["result"].touch()

    def end():
        wait_until(files["die"].exists)
        kill_always()

    threading.Thread(target=end, daemon=True).start()
    return 7


def wait_until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_result_lost_before_the_driver_fetches_it_is_a_failure(tmp_path):
    profile = Profile(
        kind="local",
        workers=1,
        threads_per_worker=2,
        memory_limit="400MiB",
        dashboard=False,
        allowed_failures=0,
    )
    with connect(profile) as executor:
        tasks = [
            delayed(square)(2, dask_key_name="first"),
            delayed(settle_once)(str(tmp_path), dask_key_name="settled"),
        ]
        results = {}
        for index, result in executor.compute(tasks):
            results[index] = result
            if index == 0:  # fetch nothing before the other task has killed the worker
                (tmp_path / "go").touch()
                wait_until(lambda: executor._client.who_has().get("settled"))
                (tmp_path / "die").touch()
                wait_until(lambda: len(executor.events) >= 2)
    assert results[0] == 4
    assert "1 workers died" in str(results[1])


def test_a_result_lost_during_the_fetch_is_a_failure():
    from distributed import KilledWorker

    from ketadask.cluster.dask_executor import task_result

    class Late:
        status = "finished"

        def result(self):
            raise KilledWorker("settled", "tcp://127.0.0.1:1", 0)

    failure = task_result(Late(), delayed(square)(2, dask_key_name="settled"))
    assert isinstance(failure, TaskFailure)
    assert isinstance(failure.error, KilledWorker)
    assert failure.task == "settled"


def test_a_result_lost_with_its_worker_is_computed_again():
    from ketadask.cluster.dask_executor import task_result

    class Lost:
        status = "lost"

        def exception(self):
            return None

        def result(self):
            return 4

    assert task_result(Lost(), delayed(square)(2)) == 4


@pytest.mark.slow
def test_the_driver_waits_for_a_slow_restart(tmp_path, monkeypatch):
    """Dask by default waits 15 s."""
    (tmp_path / "sluggish.py").write_text(
        "import os, pathlib, time\n"
        "time.sleep(20 if pathlib.Path(os.environ['KETADASK_TEST_MARK']).exists() else 0)\n"
    )
    monkeypatch.setenv("KETADASK_TEST_MARK", str(tmp_path / "mark"))
    preload = {"distributed.worker.preload": [str(tmp_path / "sluggish.py")]}
    profile = Profile(kind="local", workers=1, memory_limit="400MiB", dashboard=False)
    lines = []
    with dask.config.set(preload), connect(profile, say=lines.append) as executor:
        tasks = [delayed(kill_once)(str(tmp_path / "mark"))]
        assert dict(executor.compute(tasks)) == {0: 7}
    assert len(lines) == 1
    assert "its tasks restart" in lines[0]


def test_cores_are_those_of_the_job(monkeypatch):
    from ketadask.store.environment import cores

    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    assert cores() >= 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    assert cores() == 1


def test_connect_to_an_address():
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        protocol="tcp",
        processes=False,
    ) as cluster:
        profile = Profile(kind="address", address=cluster.scheduler_address)
        with connect(profile) as executor:
            assert dict(executor.compute([delayed(square)(6)])) == {0: 36}


def test_an_error_names_a_missing_certificate(tmp_path):
    profile = Profile(kind="address", address="tls://127.0.0.1:9", certificates=tmp_path)
    with pytest.raises(InputError, match=r"ca\.pem: no such certificate"), connect(profile):
        pass
