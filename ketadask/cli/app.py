"""Commands and options of the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketadask.cli.benches import bench_command
from ketadask.cli.files import configs_command, init_command, simulate_command
from ketadask.cli.keys import complete_change, keys_command
from ketadask.cli.personas import apply_command, confirm_command, explore_command, lock_command
from ketadask.cli.plan import plan_command

if TYPE_CHECKING:
    from ketadask.study.study import Study

app = typer.Typer(
    name="ketadask",
    help="Finds and tests who benefits from a drug.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="--debug with any command shows the traceback of an error. "
    "Exit codes: 0 success, 1 failure, 2 invalid input or configuration, 130 interrupted.",
)

StudyFile = Annotated[
    Path,
    typer.Argument(metavar="STUDY.yaml", help="Settings, or a name of `ketadask configs`."),
]
StudyOrRun = Annotated[
    Path, typer.Argument(metavar="STUDY.yaml|RUN", help="Settings, or the run folder if submitted.")
]
RunFolderPath = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the run folders.")]
Cluster = Annotated[
    Path | None,
    typer.Option(
        "--cluster", metavar="PROFILE.yaml", help="Cluster profile; default: this machine."
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="a.b=c",
        help="Override of one key; may be repeated.",
        autocompletion=complete_change,
    ),
]
RUNS = Path("runs")


def _read_study(
    file: Path, changes: list[str] | None, out: Path, cluster: Path | None = None
) -> Study:
    from ketadask.config.shipped import find_config
    from ketadask.study.study import Study

    cluster = cluster and find_config(cluster)
    return Study.read(find_config(file), changes=changes, out=out, cluster=cluster)


def _study_or_run(path: Path, changes: list[str] | None, out: Path) -> Study:
    """Return the study of a YAML file, or the one that was submitted to a run folder."""
    from ketadask.study.submit import submitted_study

    return submitted_study(path) if path.is_dir() else _read_study(path, changes, out)


app.command("simulate", short_help="Simulate a study folder with a planted persona.")(
    simulate_command
)


@app.command("check", short_help="Check settings and tables.")
def check_command(file: StudyFile, changes: Changes = None, out: Out = RUNS) -> None:
    """Check settings and tables: participants, features, exclusions, invalid cells and power."""
    from ketadask.cli.checks import print_check
    from ketadask.cli.power import print_power_preview

    study = _read_study(file, changes, out)
    report = study.check()
    is_usable = print_check(report)
    print_power_preview(study, report)
    if not is_usable:
        raise typer.Exit(2)


app.command("init", short_help="Write a first STUDY.yaml from tables.")(init_command)
app.command("configs", short_help="List the studies that come with the package.")(configs_command)
app.command("keys", short_help="Describe the keys of a study.")(keys_command)


@app.command("power", short_help="Estimate the power of a study of this size.")
def power_command(
    file: StudyFile,
    participants: Annotated[
        list[int] | None, typer.Option(help="Numbers of participants; may be repeated.")
    ] = None,
    features: Annotated[
        list[int] | None, typer.Option(help="Numbers of features; may be repeated.")
    ] = None,
    effect: Annotated[
        list[float] | None, typer.Option(help="Effect sizes d; may be repeated.")
    ] = None,
    prevalence: Annotated[
        list[float] | None, typer.Option(help="Persona prevalences; may be repeated.")
    ] = None,
    simulations: Annotated[int, typer.Option(min=20, help="Simulated studies per row.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cluster: Cluster = None,
    changes: Changes = None,
    out: Out = RUNS,
) -> None:
    """Simulate studies of this size, twice and four times this size; write a table and a figure."""
    from ketadask.cli.power import print_power

    print_power(
        _read_study(file, changes, out, cluster),
        participants=participants or [],
        features=features or [],
        effects=effect or [],
        prevalences=prevalence or [],
        simulations=simulations,
        as_json=as_json,
    )


app.command("plan", short_help="Plan the next trial of a persona.")(plan_command)


# By command: its line in the list of commands, and what it does to a study.
_STAGES = {
    "run": (
        "Run incomplete stages.",
        "Run all incomplete stages; the last line is the path of the report.",
    ),
    "extract": (
        "Compute features and assemble the cohort.",
        "Read or simulate the inputs, compute MEG features, assemble the cohort.",
    ),
    "search": (
        "Search all splits and relabelled trials.",
        "Search all splits and relabelled trials; verdicts follow with `judge`.",
    ),
    "judge": ("Compute verdicts.", "Compute verdicts from complete searches."),
    "predict": (
        "Predict response from brain structure.",
        "Predict response from brain structure; lock the model and apply it to other cohorts.",
    ),
}


def _add_stage_command(verb: str, title: str, text: str) -> None:
    def command(
        file: StudyFile, cluster: Cluster = None, changes: Changes = None, out: Out = RUNS
    ) -> None:
        from ketadask.config.shipped import find_config

        if find_config(file).is_file():  # said before the imports, which take seconds
            typer.echo(f"study: reading {file}", err=True)
        from ketadask.cli.tables import print_summary

        print_summary(getattr(_read_study(file, changes, out, cluster), verb)())

    app.command(verb, short_help=title, help=text)(command)


for _verb, (_title, _text) in _STAGES.items():
    _add_stage_command(_verb, _title, _text)


@app.command("report", short_help="Write the report.")
def report_command(file: StudyFile, changes: Changes = None, out: Out = RUNS) -> None:
    """Write the report from present verdicts."""
    from ketadask.cli.tables import print_summary

    print_summary(_read_study(file, changes, out).report())


app.command("explore", short_help="Write a page to look at personas by hand.")(explore_command)
app.command("lock", short_help="Write supported personas to files.")(lock_command)
app.command("apply", short_help="Apply a locked persona or predictor to tables.")(apply_command)
app.command("confirm", short_help="Test locked personas in a new trial.")(confirm_command)


@app.command("status", short_help="Show present and missing parts.")
def status_command(
    file: StudyOrRun,
    changes: Changes = None,
    out: Out = RUNS,
    follow: Annotated[bool, typer.Option("--follow", help="Update until the run ends.")] = False,
) -> None:
    """Show the present and missing parts of each stage; read-only."""
    from ketadask.cli.tables import follow_status, print_status
    from ketadask.study.status import stage_statuses
    from ketadask.study.submit import queue_lines, run_end

    study = _study_or_run(file, changes, out)
    paths, is_complete = study.paths, True
    if follow:
        is_complete = follow_status(lambda: stage_statuses(paths), lambda: run_end(paths.path))
    else:
        print_status(study.status())
    for line in queue_lines(paths.path):
        typer.echo(line)
    if not is_complete:
        raise typer.Exit(1)


@app.command("submit", short_help="Submit the study to a queue.")
def submit_command(
    file: StudyFile,
    cluster: Annotated[
        Path, typer.Option("--cluster", metavar="PROFILE.yaml", help="Profile of kind slurm.")
    ],
    changes: Changes = None,
    out: Out = RUNS,
) -> None:
    """Submit the study to a queue as a head job; it continues after logout."""
    from ketadask.study.submit import submit_study

    study = _read_study(file, changes, out.absolute(), cluster)
    job, log = submit_study(study)
    typer.echo(f"submitted as job {job}, log {log}")
    typer.echo(study.paths.path)


@app.command("head", hidden=True, short_help="Run a submitted study.")
def head_command(run: RunFolderPath) -> None:
    """Run the study in the head job of `submit`, from the settings in its run folder."""
    from ketadask.cli.tables import print_summary
    from ketadask.study.submit import run_head_job, submitted_study

    print_summary(run_head_job(submitted_study(run)))


@app.command("cancel", short_help="Cancel the jobs of a submitted study.")
def cancel_command(file: StudyOrRun, changes: Changes = None, out: Out = RUNS) -> None:
    """Cancel the jobs of a submitted study; complete parts remain."""
    from ketadask.study.submit import cancel_jobs

    is_run = file.is_dir()
    folder = file.absolute() if is_run else _read_study(file, changes, out.absolute()).paths.path
    jobs = cancel_jobs(folder)
    typer.echo(f"cancelled {', '.join(jobs)}" if jobs else "no jobs on the queue")


@app.command("array-task", short_help="Compute the blocks of one array task.")
def array_task_command(
    file: StudyFile,
    task: Annotated[int, typer.Option("--task", help="Index of the task, from 0.")],
    tasks: Annotated[int, typer.Option("--tasks", help="Number of tasks.")],
    cluster: Cluster = None,
    changes: Changes = None,
    out: Out = RUNS,
) -> None:
    """Compute the blocks of one task of a job array, on sites without a long-running scheduler.

    A search is never divided among tasks; `run` and `submit` divide long searches among workers.
    Without --cluster, a task uses one thread.
    """
    from ketadask.cli.tables import print_summary
    from ketadask.cluster.profile import Profile
    from ketadask.study.array import run_array_task

    study = _read_study(file, changes, out, cluster)
    if cluster is None:
        study = replace(study, profile=Profile(kind="synchronous"))
    print_summary(run_array_task(study, task, tasks))


@app.command("verify", short_help="Compare the files of a run with their checksums.")
def verify_command(run: RunFolderPath) -> None:
    """Compare every file of a run folder with its checksum; change nothing.

    The next run of the study sets damaged files aside and computes them again.
    """
    from ketadask.store.checksums import verify_folder
    from ketadask.store.run_folder import RunFolder

    folder = RunFolder.open(run)
    n_files, problems = verify_folder(folder.path)
    for name, problem in sorted(problems.items()):
        typer.echo(f"{folder.path / name}: {problem}")
    if folder.owner is not None:
        typer.echo(f"being written by {folder.owner}")
    typer.echo(f"{n_files:,} files, {len(problems):,} with a problem")
    if problems:
        raise typer.Exit(1)


@app.command("doctor", short_help="Check the machine.")
def doctor_command(
    cluster: Cluster = None,
    out: Out = RUNS,
    warm: Annotated[
        bool, typer.Option("--warm", help="Compile the search and store it for later runs.")
    ] = False,
) -> None:
    """Check the machine or the cluster for a study; name each problem and its remedy."""
    from ketadask.cli.tables import print_system_checks
    from ketadask.config.shipped import find_config
    from ketadask.study.doctor import check_system, compile_search

    checks = check_system(cluster and find_config(cluster), out)
    if not print_system_checks([*checks, *([compile_search()] if warm else [])]):
        raise typer.Exit(1)


app.command(
    "bench",
    short_help="Measure speed and memory.",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)(bench_command)


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
