"""How far a stage is: a bar on a terminal, a plain line every ten seconds elsewhere."""

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
    """Counts of one stage while it runs."""

    total: int
    done: int
    begun: float
    clock: Callable[[], float]
    tell: Callable[[int], None]
    made: int = 0
    first: tuple[float, int] | None = None

    def advance(self, count: int) -> None:
        """Say that ``count`` more are finished."""
        self.made += count
        if self.first is None:
            self.first = (self.clock(), count)
        self.done += count
        self.tell(count)

    @property
    def seconds(self) -> float:
        """Seconds since the stage began."""
        return self.clock() - self.begun

    @property
    def rate(self) -> float:
        """Made per second since the first was; before that workers start and kernels compile."""
        if self.first is None:
            return 0.0
        since, already = self.first
        passed = self.clock() - since
        return (self.made - already) / passed if passed > 0 else 0.0

    @property
    def left(self) -> float:
        """Seconds until all are finished, at the rate so far."""
        return (self.total - self.done) / self.rate if self.rate > 0 else float("inf")


@dataclass
class Progress:
    """Where progress is shown.

    Examples
    --------
    >>> import sys
    >>> shown = Progress(Console(file=sys.stdout, width=80), every=0)
    >>> with shown.stage("search", "splits", total=4, done=2) as stage:
    ...     stage.advance(2)
    search: 2 of 4 splits are there already
    search: 4 of 4 splits
    search: 2 splits made in 0 s
    """

    console: Console = field(default_factory=lambda: Console(stderr=True))
    every: float = 10.0
    clock: Callable[[], float] = time.monotonic

    def say(self, line: str) -> None:
        """Show one plain line."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, unit: str, *, total: int, done: int = 0) -> Iterator[StageProgress]:
        """Show one stage, of which ``done`` of ``total`` are there already."""
        if done:
            self.say(f"{name}: {done:,} of {total:,} {unit} are there already")
        stage = StageProgress(total, done, self.clock(), self.clock, lambda count: None)
        if self.console.is_terminal:
            with self._bars() as bars:
                task = bars.add_task(f"{name} ({unit})", total=total, completed=done, rate="")
                stage.tell = lambda count: bars.update(
                    task, completed=stage.done, rate=f"{stage.rate:,.1f}/s" if stage.rate else ""
                )
                yield stage
        else:
            stage.tell = self._lines(name, unit, stage)
            yield stage
        self.say(f"{name}: {stage.made:,} {unit} made in {format_duration(stage.seconds)}")

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say every so often that a step that cannot be counted is still going on."""
        begun, ended = self.clock(), Event()

        def tell() -> None:
            while not ended.wait(max(self.every, 0.01)):
                self.say(f"{what}, {format_duration(self.clock() - begun)} so far")

        teller = Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()

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

    def _lines(self, name: str, unit: str, stage: StageProgress) -> Callable[[int], None]:
        last = self.clock()

        def tell(count: int) -> None:
            nonlocal last
            if self.clock() - last < self.every:
                return
            last = self.clock()
            rate = (
                f", {stage.rate:,.1f} per second, {format_duration(stage.left)} left"
                if stage.rate
                else ""
            )
            self.say(f"{name}: {stage.done:,} of {stage.total:,} {unit}{rate}")

        return tell


def format_duration(seconds: float) -> str:
    """Return a length of time as people say it.

    Examples
    --------
    >>> span(3.4), span(75), span(7300)
    ('3 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds == float("inf"):
        return "unknown time"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
