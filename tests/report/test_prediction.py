"""The section about brain structure: numbers as measured, figures, and no person."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_curve

from ketadask.predict.performance import performance
from ketadask.report.page import render
from ketadask.report.prediction import roc


def make_prediction(seed=0):
    rng = np.random.default_rng(seed)
    tables, cohorts = [], {}
    for name, n, shift in (("discovery", 60, 1.0), ("control arm", 40, 0.0)):
        label = np.arange(n) % 2
        decision = rng.normal(size=n) + shift * label
        table = pd.DataFrame(
            {
                "participant": [f"sub-KX{k:04d}" for k in range(n)],
                "label": label,
                "decision": decision,
                "probability": 1 / (1 + np.exp(-decision)),
                "predicted": (decision > 0.5).astype(int),
                "cohort": name,
            }
        )
        tables.append(table)
        cohorts[name] = performance(label, table["predicted"].to_numpy(), decision)
    cohorts["discovery"] |= {"bac_folds": 0.7, "bac_folds_low": 0.6, "bac_folds_high": 0.8}
    names = ["Left-Thalamus", "<b>region</b>"]
    weights = pd.DataFrame(
        {
            "region": names,
            "label": names,
            "weight": [0.2, -0.1],
            "ratio": [3.0, -1.5],
            "consistency": [1.0, 0.9],
        }
    )
    summary = {
        "learner": "svc-linear",
        "frame": "pooled",
        "folds": "10 x 10 outer, 10 x 10 inner",
        "regions": 184,
        "covariates": ["age", "sex"],
        "cohorts": dict(sorted(cohorts.items())),
        "order": list(cohorts),
        "permutations": 999,
        "p": {"bac": 0.001, "bac_pooled": 0.001, "bac_folds": 0.002, "auc": 0.003},
        "baselines": {"logistic": cohorts["control arm"]},
        "notes": ["sub-KX0001 was at a site the model has never seen"],
    }
    return {"summary": summary, "cases": pd.concat(tables), "weights": weights}


@pytest.fixture(scope="module")
def html(findings):
    return render(replace(findings, prediction=make_prediction()))


def test_cohorts_stand_side_by_side_in_their_order(html):
    table = html[html.index('id="prediction-table"') :]
    assert table.index("discovery") < table.index("control arm") < table.index("</table>")


def test_a_model_locked_in_place_of_another_is_named(findings, html):
    assert "cannot be locked" not in html
    made = make_prediction()
    made["summary"] |= {"learner": "forest", "locked": {"learner": "svc-linear"}}
    page = render(replace(findings, prediction=made))
    assert "A forest cannot be locked" in page
    assert "is svc-linear, chosen and fitted the same way" in page


@pytest.mark.parametrize("name", ["accuracy", "roc", "calibration", "net-benefit", "weights"])
def test_figures_are_drawn(html, name):
    assert f'id="figure-{name}"' in html


def test_nobody_is_named_and_text_is_text(html, findings):
    assert "<b>region</b>" not in html
    section = html[html.index('<section id="prediction"') :].partition("</section>")[0]
    assert [who for who in findings.participants() if who in section] == []


def test_a_study_that_does_not_foretell_does_not_miss_it(findings):
    assert "brain structure" not in render(findings)


def test_roc_is_scikit_learns():
    rng = np.random.default_rng(1)
    label, score = rng.integers(0, 2, 80), rng.normal(size=80).round(1)
    false, true = roc(score, label)
    theirs = roc_curve(label, score, drop_intermediate=False)
    np.testing.assert_allclose(false, theirs[0])
    np.testing.assert_allclose(true, theirs[1])
