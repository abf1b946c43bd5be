"""Volumes in mm3, and freed of head size by least squares."""

import dask
import numpy as np
import pytest
import xarray as xr

from ketadask.features.volumes import region_label, residual_volumes, volume_features
from ketadask.schema.errors import InputError
from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.regions import ETIV, REGIONS


def volumes_of(columns):
    regions = [REGIONS[name] for name in columns]
    values = np.array(list(columns.values()), dtype=float).T
    return xr.Dataset(
        {"volume": (("participant", "region"), values)},
        {
            "participant": [f"p{k}" for k in range(len(values))],
            "region": list(columns),
            **{c: ("region", [getattr(r, c) for r in regions]) for c in ("hemisphere", "tissue")},
        },
    )


@pytest.fixture
def volumes():
    rng = np.random.default_rng(1)
    head = rng.normal(1.5e6, 1.5e5, 40)
    thalamus = 2000 + 0.004 * head + rng.normal(0, 300, 40)
    csf = rng.normal(1000, 100, 40)
    csf[3] = np.nan
    return volumes_of({"Left-Thalamus": thalamus, "CSF": csf, ETIV: head})


def test_residuals_are_those_of_numpy(volumes):
    table = volume_features(volumes, method="residual")
    head = volumes["volume"].sel(region=ETIV).to_numpy()
    for region in ("Left-Thalamus", "CSF"):
        y = volumes["volume"].sel(region=region).to_numpy()
        present = ~np.isnan(y)
        design = np.column_stack([np.ones(present.sum()), head[present]])
        fit = design @ np.linalg.lstsq(design, y[present], rcond=None)[0]
        expected = y[present] - fit + y[present].mean()
        np.testing.assert_allclose(table.values[region].to_numpy()[present], expected, rtol=1e-9)
        assert np.isnan(table.values[region].to_numpy()[~present]).all()
        assert abs(np.corrcoef(expected, head[present])[0, 1]) < 1e-9
    np.testing.assert_array_equal(table.values[ETIV], head)


def test_residuals_are_lazy_and_raw_is_raw(volumes):
    def refuse(graph, keys, **options):
        raise AssertionError

    with dask.config.set(scheduler=refuse):
        lazy = residual_volumes(volumes.chunk({"participant": 7}))
    np.testing.assert_allclose(lazy["volume"], residual_volumes(volumes)["volume"])
    raw = volume_features(volumes)
    np.testing.assert_array_equal(raw.values, volumes["volume"])
    assert set(raw.about["measurement_unit"]) == {"mm3"}
    assert raw.values.index.get_level_values("period").unique().tolist() == [0]


def test_near_constant_regions_are_dropped_and_named(volumes):
    rare = np.zeros(40)
    rare[:3] = [1, 2, 3]
    some = np.zeros(40)
    some[:5] = [1, 2, 3, 4, 5]
    asymmetry_names = volumes_of({"5th-Ventricle": rare, "Left-vessel": some})
    both = xr.concat(
        [volumes, asymmetry_names.assign_coords(participant=volumes["participant"])], "region"
    )
    table = volume_features(both)
    assert table.dropped == {
        "5th-Ventricle": "near-constant: 92% of participants have the same value"
    }
    assert "Left-vessel" in table.values


def test_what_is_wrong_is_named(volumes):
    with pytest.raises(InputError, match=f"volumes have no {ETIV}; add the aseg table, or use"):
        volume_features(volumes.drop_sel(region=ETIV), method="residual")
    with pytest.raises(InputError, match="found 'residuals'; did you mean 'residual'"):
        volume_features(volumes, method="residuals")


def test_labels_are_readable():
    labels = [region_label(r.name, r.hemisphere, r.tissue) for r in REGIONS.values()]
    assert len(set(labels)) == 185
    assert region_label("lh_insula_volume", "left", "cortex") == "left insula cortex"


def test_dividing_by_head_size_does_not_free_from_it_but_the_residual_does(real_data):
    volumes = open_volumes(real_data / "freesurfer" / "aomic_piop2")
    raw, residual = volume_features(volumes), volume_features(volumes, method="residual")
    assert len(raw.dropped) == 6
    head = raw.values[ETIV]
    regions = [name for name in raw.values if name != ETIV]

    def median_correlation(values):
        return values[regions].corrwith(head).abs().median()

    assert median_correlation(raw.values) == pytest.approx(0.529, abs=0.02)
    assert median_correlation(raw.values[regions].div(head, axis=0)) > 0.4
    assert median_correlation(residual.values) < 1e-10
    np.testing.assert_allclose(residual.values.mean(), raw.values.mean())


def test_asymmetries_are_of_pairs_and_head_size_cancels():
    volumes = volumes_of(
        {
            "lh_cuneus_volume": [30.0, 10.0, 0.0],
            "rh_cuneus_volume": [10.0, 30.0, 0.0],
            "Left-Thalamus": [5.0, 6.0, 7.0],
            "Right-Thalamus": [5.0, np.nan, 7.5],
            "CSF": [1.0, 2.0, 3.0],
            ETIV: [10.0, 11.0, 12.0],
        }
    )
    table = volume_features(volumes, asymmetry=True)
    asymmetry_names = [n for n in table.values.columns if n.startswith("asymmetry")]
    assert asymmetry_names == ["asymmetry-cuneus_volume", "asymmetry-Thalamus"]
    np.testing.assert_array_equal(table.values[asymmetry_names[0]], [1, -1, np.nan])
    np.testing.assert_allclose(table.values[asymmetry_names[1]], [0, np.nan, -0.5 / 7.25])
    larger = volume_features(volumes.assign(volume=2 * volumes["volume"]), asymmetry=True)
    np.testing.assert_allclose(larger.values[asymmetry_names], table.values[asymmetry_names])
    residual = volume_features(volumes, method="residual", asymmetry=True)
    np.testing.assert_array_equal(residual.values[asymmetry_names], table.values[asymmetry_names])
    assert set(table.about.loc[asymmetry_names, "measurement_unit"]) == {""}


def test_all_pairs_of_the_185_regions():
    rng = np.random.default_rng(0)
    volumes = volumes_of({name: rng.uniform(1, 2, 5) for name in REGIONS})
    table = volume_features(volumes, asymmetry=True)
    assert sum(n.startswith("asymmetry") for n in table.values.columns) == 34 + 34 + 1 + 16 - 0
