"""The predictor: speed beside scikit-learn, results on noise, results with a planted effect.

``python -m tests.benchmarks.predict speed`` runs the same folds through this package and through
pipelines of scikit-learn, side by side; ``null`` tests whether every p is uniform where labels are
random; ``planted`` counts in how many simulated trials of ``config/svc.yaml`` the planted lobes
come out; ``sex`` classifies sex from public volumes with and without head size.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ketadask import names as nm
from ketadask.predict.classifier_data import ClassifierData, build_classifier_data
from ketadask.predict.classifiers import Classifier
from ketadask.predict.folds import MIXED_SITES, NestedFolds
from ketadask.predict.locked import lock_model
from ketadask.predict.nested import REFIT, NestedCV
from ketadask.predict.performance import performance
from ketadask.predict.permutations import fixed_model_p, permutation_p, permutation_rows
from ketadask.predict.preparation import PreparationSettings
from ketadask.predict.results import cv_statistics, nested_cross_validate
from ketadask.predict.specificity import compare_arms
from tests.benchmarks.planted_cohorts import SIZES, planted_cohorts

ROOT = Path(__file__).parents[2]


def noise(seed: int, n: int, regions: int, sites: int = 4) -> ClassifierData:
    """Return cases whose labels are unrelated to their volumes; sites differ in size."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(nm.STREAM_SIMULATION, 8)))
    site = rng.choice([f"s{k}" for k in range(sites)], n, p=np.arange(1, sites + 1) / 10)
    return build_classifier_data(
        rng.normal(size=(n, regions)), rng.permutation(np.arange(n) % 2), site=site
    )


def small(kind: str, seed: int, *, folds: int = 5, inner: int = 4) -> NestedCV:
    """Return a small nested cross-validation."""
    frame = NestedFolds(kind, 1, folds, 1, inner, seed=seed)
    return NestedCV(frame, Classifier(costs=(2.0**-6, 2.0**-1, 2.0**4)), PreparationSettings())


def noise_scores(
    seed: int,
    kind: str,
    n: int,
    regions: int,
    spoil: Callable[[ClassifierData], ClassifierData] | None = None,
) -> dict[str, float]:
    """Return the statistics of one data set of noise; ``spoil`` may leak labels into volumes."""
    from ketadask.store.environment import one_thread

    made = noise(seed, n, regions)
    made = made if spoil is None else spoil(made)
    with one_thread():
        return cv_statistics(made, small(kind, seed))


def null_p(seed: int, permutations: int, sizes: tuple[int, int, int] = SIZES) -> dict[str, float]:
    """Return every p of one study without an effect: realistic volumes, random labels."""
    from ketadask.store.environment import one_thread

    cohorts = planted_cohorts(seed, sizes=sizes, effect=0.0)
    nested = small(MIXED_SITES, seed, folds=4, inner=3)
    with one_thread():
        folds = nested_cross_validate(cohorts.discovery, nested)
        p = permutation_p(permutation_rows(cohorts.discovery, nested, 0, permutations))
        model = lock_model(nested, cohorts.discovery)
        tables = {name: model.apply(getattr(cohorts, name)) for name in ("external", "saline")}
        arms = compare_arms(folds.cases, tables["saline"], seed=seed, draws=199)
    p = {f"discovery {name}": value for name, value in p.items()}
    for name, table in tables.items():
        fixed = fixed_model_p(table, seed=seed, permutations=999)
        p |= {f"{name} auc": fixed["p_auc"], f"{name} bac": fixed["p_bac"]}
    return p | {"difference auc": arms["p_auc"], "difference bac": arms["p_bac"]}


def planted_lobes(seed: int, folder: Path, brain: float) -> dict[str, Any]:
    """Return the mean patterns of the lobes in the simulated trial of ``config/svc.yaml``."""
    import pandas as pd

    from ketadask.predict.weights import lobe_table
    from ketadask.study.study import Study

    changes = [f"seed={seed}", f"data.simulate.seed={seed}", f"data.simulate.brain={brain}"]
    changes += ["predict.repeats=1", "predict.permutations=0", "predict.other_classifiers=[]"]
    changes += ["predict.learning_curve=[]"]
    cluster = folder / "here.yaml"
    cluster.write_text("kind: synchronous\n")
    study = Study.read(
        ROOT / "config" / "svc.yaml", changes=changes, out=folder / str(seed), cluster=cluster
    )
    summary = study.predict()
    weights = pd.read_csv(summary.folder / "weights.csv", keep_default_na=False)
    lobes = lobe_table(weights).set_index("lobe")["pattern"]
    frontal, cerebellum = lobes["frontal cortex"], lobes["cerebellum"]
    others = lobes.drop(["frontal cortex", "cerebellum"])
    prediction = summary.prediction or {}
    return {
        "seed": seed,
        "signs": bool(frontal > 0 > cerebellum),
        "lobes": bool(frontal > others.mean() > cerebellum),
        "extremes": bool(frontal > others.max() and cerebellum < others.min()),
        "auc": {name: m["auc"] for name, m in prediction["cohorts"].items()},
        "p": {name: m["p_auc"] for name, m in prediction["cohorts"].items() if "p_auc" in m},
        "pattern": lobes.round(4).to_dict(),
    }


def planted_measures(seed: int, nested: NestedCV) -> dict[str, dict[str, float]]:
    """Return the measures of discovery, external and saline cohort of the published sizes."""
    made = planted_cohorts(seed)
    told = {"discovery": nested_cross_validate(made.discovery, nested).measures}
    model = lock_model(nested, made.discovery)
    for name in ("external", "saline"):
        cohort = getattr(made, name)
        said = model.apply(cohort)
        told[name] = performance(
            cohort.label,
            said["predicted"].to_numpy(),
            said["decision"].to_numpy(),
            site=said["site"].to_numpy(),
        )
    return told


def sex_measures(folder: Path, nested: NestedCV) -> dict[str, dict[str, float]]:
    """Return how well public volumes classify sex: all, without head size, and head size alone."""
    from ketadask.predict.classifier_data import classifier_data_from_volumes
    from ketadask.sources.freesurfer import open_volumes
    from ketadask.sources.participants import read_participants
    from ketadask.sources.regions import ETIV

    volumes, people = open_volumes(folder), read_participants(folder).table
    data = {
        "all volumes": classifier_data_from_volumes(volumes, people, "sex", covariates=()),
        "head size regressed out": classifier_data_from_volumes(
            volumes, people, "sex", covariates=(ETIV,)
        ),
    }
    every = data["all volumes"]
    column = [every.region.index(ETIV)]
    data["head size alone"] = replace(every, value=every.value[:, column], region=(ETIV,))
    return {name: nested_cross_validate(cases, nested).measures for name, cases in data.items()}


def _ours(numbers: range, made: ClassifierData, nested: NestedCV) -> list[Any]:
    from ketadask.store.environment import one_thread

    with one_thread():
        return [nested.fold(made, number) for number in numbers]


def _theirs(numbers: range, made: ClassifierData, nested: NestedCV) -> list[Any]:
    """The same outer folds by GridSearchCV and pipelines, one vote per inner fold."""
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV

    from ketadask.store.environment import one_thread
    from tests.benchmarks.scikit_pipeline import scikit_pipeline

    steps, grid = scikit_pipeline(nested.classifier)
    told = []
    with one_thread():
        for number in numbers:
            train, test = nested.cv.outer(made, number)
            inside = made.take(train)
            folds = list(nested.cv.inner(inside, number))
            search = GridSearchCV(
                steps, grid, scoring="balanced_accuracy", cv=folds, refit=nested.final == REFIT
            ).fit(inside.value, inside.label)
            best = clone(steps).set_params(**search.best_params_)
            models = [clone(best).fit(inside.value[r], inside.label[r]) for r, _ in folds]
            votes = np.mean([m.predict(made.value[test]) for m in models], axis=0)
            told.append((search.best_params_["classify__C"], search.best_score_, votes))
    return told


def speed(seed: int, workers: int, ours: int, theirs: int, repeats: int) -> dict[str, Any]:
    """Time ``ours`` outer folds here and ``theirs`` of them in scikit-learn, on so many cores.

    The first ``theirs`` folds are compared: candidates, inner scores and votes must be the same.
    """
    made = planted_cohorts(seed, sites=1, scanner=0.0).discovery
    made = build_classifier_data(made.value, made.label, region=made.region)
    nested = NestedCV(NestedFolds(MIXED_SITES, repeats, 10, repeats, 10, seed=seed), Classifier())
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_idle, range(workers)))
        seconds_ours, cpu_ours, fast = _timed(pool, partial(_ours, made=made, nested=nested), ours)
        seconds_theirs, cpu_theirs, plain = _timed(
            pool, partial(_theirs, made=made, nested=nested), theirs
        )
    same = all(
        f.candidate.cost == c and abs(f.inner_score - s) < 1e-12 and np.array_equal(f.votes, v)
        for f, (c, s, v) in zip(fast, plain, strict=False)
    )
    each_ours, each_theirs = seconds_ours / ours, seconds_theirs / theirs
    return {
        "cores": workers,
        "outer_folds_ours": ours,
        "outer_folds_scikit_learn": theirs,
        "outer_folds_compared": min(ours, theirs),
        "inner_models_per_fold": repeats * 10 * len(nested.classifier.candidates),
        "seconds_ours": seconds_ours,
        "seconds_scikit_learn": seconds_theirs,
        "cpu_seconds_per_fold_ours": cpu_ours / ours,
        "cpu_seconds_per_fold_scikit_learn": cpu_theirs / theirs,
        "seconds_per_fold_ours": each_ours,
        "seconds_per_fold_scikit_learn": each_theirs,
        "times_faster": each_theirs / each_ours,
        "times_less_cpu": (cpu_theirs / theirs) / (cpu_ours / ours),
        "same_scores": bool(same),
    }


def _idle(_: int) -> None:
    import sklearn.model_selection
    import sklearn.pipeline
    import sklearn.svm  # noqa: F401


def _timed(pool: ProcessPoolExecutor, work: Any, count: int) -> tuple[float, float, list[Any]]:
    """Return wall seconds, processor seconds, and the results."""
    blocks = [range(k, min(k + 2, count)) for k in range(0, count, 2)]
    begun = time.perf_counter()
    found, spent = [], 0.0
    for block, seconds in pool.map(partial(_spent, work), blocks):
        found += block
        spent += seconds
    return time.perf_counter() - begun, spent, found


def _spent(work: Any, numbers: range) -> tuple[list[Any], float]:
    begun = time.process_time()
    return work(numbers), time.process_time() - begun


def _over(workers: int, work: Any, count: int) -> Iterator[Any]:
    if workers == 1:
        yield from map(work, range(count))
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(work, range(count), chunksize=max(1, count // (4 * workers)))


def null_table(
    count: int, permutations: int, workers: int, sizes: tuple[int, int, int] = SIZES
) -> dict[str, Any]:
    """Return for every p: Kolmogorov-Smirnov against uniform, and the fraction at most 5 %.

    A p of m permutations has m + 1 values; a uniform draw within its step makes it continuous.
    """
    from scipy.stats import kstest

    rows = list(_over(workers, partial(null_p, permutations=permutations, sizes=sizes), count))
    rng = np.random.default_rng(0)
    table = {}
    for name in rows[0]:
        p = np.array([row[name] for row in rows])
        step = 1 / (permutations + 1) if name.startswith("discovery") else 0.0
        test = kstest(p - step * rng.random(count), "uniform")
        table[name] = {
            **_mean(list(p)),
            "ks": float(test.statistic),
            "ks_p": float(test.pvalue),
            "at most 0.05": float((p <= 0.05).mean()),
        }
    return table


def _mean(values: Sequence[float]) -> dict[str, float]:
    array = np.asarray(values)
    return {"mean": float(array.mean()), "error": float(array.std(ddof=1) / np.sqrt(len(array)))}


def main(words: Sequence[str]) -> int:
    """Run a benchmark and print its results as JSON."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.predict", description=__doc__)
    parser.add_argument("what", choices=["speed", "null", "planted", "sex"])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data-sets", type=int, default=200)
    parser.add_argument("--permutations", type=int, default=19)
    parser.add_argument("--repeats", type=int, default=10, help="outer and inner repeats of 10")
    parser.add_argument("--brain", type=float, default=1.3, help="size of the planted effect")
    parser.add_argument("--folds", type=int, default=100, help="outer folds of this package")
    parser.add_argument(
        "--scikit-folds", type=int, help="outer folds of scikit-learn; default: as many"
    )
    options = parser.parse_args(list(words))
    workers, count = options.workers, options.data_sets
    if options.what == "speed":
        theirs = options.folds if options.scikit_folds is None else options.scikit_folds
        results = speed(options.seed, workers, options.folds, theirs, options.repeats)
    elif options.what == "null":
        results = null_table(count, options.permutations, workers)
    elif options.what == "planted":
        with tempfile.TemporaryDirectory() as folder:
            work = partial(planted_lobes, folder=Path(folder), brain=options.brain)
            runs = list(_over(workers, work, count))
        results = {k: sum(run[k] for run in runs) for k in ("signs", "lobes", "extremes")} | {
            "runs": runs
        }
    else:
        frame = NestedFolds(MIXED_SITES, 2, 10, 1, 10, seed=options.seed)
        costs = tuple(2.0**k for k in range(-6, 1))  # larger ones are slow
        real = Path(os.environ.get("KETADASK_REAL_DATA", "../shared/data"))
        nested = NestedCV(frame, Classifier(costs=costs))
        results = sex_measures(real / "freesurfer" / "aomic_piop2", nested)
    print(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
