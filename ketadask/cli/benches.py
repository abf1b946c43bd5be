"""The command `bench`: benchmarks by name."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import Annotated

import typer

from ketadask.schema.errors import InputError, nearest


def bench_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Benchmark to run.")] = "--help",
) -> None:
    """Measure speed and memory on this machine; `ketadask bench NAME --help` lists options."""
    if name in ("--help", "-h"):
        typer.echo("Usage: ketadask bench NAME [OPTIONS]\n")
        for benchmark, title in benchmark_titles().items():
            typer.echo(f"  {benchmark:10}{title}")
        typer.echo("\n`ketadask bench NAME --help` lists the options of a benchmark.")
        raise typer.Exit
    raise typer.Exit(run_benchmark(name, list(context.args)))


def run_benchmark(name: str, words: list[str]) -> int:
    """Run ``ketadask.bench.<name>:main`` with the remaining words; return its exit code."""
    benchmarks = _benchmarks()
    if name not in benchmarks:
        remedy = nearest(name, list(benchmarks))
        raise InputError("no such benchmark", where="bench", value=name, remedy=remedy)
    return int(benchmarks[name].main(words) or 0)


def benchmark_titles() -> dict[str, str]:
    """Return the first line of the docstring of each benchmark, by name."""
    return {
        name: (module.__doc__ or "").partition("\n")[0] for name, module in _benchmarks().items()
    }


def _benchmarks() -> dict[str, ModuleType]:
    import ketadask.bench

    names = [module.name for module in pkgutil.iter_modules(ketadask.bench.__path__)]
    modules = {name: import_module(f"ketadask.bench.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "main")}
