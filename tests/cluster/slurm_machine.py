"""A real SLURM of four nodes on one machine, started and removed by the tests.

Needs the Debian packages slurmctld slurmd slurm-client munge, for accounts and limits also
slurmdbd mariadb-server-core mariadb-client-core, and root, because slurmd must become the job's
user. Every daemon is a child process in the foreground; none is started or ended by name.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "slurmdbd", "mariadbd", "mariadb")
PACKAGES = "slurmctld slurmd slurm-client munge slurmdbd mariadb-server-core mariadb-client-core"
NODES = 4
_LIBC = ctypes.CDLL(None)


def missing():
    """Return the programs this machine lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def wait_for(condition, seconds=60.0, every=0.1, why="", also=lambda: None):
    """Poll until ``condition()`` is true and return it; after ``seconds`` fail with ``why``."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s for {why}\n{also() or ''}")
        time.sleep(every)


def free_ports(count):
    """Return ports that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for server in sockets:
            server.bind(("127.0.0.1", 0))
        return [server.getsockname()[1] for server in sockets]
    finally:
        for server in sockets:
            server.close()


def die_with_parent():
    """Make the kernel end a daemon with the test process (PR_SET_PDEATHSIG)."""
    _LIBC.prctl(1, signal.SIGTERM)


@dataclass
class Slurm:
    """The daemons, their folder, and the environment in which commands reach them."""

    folder: Path
    cpus: int = 4
    memory: int = 4096
    daemons: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in ("etc", "log", "spool", "state", "munge", "mysql"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, *self.folder.parents):
            if folder.stat().st_uid == os.getuid() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o055)
            if folder.name.startswith("pytest-"):
                break
        (self.folder / "munge").chmod(0o711)
        names = ("controller", "database", "accounts", *(f"node{i}" for i in range(1, NODES + 1)))
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.config = self.folder / "etc" / "slurm.conf"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SLURM_")},
            "SLURM_CONF": str(self.config),
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        }

    def call(self, *words, check=True):
        """Return what a command prints."""
        process = subprocess.run(
            words, capture_output=True, text=True, check=False, env=self.environment, timeout=90
        )
        if check and process.returncode:
            raise AssertionError(f"{' '.join(words)}: {process.stderr}{process.stdout}")
        return process.stdout

    def answers(self, *words):
        """Whether a command succeeds."""
        options = {"capture_output": True, "env": self.environment, "timeout": 90}
        return subprocess.run(words, check=False, **options).returncode == 0

    def _start(self, name, *words):
        log = (self.folder / "log" / f"{name}.out").open("ab")
        with log:
            self.daemons[name] = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.folder / "log",
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - started before any thread
            )

    def _stop(self, name, seconds=15):
        process = self.daemons.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def start(self):
        """Bring everything up."""
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(128))
        (munge / "key").chmod(0o600)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        log = f"--log-file={munge / 'log'}"
        self._start("munged", "munged", "--foreground", "--force", *options, log)
        wait_for((munge / "socket").exists, why="munge", also=self.log_ends)
        self._configure()
        self._start_accounting()
        self.start_controller()
        for i in range(1, NODES + 1):
            self.start_node(f"node{i}")
        wait_for(lambda: len(self.nodes("idle")) == NODES, why="the nodes", also=self.log_ends)
        return self

    def _start_accounting(self):
        folder = self.folder / "mysql"
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={folder / 'data'}"]
        install += ["--user=root", "--auth-root-authentication-method=normal", "--skip-test-db"]
        self.call(*install)
        options = [
            *("--no-defaults", "--user=root", f"--datadir={folder / 'data'}"),
            *(f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"),
            *("--bind-address=127.0.0.1", f"--port={self.ports['database']}"),
            *("--innodb-buffer-pool-size=128M", "--innodb-log-file-size=64M"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-lock-wait-timeout=900"),
            *("--skip-log-bin", "--performance-schema=off"),
        ]
        self._start("mariadbd", "mariadbd", *options)
        ask = ["mariadb", "--no-defaults", f"--socket={folder / 'socket'}", "-u", "root", "-e"]
        wait_for(lambda: self.answers(*ask, "select 1"), why="mariadb", also=self.log_ends)
        self.call(
            *ask,
            "CREATE DATABASE slurm_acct_db; "
            "CREATE USER slurm@127.0.0.1 IDENTIFIED BY 'slurm'; "
            "CREATE USER slurm@localhost IDENTIFIED BY 'slurm'; "
            "GRANT ALL ON slurm_acct_db.* TO slurm@127.0.0.1; "
            "GRANT ALL ON slurm_acct_db.* TO slurm@localhost;",
        )
        self._start("slurmdbd", "slurmdbd", "-D")
        command = ["sacctmgr", "-n", "-i", "list", "cluster"]
        wait_for(lambda: self.answers(*command), why="slurmdbd", also=self.log_ends)
        for words in (
            "cluster keta",
            "account lab Cluster=keta",
            "user root Account=lab",
            "qos tight MaxJobsPU=1 MaxSubmitJobsPU=2",
        ):
            self.call("sacctmgr", "-i", "-Q", "add", *words.split())
        self.call("sacctmgr", "-i", "-Q", "modify", "user", "root", "set", "qos+=tight")

    def start_controller(self):
        """Start the controller with its saved state."""
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.config))
        wait_for(lambda: self.answers("scontrol", "ping"), why="slurmctld", also=self.log_ends)

    def stop_controller(self):
        """Stop the controller; jobs continue."""
        self._stop("slurmctld", 30)

    def start_node(self, name):
        """Start the daemon of a node."""
        self._start(name, "slurmd", "-D", "-N", name, "-f", str(self.config))

    def nodes(self, states):
        """Return the names of the nodes in some states."""
        words = ("sinfo", "-h", "-N", "-p", "main", "-t", states, "-o", "%N")
        return set(self.call(*words, check=False).split())

    def jobs(self, *options):
        """Return the ids of the jobs on the queue."""
        return self.call("squeue", "-h", "-o", "%i", *options).split()

    def clear(self):
        """Cancel every job and wait until none is left."""
        if self.jobs():
            self.call("scancel", *self.jobs(), check=False)
        wait_for(lambda: not self.jobs(), 90, why="an empty queue")

    def log_ends(self):
        """Return the ends of all logs."""
        logs = [*(self.folder / "log").iterdir(), self.folder / "munge" / "log"]
        texts = {log: log.read_text(errors="replace")[-1500:] for log in logs if log.is_file()}
        return "\n".join(f"--- {log}\n{text}" for log, text in texts.items())

    def stop(self):
        """End jobs, then daemons."""
        if "slurmctld" in self.daemons:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                self.clear()
        for name in list(self.daemons)[::-1]:
            self._stop(name)

    def _configure(self):
        kill = _POLL_MEMORY
        (self.folder / "etc" / "cgroup.conf").write_text(
            "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainRAMSpace=no\n"
        )
        host = socket.gethostname().split(".")[0]
        for i in range(1, NODES + 1):
            (self.folder / "spool" / f"node{i}").mkdir(exist_ok=True)
        nodes = "\n".join(
            f"NodeName=node{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.ports[f'node{i}']}"
            for i in range(1, NODES + 1)
        )
        self.config.write_text(
            _SLURM.format(
                host=host,
                folder=self.folder,
                cpus=self.cpus,
                memory=self.memory,
                kill=kill,
                nodes=nodes,
                last=NODES,
                **self.ports,
            )
        )
        database = self.folder / "etc" / "slurmdbd.conf"
        database.write_text(_DATABASE.format(host=host, folder=self.folder, **self.ports))
        database.chmod(0o600)


_POLL_MEMORY = (
    "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n"
    "JobAcctGatherType=jobacct_gather/linux\nJobAcctGatherFrequency=task=1\n"
    "JobAcctGatherParams=OverMemoryKill"
)

_SLURM = """\
ClusterName=keta
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/%n.log
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
{kill}
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ReturnToService=1
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,requeue_delay=1
KillWait=5
CompleteWait=0
SlurmctldTimeout=10
SlurmdTimeout=20
BatchStartTimeout=30
MessageTimeout=20
InactiveLimit=0
MinJobAge=300
OverTimeLimit=0
JobRequeue=1
EnforcePartLimits=ALL
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PriorityType=priority/basic
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounts}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations,limits,qos
DefMemPerCPU=256
NodeName=DEFAULT CPUs={cpus} RealMemory={memory} State=UNKNOWN
{nodes}
PartitionName=DEFAULT Nodes=node[1-{last}] State=UP PreemptMode=OFF DefaultTime=00:01:00
PartitionName=main Default=YES LLN=YES MaxTime=1-00:00:00 PriorityTier=10
PartitionName=short MaxTime=00:02:00 PriorityTier=20
"""

_DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={accounts}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
