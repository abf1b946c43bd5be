"""A study's YAML file: strict, documented, every error one line with its remedy."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from ketadask.config.inputs import DataSettings, ScoreTableSettings, SimulateSettings
from ketadask.config.reading import ManyInputsError, keys, section_fields, section_type
from ketadask.config.study import StudySettings, read_study
from ketadask.schema.errors import InputError

ROOT = Path(__file__).parents[2]
GOOD = "name: trial\ndata:\n  folder: study\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def models(model: type = StudySettings):
    yield model
    for field in section_fields(model).values():
        section = section_type(field.annotation)
        if section is not None:
            yield from models(section)


def test_paths_are_relative_to_the_file_and_overrides_to_the_caller(tmp_path, monkeypatch):
    path = write(tmp_path, GOOD)
    assert read_study(path).data.folder == tmp_path / "study"
    monkeypatch.chdir(tmp_path.parent)
    assert read_study(path, ["data.folder=here"]).data.folder == tmp_path.parent / "here"
    others = read_study(write(tmp_path, GOOD + "predict: {external: {other: ../x, here: /y}}\n"))
    assert others.predict.external == {"other": tmp_path / "../x", "here": Path("/y")}


def test_overrides_are_yaml_values(tmp_path):
    settings = read_study(
        write(tmp_path, GOOD),
        [
            "splits.count=12",
            "features.include=[a, 'b*']",
            "search.min_support=null",
            "literals.cut_points.age=[30, 40.5]",
            "literals.intervals=true",
            "gates.p=1e-3",
        ],
    )
    assert settings.splits.count == 12
    assert settings.gates.p == 0.001
    assert settings.features.include == ("a", "b*")
    assert settings.search.min_support is None
    assert settings.literals.cut_points == {"age": [30.0, 40.5]}
    assert settings.literals.intervals is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["study.yaml", "empty"]),
        ("# nothing\n", ["study.yaml", "empty"]),
        ("- a\n- b\n", ["key: value", "list"]),
        (b"name: \xe9t\xe9\n", ["line 1", "UTF-8"]),
        ("name: a\ndata: {folder: x\n", ["line", "YAML"]),
        ("name: a\n\tdata: x\n", ["line 2", "YAML"]),
        ("name: a\nname: b\n", ["line 2", "duplicate key", "name", "line 1"]),
        (GOOD + "splits: {count: 1, count: 2}\n", ["line 4", "count", "duplicate"]),
        ("!!python/object:os.system x\n", ["YAML"]),
        (GOOD + "spilts: {count: 1}\n", ["spilts", "unknown key", "did you mean 'splits'"]),
        (GOOD + "splits: {cuont: 1}\n", ["splits.cuont", "did you mean 'splits.count'"]),
        (GOOD + "splits: {relabellings: 9}\n", ["did you mean 'null.relabellings'"]),
        (GOOD + "cuts: 6\n", ["cuts", "did you mean 'literals.cuts'"]),
        (GOOD + "splits: {count: many}\n", ["splits.count", "whole number", "'many'"]),
        (GOOD + "splits: {count: 2.5}\n", ["splits.count", "whole number", "2.5"]),
        (GOOD + "splits: {count: 0}\n", ["splits.count", "at least 1", "0"]),
        (GOOD + "splits: {count: true}\n", ["splits.count", "whole number", "True"]),
        (GOOD + "splits: 100\n", ["splits", "section", "100"]),
        (GOOD + "splits: {train_size: 1.0}\n", ["splits.train_size", "less than 1"]),
        (GOOD + "gates: {p: .nan}\n", ["gates.p", "finite"]),
        (GOOD + "gates: {p: e-3}\n", ["gates.p", "number", "'e-3'"]),
        (GOOD + "literals: {intervals: 1}\n", ["literals.intervals", "true or false"]),
        (GOOD + "design: {kind: crosover}\n", ["design.kind", "did you mean 'crossover'"]),
        (GOOD + "features: {modalities: scale}\n", ["features.modalities", "list", "'scale'"]),
        (GOOD + "features: {modalities: []}\n", ["features.modalities", "at least 1"]),
        (GOOD + "search: {max_literals: 5}\n", ["search.max_literals", "at most 4", "5"]),
        (
            GOOD + "search: {max_literals: 1, min_modalities: 2}\n",
            ["min_modalities", "found 2", "lower"],
        ),
        (GOOD + "gates: {dd: 1}\n", ["gates.dd: unknown key; did you mean 'gates.d'?"]),
        (GOOD + "null: {relabellings: 9}\n", ["null.relabellings 9", "19"]),
        (GOOD + "verdict: {suggestive: 0.01}\n", ["verdict", "suggestive", "raise"]),
        (GOOD + "splits: {group_by: case}\n", ["splits.group_by", "participant"]),
        (GOOD + "splits: {scheme: complementary, train_size: 0.6}\n", ["halves", "0.5"]),
        (GOOD + "predict: {}\nfeatures: {volumes: residual}\n", ["predict.covariates"]),
        (GOOD + "predict: {}\nfeatures: {harmonise: site}\n", ["predict.harmonise"]),
        ("name: a\n", ["data", "missing"]),
        ("name: a\ndata: {}\n", ["data", "folder or simulate"]),
        ("name: a\ndata: {folder: x, simulate: {}}\n", ["data", "needs table, folder or simulate"]),
        ("name: a/b\ndata: {folder: x}\n", ["name", "match", "a/b"]),
        ("name: 2020-01-01\ndata: {folder: 3}\n", ["data.folder", "must be text", "3"]),
    ],
)
def test_an_error_is_one_line_with_file_key_value_and_remedy(tmp_path, text, words):
    with pytest.raises(InputError) as error:
        read_study(write(tmp_path, text))
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(tmp_path / "study.yaml"))
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("splits.cuont=3", ["splits.cuont", "did you mean 'splits.count'"]),
        ("splits", ["a.b=c"]),
        ("splits.count=[", ["splits.count", "YAML"]),
        ("splits.count=x", ["splits.count", "whole number"]),
        ("nonsense.at.all=1", ["nonsense.at.all", "unknown key"]),
        ("execution.memory=much", ["execution.memory", "'much'", "write for example 2GB"]),
        ("execution.memory=9e999MB", ["execution.memory", "9e999MB", "write for example 2GB"]),
        ("execution.memory=20MB", ["execution.memory", "20MB", "at least 300MB"]),
    ],
)
def test_an_invalid_override_is_one_line_too(tmp_path, override, words):
    with pytest.raises(InputError) as error:
        read_study(write(tmp_path, GOOD), [override])
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("features: {families: [scale]}", "features.families: unknown key; it is now features.mod"),
        ("splits: {share: 0.5}", "splits.share: unknown key; it is now splits.train_size"),
        (
            "splits: {stop: settled}",
            "splits.stop: unknown word, found 'settled'; it is now 'early'",
        ),
        ("features: {cardiac_artefact: project}", "found 'project'; it is now 'ssp'"),
    ],
)
def test_a_key_of_an_earlier_version_is_answered_with_its_new_name(tmp_path, text, words):
    with pytest.raises(InputError, match=re.escape(words)):
        read_study(write(tmp_path, f"{GOOD}{text}\n"))
    table = "\ndata: {folder: x, tables: [{file: a.csv, wide: b}]}\n"
    with pytest.raises(
        InputError, match=r"tables\.0\.wide: .*it is now data\.tables\.wide_pattern"
    ):
        read_study(write(tmp_path, f"name: a{table}"))
    with pytest.raises(InputError, match=r"null\.how: unknown key; it is now null\.method"):
        read_study(write(tmp_path, GOOD), ["null.how=arms"])
    with pytest.raises(InputError, match=r"it is now literals\.cut_points\.age"):
        read_study(write(tmp_path, GOOD), ["literals.explicit.age=[30]"])


def test_every_new_name_of_a_key_exists():
    from ketadask.cluster.profile import Profile
    from ketadask.config.reading import _NEW_KEYS

    exist = {*keys(StudySettings), *keys(Profile)}
    tables = {f"data.tables.{name}" for name in ScoreTableSettings.model_fields}
    assert set(_NEW_KEYS.values()) <= exist | tables


def test_several_errors_are_one_line_each(tmp_path):
    with pytest.raises(ManyInputsError) as error:
        read_study(write(tmp_path, GOOD + "spilts: 1\ngates: {p: 2, q: 1}\n"))
    assert len(str(error.value).splitlines()) == 3


def test_a_missing_file_names_its_neighbours(tmp_path):
    write(tmp_path, GOOD)
    with pytest.raises(InputError, match=r"no such file; available: .*study\.yaml"):
        read_study(tmp_path / "stduy.yaml")
    with pytest.raises(InputError, match="this is a folder"):
        read_study(tmp_path)


@pytest.mark.parametrize("alpha", [0.01, 0.03, 0.05, 0.07, 0.1, 0.3])
def test_the_remedy_is_the_smallest_sufficient_number_of_relabellings(tmp_path, alpha):
    text = GOOD + f"verdict: {{alpha: {alpha}, suggestive: 0.4}}\nnull: {{relabellings: %d}}\n"
    with pytest.raises(InputError) as error:
        read_study(write(tmp_path, text % 1))
    need = int(re.search(r"to (\d+) or more", str(error.value))[1])
    assert read_study(write(tmp_path, text % need)).null.relabellings == need
    with pytest.raises(InputError):
        read_study(write(tmp_path, text % (need - 1)))


def test_a_mapping_may_be_merged_into_another(tmp_path):
    settings = read_study(write(tmp_path, GOOD + "gates: {<<: {d: 0.3, p: 0.2}, p: 0.01}\n"))
    assert (settings.gates.p, settings.gates.d) == (0.01, 0.3)


def test_settings_cannot_change(tmp_path):
    with pytest.raises(ValueError, match="frozen"):
        read_study(write(tmp_path, GOOD)).splits.count = 3


def test_counts_and_speed_are_not_science_of_the_parts(tmp_path):
    path = write(tmp_path, GOOD)
    first = read_study(path)
    more = read_study(path, ["splits.count=2000", "null.relabellings=1999", "execution.block=3"])
    for stage in ("data", "cohort", "search", "null", "evaluate"):
        assert first.science(stage) == more.science(stage)
    assert first.science("judge") != more.science("judge")
    faster = read_study(path, ["execution.block=3", "execution.memory=1.5GiB"])
    assert faster.execution.memory_bytes == 3 * 2**29
    assert first.science("report") == faster.science("report")


@pytest.mark.parametrize(
    ("override", "affects", "leaves"),
    [
        ("data.task=movie", {"cohort", "search", "null", "predict", "judge"}, {"data"}),
        ("outcome.day=1", {"cohort", "search", "null", "evaluate", "judge"}, {"data"}),
        ("search.keep=7", {"search", "null", "evaluate", "judge"}, {"data", "cohort"}),
        ("splits.train_size=0.6", {"search", "evaluate", "judge"}, {"cohort", "null"}),
        ("gates.d=0.6", {"search", "evaluate", "judge"}, {"cohort", "null"}),
        ("null.method=arms", {"null", "judge"}, {"cohort", "search", "evaluate"}),
        ("verdict.alpha=0.01", {"judge", "report"}, {"cohort", "search", "null", "evaluate"}),
        ("seed=8", {"search", "null", "evaluate", "judge"}, {"data", "cohort"}),
        ("report.title=Hello", {"report"}, {"judge", "search", "null", "evaluate"}),
    ],
)
def test_a_setting_changes_the_stages_it_can_change(tmp_path, override, affects, leaves):
    path = write(tmp_path, GOOD)
    first, other = read_study(path), read_study(path, [override])
    assert all(first.science(stage) != other.science(stage) for stage in affects)
    assert all(first.science(stage) == other.science(stage) for stage in leaves)


def test_every_setting_but_paths_and_speed_is_science_of_the_report():
    settings = StudySettings(name="a", data=DataSettings(folder=Path("x")))
    science = set(flat(settings.science("report")))
    outside = {"name", "execution", "data.folder", "data.simulate", "data.freesurfer"}
    sections = {
        k for k in keys(StudySettings) if any(o.startswith(f"{k}.") for o in keys(StudySettings))
    }
    for key in set(keys(StudySettings)) - sections:
        # a section without a value is one key
        assert any(f"{key}.".startswith(f"{name}.") for name in science | outside), key


def flat(values: dict, prefix: str = ""):
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name


@pytest.mark.parametrize("model", list(models()), ids=lambda m: m.__name__)
def test_every_key_and_every_section_is_documented(model):
    assert model.__doc__
    for name, field in section_fields(model).items():
        assert field.description, f"{model.__name__}.{name}"
        assert len(field.description) > 8


def test_every_key_is_used_by_the_study():
    """Each name appears as an attribute in study, those of shared settings as a section."""
    attributes = {
        node.attr
        for path in (ROOT / "ketadask" / "study").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    # passed on whole to `PersonaSearch`, `assemble` and `MegSettings`
    shared = ("search.", "literals.", "outcome.", "features.recordings.")
    unused = [
        key
        for key in keys(StudySettings)
        if not {key.rpartition(".")[2], key.rpartition(".")[2] + "_bytes"} & attributes
        and not key.startswith(shared)
    ]
    assert [key for key in unused if not key.startswith("data.simulate.")] == []


def test_what_can_be_simulated_is_what_the_simulation_takes():
    from ketadask.simulate.study import simulate_study

    takes = set(inspect.signature(simulate_study).parameters) - {"out", "overwrite"}
    assert set(SimulateSettings.model_fields) == takes
    defaults = {name: field.default for name, field in SimulateSettings.model_fields.items()}
    for name, default in defaults.items():
        assert inspect.signature(simulate_study).parameters[name].default == default, name


def test_a_change_of_the_null_section_keeps_the_rest_of_it(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("name: a\ndata: {folder: .}\nnull: {relabellings: 29, method: arms}\n")
    null = read_study(path, ["null.relabellings=39"]).null
    assert (null.relabellings, null.method) == (39, "arms")
