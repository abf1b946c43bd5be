"""A persona as a file: who is inside, hash, version and schema."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import ketadask as kd
from ketadask.cohort.locked_adjustment import HeadSizeAdjustment, SiteAdjustment
from ketadask.search.persona import (
    DiscoveryEffect,
    DiscoveryRun,
    PersonaLiteral,
    PersonaOutcome,
)

REGION = "Left-Thalamus"
ABOUT = {"modality": "volume", "kind": "continuous", "measurement_unit": "mm3"}


def literal(feature="bdi_10", low=0.0, high=None, **changes):
    about = {"modality": "scale", "kind": "ordinal", "measurement_unit": ""}
    fields = {"text": "bdi_10 >= 1", "label": "BDI item 10: crying", "lowest": 0.0, "highest": 3.0}
    fields |= {"mean": 1.0, "sd": 0.8, **about, **changes}
    return PersonaLiteral(feature=feature, low=low, high=high, **fields)


def thalamus(**changes):
    fields = {"text": "Left-Thalamus <= 7000", "label": "left thalamus", "lowest": 5000.0}
    fields |= {"highest": 9000.0, "mean": 7000.0, "sd": 700.0, **ABOUT, **changes}
    return literal(REGION, None, 7000.0, **fields)


def persona(*literals, **changes):
    effect = {"units": 60, "inside": 20, "outside": 38, "unknown": 2, "prevalence": 20 / 58}
    effect |= {"prevalence_low": 0.24, "prevalence_high": 0.47, "benefit_inside": 9.0}
    effect |= {"benefit_outside": 2.0, "difference": 7.0, "difference_low": 1.5}
    effect |= {"difference_high": 12.5, "difference_shrunken": 5.5, "p_adjusted": 0.01}
    effect |= {"verdict": "supported", "score_sd": 6.0, "outcome_sd": 8.0}
    fields = {
        "persona": "P0123abcd",
        "polarity": "favourable",
        "literals": literals or (literal(), thalamus()),
        "outcome": PersonaOutcome(scale="madrs", day=7, endpoint="improvement", unit="points"),
        "arms": {"active": "ketamine", "control": "placebo"},
        "design": "parallel",
        "baseline": "first",
        "discovery": DiscoveryEffect(**effect),
        "run": DiscoveryRun(name="demo", fingerprint="f" * 64, inputs="0" * 64, ketadask="0.1.0"),
    }
    return kd.Persona(**fields | changes)


HOSTILE = {"levels": "[" * 90_000, "objects": '{"a":' * 900, "text": '{"persona": "\\ud800", %s}'}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_text_that_no_json_can_hold_is_an_input_error(tmp_path, text):
    path = tmp_path / "persona.json"
    head = '"format": "ketadask persona", "version": 1, "hash": ""'
    path.write_text(text % head if "%s" in text else text)
    with pytest.raises(kd.InputError, match="restore the original file"):
        kd.Persona.read(path)


def test_membership_and_its_reasons():
    table = pd.DataFrame(
        {
            "bdi_10": [1.0, 0.0, np.nan, np.nan, 2.0, 2.0],
            REGION: [6000.0, 6000.0, 6000.0, 8000.0, 9500.0, np.nan],
        },
        index=list("abcdef"),
    )
    members = persona().members(table)
    assert members["member"].tolist() == [
        "inside", "outside", "unknown", "outside", "unknown", "unknown",
    ]  # fmt: skip
    assert members["reason"].tolist() == [
        "", "", "bdi_10 is missing", "",
        "Left-Thalamus is out of the range at discovery, 5000 to 9000 mm3",
        "Left-Thalamus is missing",
    ]  # fmt: skip
    assert members.index.tolist() == list("abcdef")


def test_column_order_and_spelling_do_not_matter():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"bdi_10": rng.integers(0, 4, 50), REGION: rng.uniform(5000, 9000, 50), "x": 1.0}
    )
    other = table[["x", REGION, "bdi_10"]].rename(
        columns={REGION: "Left-Thalamus-Proper", "bdi_10": "BDI-10"}
    )
    pd.testing.assert_frame_equal(persona().members(other), persona().members(table))
    with pytest.raises(kd.InputError, match="two columns hold the same feature"):
        persona().members(table.assign(**{"BDI 10": 1.0}).rename(columns={"bdi_10": "bdi10"}))


@pytest.mark.parametrize(
    ("factor", "units", "reason"),
    [
        (1e-3, {REGION: "cm^3"}, "Left-Thalamus is in cm^3, not mm3"),
        (1e-3, {}, "Left-Thalamus is about 1000 times smaller than in mm3"),
        (1e3, {}, "Left-Thalamus is about 1000 times larger than in mm3"),
    ],
)
def test_another_unit_leaves_everybody_unknown(factor, units, reason):
    table = pd.DataFrame({REGION: factor * np.linspace(5200, 8800, 20)})
    members = persona(thalamus()).members(table, units)
    assert set(members["member"]) == {"unknown"}
    assert set(members["reason"]) == {reason}
    same = persona(thalamus()).members(table / factor, {REGION: "mm³"})
    assert (same["member"] == "inside").sum() == 10


def test_locked_adjustments_are_applied_and_other_sites_are_unknown():
    head = HeadSizeAdjustment(slope=0.002, mean=1.5e6)
    sites = SiteAdjustment(
        mean=7000.0, width=500.0, effects={"age": -10.0}, covariate_means={"age": 40.0},
        shifts={"t a": 1.0, "t b": -1.0}, spreads={"t a": 2.0, "t b": 1.0},
    )  # fmt: skip
    table = pd.DataFrame(
        {
            REGION: [7000.0, 7000.0, 7000.0, 7000.0],
            "EstimatedTotalIntraCranialVol": [1.5e6, 1.6e6, 1.5e6, np.nan],
            "trial": "t",
            "site": ["a", "b", "c", "a"],
            "age": [50.0, np.nan, 40.0, 40.0],
        }
    )
    value = thalamus(head_size=head, sites=sites).values(table)
    # a: ((7000 - 6900) / 500 - 1) / 2 = -0.4 widths; b: (6800 - 7000) / 500 + 1 = 0.6 widths.
    np.testing.assert_allclose(value, [6900 - 200, 7000 + 300, np.nan, np.nan])
    reasons = persona(thalamus(head_size=head, sites=sites)).members(table)["reason"]
    why = f"{REGION} cannot be adjusted: no intracranial volume or site not at discovery"
    assert reasons.tolist() == ["", "", why, why]


def test_the_file_is_read_back_and_its_hash_protects_it(tmp_path):
    path = persona().write(tmp_path / "persona.json")
    assert kd.Persona.read(path) == persona()
    persona().write(path)  # the same content again
    with pytest.raises(kd.InputError, match="never replaced"):
        persona(anyway=True).write(path)
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text)))  # other spaces, same content
    assert kd.Persona.read(path) == persona()
    assert "7000.0" in text
    path.write_text(text.replace("7000.0", "7500.0"))
    with pytest.raises(kd.InputError, match=r"edited since it was locked.*lock the persona"):
        kd.Persona.read(path)
    path.write_text(text.replace('"version": 1', '"version": 2'))
    with pytest.raises(kd.InputError, match=r"newer ketadask.*update ketadask"):
        kd.Persona.read(path)
    path.write_text(text[:-20])
    with pytest.raises(kd.InputError, match=r"not valid JSON.*restore the original"):
        kd.Persona.read(path)
    path.write_text("[1]")
    with pytest.raises(kd.InputError, match="not the file of a persona"):
        kd.Persona.read(path)


def test_the_schema_names_every_key_of_the_file():
    schema, content = kd.Persona.json_schema(), json.loads(persona().to_json())
    assert set(content) <= set(schema["properties"])
    assert set(schema["required"]) <= set(content)
    for name, definition in {"Persona": schema, **schema["$defs"]}.items():
        for key, field in definition["properties"].items():
            assert {"description", "const"} & set(field), (name, key)


def test_sentence_for_a_protocol():
    interval = literal("age", 30.0, 45.0, text="30 < age <= 45", label="age",
                       measurement_unit="years", lowest=18.0, highest=65.0)  # fmt: skip
    assert persona(literal(), thalamus(), interval).sentence() == (
        "BDI item 10: crying at least 1 (bdi_10); and left thalamus at most 7000 mm3 "
        "(Left-Thalamus); and age above 30 and at most 45 years"
    )
