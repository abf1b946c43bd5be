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
from ketadask.config.reading import read_settings
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


def kill_once(mark: str) -> int:
    if not Path(mark).exists():
        Path(mark).write_text("died")
        os.kill(os.getpid(), signal.SIGKILL)
    return 7


def kill_always() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def problem() -> bytes:
    return bytes(1 << 20)


def whose(problem: bytes, i: int) -> int:
    time.sleep(1.2)
    return os.getpid()


def slow(seconds: float, mark: str) -> None:
    Path(mark).write_text("begun")
    time.sleep(seconds)


def test_few_long_tasks_on_one_problem_are_shared_from_the_start():
    """Dask keeps them where the problem is until it has seen how long they take."""
    shared = delayed(problem)()
    with connect(PROFILES[2]) as executor:
        of = executor.compute([delayed(whose)(shared, i) for i in range(4)])
        done = Counter(worker for _, worker in of)
    assert sorted(done.values()) == [2, 2]


@pytest.fixture(scope="module")
def local():
    """One cluster for all tests that harm no worker of it."""
    with connect(PROFILES[2]) as made:
        yield made


@pytest.fixture(params=PROFILES, ids=lambda p: p.kind)
def executor(request):
    if request.param.kind == "local":
        yield request.getfixturevalue("local")
    else:
        with connect(request.param) as made:
            yield made


def test_results_come_with_their_position_and_one_failure_sinks_nothing(executor):
    tasks = [delayed(square)(x, dask_key_name=f"square-{x}") for x in range(40)]
    results = dict(executor.compute(tasks))
    assert sorted(results) == list(range(40))
    assert [results[x] for x in range(40) if x != 3] == [x * x for x in range(40) if x != 3]
    wrong = results[3]
    assert isinstance(wrong, TaskFailure)
    assert str(wrong) == "square-3: ValueError: three is wrong"
    assert "square" in wrong.trace


def test_leaving_early_is_clean(executor):
    for index, _ in executor.compute([delayed(square)(x) for x in range(50)]):
        assert index < 50
        break
    assert dict(executor.compute([delayed(square)(5)])) == {0: 25}


def test_no_tasks_no_results(executor):
    assert list(executor.compute([])) == []


def ask_as_a_stranger(port: int) -> None:
    """Listen to a server of this machine without a certificate it knows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        context.wrap_socket(raw) as wrapped,
    ):
        # It says no once bytes are asked for.
        if not wrapped.recv(1):
            raise ConnectionError("closed")


def test_nobody_else_on_the_machine_can_run_code_on_local_workers(local):
    address = local._client.scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    assert all(worker.startswith("tls://127.0.0.1:") for worker in local._client.nthreads())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask_as_a_stranger(int(address.rpartition(":")[2]))
    assert dict(local.compute([delayed(square)(5)])) == {0: 25}


def test_more_tasks_than_the_window(local, monkeypatch):
    monkeypatch.setattr(local, "window", 8)
    results = dict(local.compute([delayed(abs)(-x, pure=False) for x in range(50)]))
    assert results == {x: x for x in range(50)}


def test_workers_have_one_thread_and_a_log_on_loopback(tmp_path):
    profile = Profile(kind="local", workers=1, memory_limit="400MiB")
    with connect(profile, logs=tmp_path) as executor:
        assert dict(executor.compute([delayed(environment)()])) == {0: "11"}
        assert executor.dashboard.startswith("http://127.0.0.1:")
        assert executor.workers == 1
    assert any("started" in p.read_text() for p in tmp_path.glob("worker-*.log"))


def memory_settings() -> list[object]:
    import dask

    return [dask.config.get(f"distributed.worker.memory.{name}") for name in ("pause", "spill")]


def test_a_worker_is_never_paused_for_ever(local):
    assert dict(local.compute([delayed(memory_settings)()])) == {0: [False, False]}


def test_a_killed_worker_is_replaced_and_its_task_repeated(tmp_path, capfd):
    with connect(PROFILES[2], logs=tmp_path) as executor:
        tasks = [delayed(kill_once)(str(tmp_path / "mark")), delayed(square)(4)]
        assert dict(executor.compute(tasks)) == {0: 7, 1: 16}
        assert len(executor.events) == 1
        assert "lost" in executor.events[0]
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_task_that_kills_every_worker_fails_with_its_remedy(tmp_path):
    profile = Profile(
        kind="local", workers=2, memory_limit="400MiB", dashboard=False, allowed_failures=1
    )
    with connect(profile) as executor:
        tasks = [delayed(kill_always)(), *(delayed(square)(x) for x in (4, 5))]
        results = dict(executor.compute(tasks))
        # Leaving while a worker begins again may wait until it gives up looking for its scheduler.
        executor._client.wait_for_workers(2, timeout=60)
    assert results[1] == 16
    assert results[2] == 25
    assert "died 2 times" in str(results[0])
    assert "memory_limit" in str(results[0])


def test_the_death_of_a_piece_is_held_against_the_task_it_belongs_to():
    shared = delayed(square)(2)
    pieces = [delayed(wait_long)(shared), delayed(square)(5)]
    tasks = [delayed(sum)(pieces), delayed(square)(shared)]
    # Room for one task more than there are pieces, whichever is begun first.
    profile = Profile(
        kind="local", workers=1, threads_per_worker=3, memory_limit="400MiB", dashboard=False
    )
    with connect(profile) as executor:
        executor._tries = 3
        running = executor.compute(tasks)
        assert next(running) == (1, 16)
        for _ in range(3):
            executor.blame([str(pieces[0].key)], "out of memory")
            executor.blame([str(shared.key)], "in everybody's way")
        ((index, failure),) = running
    assert index == 0
    assert isinstance(failure.error, MemoryError)
    assert "died 3 times: out of memory" in str(failure)


def wait_long(x):
    time.sleep(20)


def settle_once(folder: str) -> int:
    """Give a result once, and die when told to; whoever computes it again dies at once."""
    marks = {name: Path(folder) / name for name in ("go", "made", "die")}
    if marks["made"].exists():
        kill_always()
    wait_until(marks["go"].exists)
    marks["made"].touch()

    def end():
        wait_until(marks["die"].exists)
        kill_always()

    threading.Thread(target=end, daemon=True).start()
    return 7


def wait_until(what, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_result_that_is_lost_before_it_was_fetched_sinks_nothing(tmp_path):
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
            if index == 0:  # fetch nothing more before the worker has died of the other task
                (tmp_path / "go").touch()
                wait_until(lambda: executor._client.who_has().get("settled"))
                (tmp_path / "die").touch()
                wait_until(lambda: len(executor.events) >= 2)
    assert results[0] == 4
    assert "died 1 times" in str(results[1])


def test_a_result_that_is_lost_while_it_is_fetched_is_a_failure():
    """Between a look at the state of a task and its result the worker that holds it may die."""
    from distributed import KilledWorker

    from ketadask.cluster.dask_executor import _result

    class Late:
        status = "finished"

        def result(self):
            raise KilledWorker("settled", "tcp://127.0.0.1:1", 0)

    failed = _result(Late(), delayed(square)(2, dask_key_name="settled"))
    assert isinstance(failed, TaskFailure)
    assert isinstance(failed.error, KilledWorker)
    assert failed.task == "settled"


@pytest.mark.slow
def test_a_worker_that_is_slow_to_start_again_is_waited_for(tmp_path, monkeypatch):
    """Longer than the 15 s after which dask gives a worker up."""
    (tmp_path / "sluggish.py").write_text(
        "import os, pathlib, time\n"
        "time.sleep(20 if pathlib.Path(os.environ['KETADASK_TEST_MARK']).exists() else 0)\n"
    )
    monkeypatch.setenv("KETADASK_TEST_MARK", str(tmp_path / "mark"))
    preload = {"distributed.worker.preload": [str(tmp_path / "sluggish.py")]}
    profile = Profile(kind="local", workers=1, memory_limit="400MiB", dashboard=False)
    said = []
    with dask.config.set(preload), connect(profile, say=said.append) as executor:
        tasks = [delayed(kill_once)(str(tmp_path / "mark"))]
        assert dict(executor.compute(tasks)) == {0: 7}
    assert len(said) == 1
    assert "its tasks restart" in said[0]


def test_cores_are_those_of_the_job(monkeypatch):
    from ketadask.store.environment import cores

    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    assert cores() >= 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    assert cores() == 1


def test_an_address_is_joined():
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


def test_certificates_that_are_not_there_are_named(tmp_path):
    profile = Profile(kind="address", address="tls://127.0.0.1:9", certificates=tmp_path)
    with pytest.raises(InputError, match=r"ca\.pem: no such certificate"), connect(profile):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: locl\n", ["kind", "did you mean 'local'"]),
        ("kind: local\nwokers: 2\n", ["wokers", "did you mean 'workers'"]),
        ("workers: two\n", ["workers", "whole number"]),
        ("memory_limit: lots\n", ["memory_limit", "2GiB", "'lots'"]),
        ("memory_limit: 1MiB\n", ["memory_limit", "too little"]),
        ("kind: address\n", ["address", "tcp://"]),
        ("kind: local\naddress: tcp://a:1\n", ["takes no address"]),
        ("kind: local\nstages: {extract: {walltime: '1:00'}}\n", ["no stages.extract.walltime"]),
        ("kind: threads\nstages: {search: {memory: 1GiB}}\n", ["no stages.search.memory"]),
        ("kind: local\nstages: {extrct: {workers: 1}}\n", ["did you mean 'stages.extract'"]),
        ("kind: local\nstages: {extract: {memory: 1MiB}}\n", ["too little", "300MiB"]),
    ],
)
def test_a_wrong_profile_is_told(tmp_path, text, words):
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_settings(path, Profile)
    for word in words:
        assert word in str(caught.value)


def test_every_key_of_a_profile_is_documented():
    for name, field in Profile.model_fields.items():
        assert field.description, name


def test_the_profiles_of_the_repository_are_valid():
    for path in (Path(__file__).parents[2] / "config" / "cluster").glob("*.yaml"):
        assert read_settings(path, Profile)
