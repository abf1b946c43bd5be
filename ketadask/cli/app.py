"""The verbs of the command line and their options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="ketadask",
    help="Who benefits from ketamine, and what of it is noise.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="--debug with any command shows the traceback of an error. "
    "Exit codes: 0 done, 1 failed, 2 bad input or configuration, 130 interrupted.",
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the runs.")]
Cluster = Annotated[
    Path | None,
    typer.Option("--cluster", metavar="PROFILE.yaml", help="Where the work runs."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=c", help="Change one key of the study; may be repeated."),
]
RUNS = Path("runs")


@app.command("simulate", short_help="Write a study folder with planted truth.")
def simulate_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    participants: Annotated[int, typer.Option(help="How many.")] = 33,
    seed: Annotated[int, typer.Option(help="Seed of the study.")] = 7,
    trials: Annotated[int, typer.Option(help="Trials they come from.")] = 1,
    sites: Annotated[int, typer.Option(help="Sites in each trial.")] = 1,
    effect: Annotated[float, typer.Option(help="Planted effect, in SD; 0 plants none.")] = 2.1,
    persona_trials: Annotated[int | None, typer.Option(help="Trials it holds in.")] = None,
    prognostic: Annotated[float, typer.Option(help="Effect of age on both arms, in SD.")] = 0.4,
    layout: Annotated[str, typer.Option(help="bids, nda or both.")] = "bids",
    meg: Annotated[bool, typer.Option(help="Add short MEG recordings.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace a folder that is not empty.")] = False,
) -> None:
    """Write a study folder with planted truth, in the formats real studies come in."""
    from ketadask.simulate.study import simulate_study as write

    folder = write(
        out,
        participants=participants,
        seed=seed,
        trials=trials,
        sites=sites,
        effect=effect,
        persona_trials=persona_trials,
        prognostic=prognostic,
        layout=layout,
        meg_seconds=20.0 if meg else 0.0,
        overwrite=overwrite,
    )
    typer.echo(folder)


@app.command("check", short_help="Say what a study is made of and could find.")
def check_command(study: StudyFile, changes: Changes = None, out: Out = RUNS) -> None:
    """Read settings and tables; say what is there, what is missing and why, and the chances."""
    from ketadask.cli.checks import print_check
    from ketadask.cli.power import print_outlook
    from ketadask.study.study import Study

    asked = Study.read(study, changes=changes, out=out)
    checked = asked.check()
    well = print_check(checked)
    print_outlook(asked, checked)
    if not well:
        raise typer.Exit(2)


@app.command("power", short_help="Say what a study of this size could find.")
def power_command(
    study: StudyFile,
    participants: Annotated[list[int] | None, typer.Option(help="Sizes; may be repeated.")] = None,
    features: Annotated[list[int] | None, typer.Option(help="Lengths of the list.")] = None,
    effect: Annotated[list[float] | None, typer.Option(help="Effects d; may be repeated.")] = None,
    prevalence: Annotated[list[float] | None, typer.Option(help="Persona prevalences.")] = None,
    simulations: Annotated[int, typer.Option(min=20, help="Simulated studies each.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cluster: Cluster = None,
    changes: Changes = None,
    out: Out = RUNS,
) -> None:
    """Simulate studies of this size, and twice and four times it; write a table and a figure."""
    from ketadask.cli.power import print_power
    from ketadask.study.study import Study

    print_power(
        Study.read(study, changes=changes, out=out, cluster=cluster),
        participants=participants or [],
        features=features or [],
        effects=effect or [],
        prevalences=prevalence or [],
        simulations=simulations,
        as_json=as_json,
    )


@app.command("run", short_help="Do everything that is not done yet.")
def run_command(
    study: StudyFile, cluster: Cluster = None, changes: Changes = None, out: Out = RUNS
) -> None:
    """Do everything that is not done yet; the last line is the path of the report."""
    from ketadask.cli.tables import print_summary
    from ketadask.study.study import Study

    print_summary(Study.read(study, changes=changes, out=out, cluster=cluster).run())


@app.command("extract", short_help="Turn inputs into features and a cohort.")
def extract_command(
    study: StudyFile, cluster: Cluster = None, changes: Changes = None, out: Out = RUNS
) -> None:
    """Open or simulate the inputs, measure the recordings, assemble the cohort; no searches yet."""
    from ketadask.cli.tables import print_summary
    from ketadask.study.study import Study

    print_summary(Study.read(study, changes=changes, out=out, cluster=cluster).extract())


@app.command("search", short_help="Search all splits and all relabelled trials.")
def search_command(
    study: StudyFile, cluster: Cluster = None, changes: Changes = None, out: Out = RUNS
) -> None:
    """Search all splits and all relabelled trials; no verdicts yet."""
    from ketadask.cli.tables import print_summary
    from ketadask.study.study import Study

    print_summary(Study.read(study, changes=changes, out=out, cluster=cluster).search())


@app.command("judge", short_help="Judge what the searches found.")
def judge_command(
    study: StudyFile, cluster: Cluster = None, changes: Changes = None, out: Out = RUNS
) -> None:
    """Judge what the searches found; they must be finished."""
    from ketadask.cli.tables import print_summary
    from ketadask.study.study import Study

    print_summary(Study.read(study, changes=changes, out=out, cluster=cluster).judge())


@app.command("predict", short_help="Foretell response from brain structure.")
def predict_command(
    study: StudyFile, cluster: Cluster = None, changes: Changes = None, out: Out = RUNS
) -> None:
    """Foretell response from brain structure, lock the model, apply it to other cohorts."""
    from ketadask.cli.tables import print_summary
    from ketadask.study.study import Study

    print_summary(Study.read(study, changes=changes, out=out, cluster=cluster).predict())


@app.command("report", short_help="Write the report of what has been judged.")
def report_command(study: StudyFile, changes: Changes = None, out: Out = RUNS) -> None:
    """Write the report of what has been judged."""
    from ketadask.cli.tables import print_summary
    from ketadask.study.study import Study

    print_summary(Study.read(study, changes=changes, out=out).report())


@app.command("status", short_help="Show what is present and what is missing.")
def status_command(
    study: StudyFile,
    changes: Changes = None,
    out: Out = RUNS,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds.")] = False,
) -> None:
    """Show which parts of a study are present and which are missing; changes nothing."""
    from ketadask.cli.tables import print_status, watch_status
    from ketadask.study.study import Study
    from ketadask.study.submit import queue_lines

    found = Study.read(study, changes=changes, out=out)
    if watch:
        watch_status(found.watched())
    else:
        print_status(found.status())
    for line in queue_lines(found):
        typer.echo(line)


@app.command("submit", short_help="Put the study on the queue and return.")
def submit_command(
    study: StudyFile,
    cluster: Annotated[
        Path, typer.Option("--cluster", metavar="PROFILE.yaml", help="A profile of kind slurm.")
    ],
    changes: Changes = None,
    out: Out = RUNS,
) -> None:
    """Put the study on the queue as a job of its own and return; it survives logout."""
    from ketadask.study.study import Study
    from ketadask.study.submit import submit_study as hand_in

    words = [str(study.absolute()), "--cluster", str(cluster.absolute())]
    words += ["--out", str(out.absolute())]
    words += [word for change in changes or () for word in ("--set", change)]
    asked = Study.read(study, changes=changes, out=out.absolute(), cluster=cluster)
    job, log = hand_in(asked, words)
    typer.echo(f"submitted as job {job}, its log is {log}")
    typer.echo(asked.place.path)


@app.command("head", hidden=True, short_help="What `submit` runs.")
def head_command(
    study: StudyFile, cluster: Cluster = None, changes: Changes = None, out: Out = RUNS
) -> None:
    """Do the study inside the job that `submit` made."""
    from ketadask.cli.tables import print_summary
    from ketadask.study.study import Study
    from ketadask.study.submit import run_head_job as lead

    print_summary(lead(Study.read(study, changes=changes, out=out, cluster=cluster)))


@app.command("cancel", short_help="Cancel the jobs of a submitted study.")
def cancel_command(study: StudyFile, changes: Changes = None, out: Out = RUNS) -> None:
    """Cancel the jobs of a submitted study; what is finished is kept."""
    from ketadask.study.study import Study
    from ketadask.study.submit import cancel_study as end

    jobs = end(Study.read(study, changes=changes, out=out.absolute()))
    typer.echo(f"cancelled {', '.join(jobs)}" if jobs else "nothing is on the queue")


@app.command("array-task", short_help="Compute one task's share of the blocks.")
def array_task_command(
    study: StudyFile,
    task: Annotated[int, typer.Option("--task", help="Number of this task, from 0.")],
    tasks: Annotated[int, typer.Option("--tasks", help="How many tasks there are.")],
    cluster: Cluster = None,
    changes: Changes = None,
    out: Out = RUNS,
) -> None:
    """Compute a share of the searches; for job arrays, where no scheduler may run.

    Every search is made whole by one task, however long it takes; `run` and `submit` split those
    longer than two tasks over several workers.
    """
    from ketadask.cli.tables import print_summary
    from ketadask.cluster.profile import Profile
    from ketadask.study.array import run_array_task as compute
    from ketadask.study.study import Study

    asked = Study.read(study, changes=changes, out=out, cluster=cluster)
    if cluster is None:
        asked = replace(asked, profile=Profile(kind="synchronous"))
    print_summary(compute(asked, task, tasks))


@app.command("doctor", short_help="Try what a study needs of this machine.")
def doctor_command(cluster: Cluster = None, out: Out = RUNS) -> None:
    """Try what a study needs of this machine; say what would fail, and the remedy."""
    from ketadask.cli.tables import print_system_checks
    from ketadask.study.doctor import check_system

    if not print_system_checks(check_system(cluster, out)):
        raise typer.Exit(1)


@app.command(
    "bench",
    short_help="Measure this machine and this version.",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench_command(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What to measure.")] = "--help",
) -> None:
    """Measure this machine and this version; `ketadask bench search --help` lists the options."""
    from ketadask.cli.benches import measurements, run_benchmark

    if what in ("--help", "-h"):
        typer.echo("Usage: ketadask bench WHAT [OPTIONS]\n")
        for name, about in measurements().items():
            typer.echo(f"  {name:10}{about}")
        typer.echo("\n`ketadask bench WHAT --help` lists the options of one.")
        raise typer.Exit
    raise typer.Exit(run_benchmark(what, list(context.args)))


@app.callback(invoke_without_command=True)
def _version(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        from ketadask import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
