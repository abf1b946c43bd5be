"""Results of a small study."""

import base64
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pandas as pd
import xarray as xr

from ketadask import names as nm
from ketadask.config.inputs import DataSettings, SimulateSettings
from ketadask.config.study import StudySettings
from ketadask.plot.results import member_mask
from ketadask.report.overall import effect_rows, overall_facts
from ketadask.report.report_data import ReportData
from ketadask.schema.tables import EXCLUSIONS
from tests.report.example_tables import (
    FEATURES,
    PLANTED,
    make_cohort,
    make_courses,
    make_literals,
    make_stability,
    make_units,
    make_verdicts,
)


def make_data(best: str = nm.SUPPORTED, seed: int = 7, rows: int = 12) -> ReportData:
    rng = np.random.default_rng(seed)
    cohort = make_cohort(rng, 33)
    units = make_units(rng, cohort)
    literals = make_literals(units)
    verdicts = make_verdicts(rng, literals, units, best, rows)
    nulls = pd.DataFrame(
        {
            "relabelling": np.arange(199),
            "method": "features",
            "q": rng.gumbel(3.6, 0.35, 199),
            "t": rng.gumbel(3.4, 0.35, 199),
        }
    )
    stability = pd.concat(make_stability(rng, p) for p in nm.POLARITIES)
    return ReportData(
        title="Who benefits at day 7: the crossover trial",
        cohort=cohort,
        units=units,
        literals=literals,
        verdicts=verdicts,
        nulls=nulls,
        stability=stability,
        courses=make_courses(rng, cohort),
        summary=make_summary() | {"effects": make_effects(units, literals, verdicts)},
        columns=COLUMNS,
        explained=make_explained(rng, units.participant.values),
        enrichment=make_enrichment(),
        provenance={
            "ketadask": "0.1.0",
            "python": "3.11.7",
            "command": "ketadask run config/demo.yaml",
            "fingerprint": "9f0c2f8e71b4",
            "inputs": {"participants.tsv": "sha256:5b6e", "phenotype/madrs.tsv": "sha256:77aa"},
            "machine": {"cores": 2, "system": "Linux"},
        },
        settings=make_settings(),
        exclusions=EXCLUSIONS.check(
            pd.DataFrame(
                {
                    "participant": ["sub-KX9001", "sub-KX9002", "sub-KX9003"],
                    "period": [0, 0, 2],
                    "reason": ["no outcome at day 7", "no outcome at day 7", "one period only"],
                }
            )
        ),
    )


COLUMNS = (
    {"file": "participants.tsv", "column": "age", "use": "feature", "reason": ""},
    {"file": "participants.tsv", "column": "notes", "use": "not used", "reason": "free text"},
)


def make_effects(units: xr.Dataset, literals: pd.DataFrame, verdicts: pd.DataFrame) -> list:
    overall, persona = overall_facts(units), verdicts.iloc[0]
    if persona["verdict"] == nm.NOISE:
        return effect_rows(units, overall)
    return effect_rows(units, overall, member_mask(units, literals, persona), persona.to_dict())


def make_summary() -> dict:
    return {
        "participants": 33,
        "cases": 66,
        "units": 33,
        "features": len(FEATURES),
        "literals": 412,
        "splits": 1000,
        "relabellings": 199,
        "critical_value": 4.612345,
        "polarities": {
            p: {
                "q_best": 4.9 - k,
                "kept": 100,
                "saturation": 0.83 + 0.1 * k,
                "proven": True,
                "gap": 0.0,
                "candidates": 11_567_000,
                "nodes": 90_412,
            }
            for k, p in enumerate(nm.POLARITIES)
        },
        "gates": {"published_both_share": 0.984, "heterogeneity_both_share": 0.412},
        "train_choice": {
            p: {
                "difference": 1.25,
                "difference_low": -3.5,
                "difference_high": 6.0,
                "d": 0.62,
                "d_low": -0.1,
                "d_high": 1.34,
                "splits": 998,
                "splits_empty": 2,
            }
            for p in nm.POLARITIES
        },
        "selection": {
            p: {
                "features_per_split": 21.4,
                "stability": 0.31,
                "stability_low": 0.27,
                "stability_high": 0.35,
            }
            for p in nm.POLARITIES
        },
    }


def make_enrichment() -> dict:
    return {
        "splits": 1000,
        "splits_empty": 3,
        "share_enrolled": 0.37,
        "benefit": 6.42,
        "benefit_low": 4.1,
        "benefit_high": 8.7,
        "benefit_enrolled": 8.91,
        "benefit_enrolled_low": 3.2,
        "benefit_enrolled_high": 14.6,
        "gain": 2.49,
        "gain_low": -0.7,
        "gain_high": 5.66,
        "n_all": 24.0,
        "n_all_low": 14.0,
        "n_all_high": 57.0,
        "n_enriched": 14.0,
        "n_enriched_low": 7.0,
        "n_enriched_high": 92.0,
        "n_screened": 38.0,
        "n_screened_low": 19.0,
        "n_screened_high": 249.0,
    }


def make_explained(rng: np.random.Generator, participants: np.ndarray) -> dict:
    words = rng.choice([*nm.POLARITIES, "unexplained"], participants.size)
    curve = pd.DataFrame({"tau": np.linspace(0.9, 0.1, 12)})
    curve["explained"] = np.linspace(3, 30, 12).astype(int)
    curve["coverage"] = curve["explained"] / 33
    curve["accuracy"] = np.linspace(0.9, 0.58, 12)
    numbers = {
        "accuracy": 0.612, "accuracy_null": 0.487, "accuracy_p": 0.15,
        "auc": 0.66, "auc_null": 0.51, "auc_p": 0.1,
        "coverage": 0.27, "explained": 9, "relabelled": 19, "splits": 20, "tau": 0.5,
    }  # fmt: skip
    votes = rng.uniform(-1, 1, participants.size)
    cases = pd.DataFrame({"participant": participants, "vote": votes, "explained": words})
    return {**numbers, "cases": cases, "risk coverage": curve}


def make_settings() -> dict:
    simulation = SimulateSettings(participants=33, seed=7)
    study = StudySettings(name="demo", seed=7, data=DataSettings(simulate=simulation))
    settings = study.model_dump(mode="json")
    settings["null"]["relabellings"] = 199
    return settings


def page_section(page: str, name: str) -> str:
    """Return the HTML of one section."""
    start = page.index(f'<section id="{name}"')
    return page[start : page.index("</section>", start)]


def page_numbers(html: str) -> list[tuple[float, str]]:
    """Return the exact value and the text of every number."""
    pairs = re.findall(r'<data value="([^"]*)">([^<]*)</data>', html)
    return [(float(value), unescape(text)) for value, text in pairs]


def page_and_downloads(page: str) -> str:
    """Return the page and the tables inside it."""
    links = re.findall(r'href="data:text/csv;charset=utf-8;base64,([^"]*)"', page)
    return page + "".join(base64.b64decode(link).decode() for link in links)


def rename_feature(data: ReportData, name: str) -> ReportData:
    """Return data whose first planted feature is called ``name`` everywhere."""
    old = PLANTED[0][0]

    def rename(dataset):
        features = [name if f == old else f for f in dataset["feature"].values]
        pairs = zip(features, dataset["label"].values, strict=True)
        labels = [f if f == name else label for f, label in pairs]
        return dataset.assign_coords(feature=features, label=("feature", labels))

    tables = {
        part: getattr(data, part).map(lambda v: v.replace(old, name) if isinstance(v, str) else v)
        for part in ("literals", "verdicts", "stability")
    }
    return replace(data, units=rename(data.units), cohort=rename(data.cohort), **tables)
