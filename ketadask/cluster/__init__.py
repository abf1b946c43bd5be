"""Where the work runs: one executor, whether that is this thread, a pool or a Dask cluster."""

from ketadask.cluster.connect import connect
from ketadask.cluster.executor import Executor, TaskFailure
from ketadask.cluster.profile import KINDS, Profile

__all__ = ["KINDS", "Executor", "Profile", "TaskFailure", "connect"]
