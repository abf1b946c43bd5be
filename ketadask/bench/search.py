"""Speed of the exact search on one core.

``ketadask bench search`` prints seconds and candidates per second at every depth, the unpruned
inner loop beside the bit counting rate of this machine, large cohorts, and the cost of
compilation. ``--growth`` times the search for increasing numbers of features and units. Times are
processor seconds unless marked wall.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

from ketadask.bench.timing import (
    describe_processor,
    format_fraction,
    format_value,
    one_core,
    print_table,
    processor_line,
    run_part,
)

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
    parser.add_argument("--part", choices=sorted(_PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--ceiling", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args(list(words))
    with one_core():
        if options.part:
            print(json.dumps(_PARTS[options.part](options)))
            return 0
        results = measure_search(growth=options.growth)
    if options.json:
        print(json.dumps(results))
    else:
        _print_results(results)
    return 0


def measure_search(*, growth: bool = False) -> dict[str, Any]:
    """Measure each part in its own process, one after the other, on one core."""
    if growth:
        return {"machine": describe_processor(), "growth": _part("growth")}
    rates = _part("rates")
    return {
        "machine": describe_processor(),
        "depths": _part("depths"),
        "rates": rates,
        "large_cohorts": _part("many", "--ceiling", str(rates["ceiling"])),
        "compile": _part("compile"),
    }


def _part(name: str, *options: str) -> Any:
    return run_part("search", name, *options)


def _depths(options: argparse.Namespace) -> Any:
    from ketadask.bench.search_growth import depths

    return depths()


def _rates(options: argparse.Namespace) -> Any:
    from ketadask.bench.ceiling import inner_rates

    return inner_rates()


def _large_cohorts(options: argparse.Namespace) -> Any:
    from ketadask.bench.search_growth import large_cohorts

    return large_cohorts(options.ceiling)


def _growth(options: argparse.Namespace) -> Any:
    from ketadask.bench.search_growth import growth

    return growth()


def _compile(options: argparse.Namespace) -> Any:
    from ketadask.bench.search_compile import compile_times

    return compile_times()


_PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "depths": _depths,
    "rates": _rates,
    "many": _large_cohorts,
    "growth": _growth,
    "compile": _compile,
}


def _print_results(results: dict[str, Any]) -> None:
    print(processor_line())
    if "growth" in results:
        print_table(
            "Growth: the best persona of up to 3 literals, with proof", _GROWTH, results["growth"]
        )
        return
    depths, rates = results["depths"], results["rates"]
    print_table(
        f"Search of {depths['literals']:,} literals: medians over relabelled trials",
        _DEPTHS,
        depths["rows"],
    )
    print(f"peak memory of the whole process: {depths['peak_memory']:.0f} MB (at most 400)")
    ceiling = format_value(rates["ceiling"])
    print(f"bit counting rate of this machine: {ceiling} words/s (AND, count, add)")
    print(
        f"inner loop, one word, nothing pruned: {format_value(rates['candidates'])} candidates/s = "
        f"{format_value(rates['words'])} words/s, {format_fraction(rates['ratio'])} of that"
    )
    for row in rates["many"]:
        print(
            f"inner loop, {row['words_per_cover']} words: {format_value(row['words'])} words/s, "
            f"{format_fraction(row['ratio'])} of that"
        )
    print_table(
        "Large cohorts, whole searches",
        _MANY,
        [{**row, "share": format_fraction(row["ratio"])} for row in results["large_cohorts"]],
    )
    times = results["compile"]
    print(
        f"compiling: {format_value(times['cold'])} s processor seconds, "
        f"{format_value(times['cached'])} s from the cache"
    )
