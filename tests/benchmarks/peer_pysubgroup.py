"""Run by the Python of another environment: pysubgroup on literals handed over in a file.

``python peer_pysubgroup.py IN.npz OUT.json`` needs pysubgroup, numpy and pandas, not ketadask.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib.metadata import version


def search(given: str, out: str) -> None:
    """Search the literals in the file ``given``; write seconds, best quality and its literals.

    Of pysubgroup's algorithms that finish, this one was the fastest here.
    """
    import numpy as np
    import pandas as pd
    import pysubgroup as ps

    with np.load(given) as data:
        holds, score = data["holds"], data["score"]
        depth, least = int(data["depth"]), int(data["min_support"])
    names = [f"literal_{i}" for i in range(len(holds))]
    table = pd.DataFrame({**dict(zip(names, holds, strict=True)), "score": score})
    wall, cpu = time.perf_counter(), time.process_time()
    task = ps.SubgroupDiscoveryTask(
        table,
        ps.NumericTarget("score"),
        [ps.EqualitySelector(name, True) for name in names],
        result_set_size=1,
        depth=depth,
        qf=ps.StandardQFNumeric(0.5, estimator="order"),
        constraints=[ps.MinSupportConstraint(least)],
    )
    found = ps.DFS(ps.BitSetRepresentation).execute(task)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    quality, best = found.to_descriptions()[0][:2]
    answer = {
        "version": version("pysubgroup"),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "quality": float(quality),
        "literals": sorted(int(each.attribute_name.split("_")[1]) for each in best.selectors),
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }
    with open(out, "w") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    search(sys.argv[1], sys.argv[2])
