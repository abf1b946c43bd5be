"""What the verdicts are worth, in simulated trials with known truth.

``python -m tests.benchmarks.validity error`` counts false claims in trials without any persona;
``power`` detections of planted personas, beside those of the former method; ``coverage`` the
intervals that cover the true difference in benefit; ``sites`` claims of whole studies with three
sites that differ; ``beyond`` second findings in trials with exactly one persona. Finished
repetitions are stored and used again; ``--trials`` may grow.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence

import pandas as pd

from tests.benchmarks.detection_rates import detection_markdown, detection_table, planted_cells
from tests.benchmarks.error_rates import METHODS, error_cells, error_markdown, error_table
from tests.benchmarks.interval_coverage import coverage_cells, coverage_markdown, coverage_table
from tests.benchmarks.repeated import Bench, benchmark_parser, open_benchmark
from tests.benchmarks.second_findings import findings_markdown, findings_summary
from tests.benchmarks.site_studies import studies_markdown, studies_table


def main(words: Sequence[str]) -> int:
    """Simulate the trials and print a Markdown table."""
    options = _parser().parse_args(list(words))
    warnings.filterwarnings("ignore", message="divide|invalid value")
    compute, format_markdown = _TABLES[options.what]
    sizes = {"trials": options.trials, "relabellings": options.relabellings}
    settings = {name: count for name, count in sizes.items() if count}
    with open_benchmark(options) as bench:
        table = compute(bench, options, seed=options.seed, **settings)
    print(table.to_csv(index=False).rstrip() if options.csv else format_markdown(table))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = benchmark_parser("validity", __doc__)
    parser.add_argument("what", choices=list(_TABLES))
    parser.add_argument("--trials", type=int, help="trials of each kind")
    parser.add_argument("--kinds", default="", help="only kinds whose name contains this text")
    parser.add_argument("--designs", nargs="*", default=(), help="only these designs")
    parser.add_argument("--sizes", nargs="*", type=int, default=(), help="only these participants")
    parser.add_argument("--features", nargs="*", type=int, default=(), help="only so many features")
    parser.add_argument("--depths", nargs="*", type=int, default=(2, 3), help="literals, of error")
    parser.add_argument("--method", choices=METHODS, default="current", help="of ``error``")
    parser.add_argument("--relabellings", type=int, help="relabelled trials of each trial")
    parser.add_argument("--csv", action="store_true", help="print comma-separated values")
    return parser


def _selection(cells: list, options: argparse.Namespace) -> list:
    return [
        cell
        for cell in cells
        if options.kinds in cell.kind.name
        and (not options.designs or cell.design in options.designs)
        and (not options.sizes or cell.participants in options.sizes)
        and (not options.features or cell.features in options.features)
    ]


def _error(bench: Bench, options: argparse.Namespace, **settings: int) -> pd.DataFrame:
    cells = [cell for cell in _selection(error_cells(options.depths), options) if cell.depths]
    return error_table(bench, cells, method=options.method, **settings)


def _power(bench: Bench, options: argparse.Namespace, **settings: int) -> pd.DataFrame:
    return detection_table(bench, _selection(planted_cells(), options), **settings)


def _coverage(bench: Bench, options: argparse.Namespace, **settings: int) -> pd.DataFrame:
    return coverage_table(bench, _selection(coverage_cells(), options), **settings)


def _sites(bench: Bench, options: argparse.Namespace, **settings: int) -> pd.DataFrame:
    return studies_table(bench, **settings)


def _beyond(bench: Bench, options: argparse.Namespace, **settings: int) -> pd.DataFrame:
    return pd.DataFrame([findings_summary(bench, **settings)])


_TABLES: dict[str, tuple[Callable[..., pd.DataFrame], Callable[[pd.DataFrame], str]]] = {
    "error": (_error, error_markdown),
    "power": (_power, detection_markdown),
    "coverage": (_coverage, coverage_markdown),
    "sites": (_sites, studies_markdown),
    "beyond": (_beyond, findings_markdown),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
