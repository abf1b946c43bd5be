"""The baseline table has the means of the features in each group."""

import numpy as np
import pytest

from ketadask.report.baseline import baseline_view, columns_view
from ketadask.report.members import member_masks


def test_cells_are_means_and_spreads_of_each_group(data, context):
    view = baseline_view(context)
    titles = [title for title, _ in view.groups]
    assert titles[:3] == ["all", "inside #1", "outside #1"]
    inside = member_masks(context, context.personas[:1])[0]
    age = data.units["value"].sel(feature=data.units["feature"] == "age").to_numpy()[:, 0]
    row = next(row for row in view.rows if row.label == "Age")
    for cell, mask in zip(row.cells, (np.ones(len(age), bool), inside, ~inside), strict=False):
        assert cell.n == np.isfinite(age[mask]).sum()
        assert cell.mean == pytest.approx(np.nanmean(age[mask]))
        assert cell.sd == pytest.approx(np.nanstd(age[mask], ddof=1))


def test_columns_that_are_not_used_come_first(context):
    assert [row.column for row in columns_view(context)] == ["notes", "age"]
