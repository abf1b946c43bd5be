"""A table that breaks its contract is refused by name; a column of an earlier version too."""

import pandas as pd
import pytest

from ketadask.schema.checks import Column, TableContract
from ketadask.schema.errors import InputError

VERDICTS = TableContract(
    "verdicts", {"text": Column("O", "the persona"), "prevalence": Column("f", "share inside")}
)


def test_columns_come_in_the_order_of_the_contract():
    table = pd.DataFrame({"prevalence": [0.4], "text": ["age > 40"]})
    assert list(VERDICTS.check(table)) == ["text", "prevalence"]
    assert list(VERDICTS.empty()) == ["text", "prevalence"]


def test_a_missing_column_is_named_without_a_remedy():
    with pytest.raises(InputError) as error:
        VERDICTS.check(pd.DataFrame({"text": ["age > 40"]}))
    assert str(error.value) == "verdicts table lacks columns: prevalence"


def test_a_column_of_an_earlier_version_is_refused_with_its_new_name():
    with pytest.raises(InputError) as error:
        VERDICTS.check(pd.DataFrame({"text": ["age > 40"], "share": [0.4]}))
    assert error.value.remedy == "rename 'share' to 'prevalence'"


def test_an_unknown_column_and_wrong_values_are_refused():
    table = pd.DataFrame({"text": ["age > 40"], "prevalence": [0.4]})
    with pytest.raises(InputError, match=r"unknown columns, found \['n'\]"):
        VERDICTS.check(table.assign(n=1))
    with pytest.raises(InputError, match="'prevalence' must be of kind 'f'"):
        VERDICTS.check(table.assign(prevalence=1))
