"""Progress of a stage: a bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars


@dataclass
class StageProgress:
    """Counts of a running stage: ``complete`` of ``total`` items, ``new`` ones among them."""

    total: int
    complete: int
    clock: Callable[[], float]
    refresh: Callable[[], None] = lambda: None
    new: int = 0
    start: float = field(init=False)
    first: tuple[float, int] | None = None

    def __post_init__(self) -> None:
        self.start = self.clock()

    def advance(self, count: int) -> None:
        """Count ``count`` more items as complete."""
        self.new += count
        self.complete += count
        if self.first is None:
            self.first = (self.clock(), count)
        self.refresh()

    @property
    def seconds(self) -> float:
        """Seconds since the stage started."""
        return self.clock() - self.start

    @property
    def rate(self) -> float:
        """Items per second since the first result; before it workers start and kernels compile."""
        if self.first is None:
            return 0.0
        time_of_first, n_first = self.first
        seconds = self.clock() - time_of_first
        return (self.new - n_first) / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Seconds until all items are complete, at the current rate."""
        return (self.total - self.complete) / self.rate if self.rate > 0 else float("inf")


@dataclass
class Progress:
    """Where progress is printed, and how often.

    Examples
    --------
    >>> import sys
    >>> progress = Progress(Console(file=sys.stdout, width=80), every=0)
    >>> with progress.stage("search", "splits", total=4, present=2) as bar:
    ...     bar.advance(2)
    search: 2 of 4 splits already complete
    search: 4 of 4 splits
    search: 2 splits computed in 0 s
    """

    console: Console = field(default_factory=lambda: Console(stderr=True))
    every: float = 10.0
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def silent(cls) -> Progress:
        """Return progress that prints nothing."""
        return cls(Console(quiet=True, force_terminal=False))

    def print(self, line: str) -> None:
        """Print one plain line."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def stage(
        self, name: str, unit: str, *, total: int, present: int = 0
    ) -> Iterator[StageProgress]:
        """Show the progress of a stage of which ``present`` items are already complete."""
        if present:
            self.print(f"{name}: {present:,} of {total:,} {unit} already complete")
        elif total and not self.console.is_terminal:
            self.print(
                f"{name}: {total:,} {unit}; before the first, workers start and code compiles"
            )
        bar = StageProgress(total, present, self.clock)
        if self.console.is_terminal:
            with self._bars() as bars:
                task = bars.add_task(f"{name} ({unit})", total=total, completed=present, rate="")
                bar.refresh = lambda: bars.update(
                    task, completed=bar.complete, rate=f"{bar.rate:,.1f}/s" if bar.rate else ""
                )
                yield bar
        else:
            bar.refresh = self._print_lines(name, unit, bar)
            yield bar
        self.print(f"{name}: {bar.new:,} {unit} computed in {format_duration(bar.seconds)}")

    @contextmanager
    def waiting(self, step: str) -> Iterator[None]:
        """Print every so often that a step without countable items is still running."""
        start, end = self.clock(), Event()

        def repeat() -> None:
            while not end.wait(max(self.every, 0.01)):
                self.print(f"{step}, {format_duration(self.clock() - start)} so far")

        thread = Thread(target=repeat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def _bars(self) -> Bars:
        return Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )

    def _print_lines(self, name: str, unit: str, bar: StageProgress) -> Callable[[], None]:
        last = self.clock()

        def refresh() -> None:
            nonlocal last
            if self.clock() - last < self.every:
                return
            last = self.clock()
            rate = (
                f", {bar.rate:,.1f} per second, {format_duration(bar.seconds_left)} left"
                if bar.rate
                else ""
            )
            self.print(f"{name}: {bar.complete:,} of {bar.total:,} {unit}{rate}")

        return refresh


def format_duration(seconds: float) -> str:
    """Return a duration as text.

    Examples
    --------
    >>> format_duration(3.4), format_duration(75), format_duration(7300)
    ('3 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds == float("inf"):
        return "unknown time"
    seconds = int(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
