"""The exact search on one core: ``ketadask bench search``.

Prints, in one run: seconds and candidates per second at every depth; the loop nothing is pruned
from, beside the bit counting this machine is capable of; large cohorts; what compiling costs; and
pysubgroup on the same literals, where an environment with it is given. ``--growth`` times the
search as features and units become more. Timed are processor seconds, unless it says wall.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ketadask.bench.timing import describe_processor, machine_line, one_core, said, share, show
from ketadask.schema.errors import InputError

_DEPTHS = {
    "depth": "literals", "units": "units", "keep": "best", "candidates": "candidates",
    "seconds": "wall s", "at_most": "at most", "slowest": "slowest s", "cpu_seconds": "CPU s",
    "candidates_per_second": "candidates/s", "screened": "screened", "proven": "proven",
}  # fmt: skip
_MANY = {
    "units": "units", "search": "search", "depth": "literals", "cpu_seconds": "CPU s",
    "screened": "screened", "candidates_per_second": "candidates/s", "words": "words/s",
    "share": "of ceiling",
}  # fmt: skip
_GROWTH = {
    "units": "units", "features": "features", "literals": "literals", "candidates": "candidates",
    "relabellings": "trials", "cpu_seconds": "CPU s", "candidates_per_second": "candidates/s",
    "screened": "screened", "proven": "proven",
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Measure and print; see ``ketadask bench search --help``."""
    parser = argparse.ArgumentParser(prog="ketadask bench search", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--growth", action="store_true", help="the table of growth instead")
    parser.add_argument(
        "--pysubgroup", type=Path, metavar="PYTHON",
        help="python of an environment of its own that holds pysubgroup",
    )  # fmt: skip
    parser.add_argument("--part", choices=sorted(_PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--ceiling", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args(list(words))
    if asked.pysubgroup is not None and not asked.pysubgroup.exists():
        raise InputError(
            "no such file", where="--pysubgroup", value=str(asked.pysubgroup),
            remedy="give the python of an environment that holds pysubgroup",
        )  # fmt: skip
    with one_core():
        if asked.part:
            print(json.dumps(_PARTS[asked.part](asked)))
            return 0
        found = measure_search(growth=asked.growth, pysubgroup=asked.pysubgroup)
    if asked.json:
        print(json.dumps(found))
    else:
        _show(found)
    return 0


def measure_search(*, growth: bool = False, pysubgroup: Path | None = None) -> dict[str, Any]:
    """Measure each part in a process of its own, one after the other, on one core."""
    if growth:
        return {"machine": describe_processor(), "growth": _part("growth")}
    rates = _part("rates")
    found: dict[str, Any] = {
        "machine": describe_processor(),
        "depths": _part("depths"),
        "rates": rates,
        "many_words": _part("many", "--ceiling", str(rates["ceiling"])),
        "compile": _part("compile"),
    }
    if pysubgroup is not None:
        found["pysubgroup"] = _part("peer", "--pysubgroup", str(pysubgroup))
    return found


def _part(name: str, *more: str) -> Any:
    command = [sys.executable, "-m", "ketadask", "bench", "search", "--part", name, *more]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.returncode)
    return json.loads(ended.stdout)


def _depths(asked: argparse.Namespace) -> Any:
    from ketadask.bench.search_growth import depths

    return depths()


def _rates(asked: argparse.Namespace) -> Any:
    from ketadask.bench.ceiling import inner_rates

    return inner_rates()


def _many(asked: argparse.Namespace) -> Any:
    from ketadask.bench.search_growth import many_words

    return many_words(asked.ceiling)


def _growth(asked: argparse.Namespace) -> Any:
    from ketadask.bench.search_growth import growth

    return growth()


def _compile(asked: argparse.Namespace) -> Any:
    from ketadask.bench.search_compile import compile_times

    return compile_times()


def _peer(asked: argparse.Namespace) -> Any:
    from tests.benchmarks.peer import compare

    return compare(asked.pysubgroup)


_PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "depths": _depths,
    "rates": _rates,
    "many": _many,
    "growth": _growth,
    "compile": _compile,
    "peer": _peer,
}


def _show(found: dict[str, Any]) -> None:
    print(machine_line())
    if "growth" in found:
        show("Growth: the best persona of up to 3 literals, with proof", _GROWTH, found["growth"])
        return
    depths, rates = found["depths"], found["rates"]
    show(
        f"Search of {depths['literals']:,} literals: medians over relabelled trials",
        _DEPTHS,
        depths["rows"],
    )
    print(f"peak memory of the whole process: {depths['peak_memory']:.0f} MB (at most 400)")
    print(f"this machine counts at most {said(rates['ceiling'])} words/s (AND, count, add)")
    print(
        f"inner loop, one word, nothing pruned: {said(rates['candidates'])} candidates/s = "
        f"{said(rates['words'])} words/s, {share(rates['ratio'])} of that"
    )
    for row in rates["many"]:
        print(
            f"inner loop, {row['words_per_cover']} words: {said(row['words'])} words/s, "
            f"{share(row['ratio'])} of that"
        )
    show(
        "Large cohorts, whole searches",
        _MANY,
        [{**row, "share": share(row["ratio"])} for row in found["many_words"]],
    )
    times = found["compile"]
    print(
        f"compiling: {said(times['cold'])} s of the processor once, "
        f"{said(times['cached'])} s from the cache"
    )
    if "pysubgroup" in found:
        _show_peer(found["pysubgroup"])


def _show_peer(peer: dict[str, Any]) -> None:
    columns = {
        "who": "who", "seconds": "wall s", "cpu_seconds": "CPU s", "quality": "best quality",
    }  # fmt: skip
    show(
        f"{peer['selectors']:,} literals, depth {peer['depth']}, one core",
        columns,
        [
            {"who": "ketadask", **peer["ours"]},
            {"who": f"pysubgroup {peer['version']}", **peer["theirs"]},
        ],
    )
    worth = "at least as good" if peer["as_good"] else "WORSE"
    print(f"ratio {peer['ratio']:,.0f}; our best is {worth} by the same formula")
