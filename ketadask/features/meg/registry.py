"""The MEG features: groups, bands, areas, and the small set selected in advance."""

from __future__ import annotations

from dataclasses import dataclass

from ketadask import names as nm
from ketadask.features.meg.settings import CORE, FULL, POWER
from ketadask.schema.errors import InputError, nearest

BANDS = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma1": (30.0, 58.0),
    "gamma2": (62.0, 100.0),
}
HIGHEST_BAND = max(high for _, high in BANDS.values())
# Bands of the ENIGMA-MEG group, for relative power.
ENIGMA_BANDS = {
    "delta": (1.0, 3.0),
    "theta": (3.0, 6.0),
    "alpha": (8.0, 12.0),
    "beta": (13.0, 35.0),
    "gamma": (35.0, 45.0),
}
COUPLING_BANDS = {
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma1": (30.0, 45.0),
}
BROAD = (1.0, 45.0)
APERIODIC = (2.0, 40.0)
PEAK = (7.0, 14.0)

ALL = "all"
REGIONS = ("frontal", "central", "temporal", "parietal", "occipital")
SIDES = ("left", "right")
AREAS = (ALL, *(f"{region}_{side}" for region in REGIONS for side in SIDES))

SPECTRUM, COURSE, COUPLING = "spectrum", "course", "coupling"


@dataclass(frozen=True)
class FeatureGroup:
    """Features of one measure: its unit, its bands and the data it needs."""

    name: str
    label: str
    measurement_unit: str
    needs: str
    bands: tuple[str, ...] = ("",)


FEATURE_GROUPS = {
    group.name: group
    for group in (
        FeatureGroup("power", "power", "log10 fT2/Hz", SPECTRUM, tuple(BANDS)),
        FeatureGroup("relative", "relative power", "log10 share", SPECTRUM, tuple(ENIGMA_BANDS)),
        FeatureGroup("exponent", "aperiodic exponent", "", SPECTRUM),
        FeatureGroup("offset", "aperiodic offset", "log10 fT2/Hz", SPECTRUM),
        FeatureGroup("peak", "alpha peak", "Hz", SPECTRUM),
        FeatureGroup("entropy", "spectral entropy", "", SPECTRUM),
        FeatureGroup("activity", "Hjorth activity", "log10 fT2", COURSE),
        FeatureGroup("mobility", "Hjorth mobility", "", COURSE),
        FeatureGroup("complexity", "Hjorth complexity", "", COURSE),
        FeatureGroup("lz", "Lempel-Ziv complexity", "", COURSE),
        FeatureGroup("aec", "envelope correlation", "r", COUPLING, tuple(COUPLING_BANDS)),
        FeatureGroup(
            "wpli", "weighted phase lag index", "squared", COUPLING, tuple(COUPLING_BANDS)
        ),
        FeatureGroup("imcoh", "imaginary coherency", "squared", COUPLING, tuple(COUPLING_BANDS)),
    )
}

# Power and coupling of brain parcels; the table of a recording names them.
PARCEL, PARCEL_AEC = "parcel", "parcel_aec"
_PARCEL_GROUPS = {
    PARCEL: FeatureGroup(PARCEL, "parcel power", "log10 fT2/Hz", SPECTRUM, tuple(BANDS)),
    PARCEL_AEC: FeatureGroup(
        PARCEL_AEC, "parcel envelope correlation", "r", COUPLING, tuple(COUPLING_BANDS)
    ),
}

# Selected before any outcome was known: the measures of this trial's own papers (gamma power,
# envelope coupling, slowing), at the scale at which resting MEG is repeatable.
_CORE = (
    ("power", ("delta", "theta", "alpha", "beta", "gamma1", "gamma2"), (ALL,)),
    ("power", ("gamma1", "gamma2"), ("frontal_left", "frontal_right")),
    ("power", ("theta",), ("frontal_left", "frontal_right")),
    ("power", ("alpha",), ("occipital_left", "occipital_right")),
    ("relative", tuple(ENIGMA_BANDS), (ALL,)),
    ("exponent", ("",), (ALL, "frontal_left", "frontal_right")),
    ("offset", ("",), (ALL,)),
    ("peak", ("",), (ALL, "occipital_left", "occipital_right")),
    ("entropy", ("",), (ALL,)),
    ("mobility", ("",), (ALL,)),
    ("complexity", ("",), (ALL,)),
    ("lz", ("",), (ALL,)),
    ("aec", tuple(COUPLING_BANDS), (ALL,)),
    ("wpli", ("alpha", "beta"), (ALL,)),
)


@dataclass(frozen=True)
class Feature:
    """One number per recording: the measure of a group in a band over an area.

    Examples
    --------
    >>> Feature("power", "alpha", "occipital_left").name
    'meg_power_alpha_occipital_left'
    >>> Feature("peak", "", "all").label
    'MEG alpha peak, all sensors'
    """

    group: str
    band: str
    area: str
    modality: str = nm.MEG

    @property
    def name(self) -> str:
        """Name of the feature in every table."""
        return "_".join(word for word in (self.modality, self.group, self.band, self.area) if word)

    @property
    def label(self) -> str:
        """Text for tables and figures."""
        modality = self.modality.upper()
        if self.group in _PARCEL_GROUPS:
            return f"{modality} {self.band} {self._group.label}, {self.area}"
        where = "all sensors" if self.area == ALL else " ".join(self.area.split("_")[::-1])
        return (
            " ".join(word for word in (modality, self.band, self._group.label) if word)
            + f", {where}"
        )

    @property
    def measurement_unit(self) -> str:
        """Unit of the value."""
        return self._group.measurement_unit

    @property
    def _group(self) -> FeatureGroup:
        return FEATURE_GROUPS.get(self.group) or _PARCEL_GROUPS[self.group]


def feature_set(name: str = CORE, modality: str = nm.MEG) -> tuple[Feature, ...]:
    """Return the features of a set, in order, of MEG or EEG.

    Examples
    --------
    >>> len(feature_set("core")), len(feature_set("full")), len(feature_set("power"))
    (36, 341, 66)
    """
    groups = FEATURE_GROUPS.values()
    sets = {
        CORE: _CORE,
        FULL: [(group.name, group.bands, AREAS) for group in groups],
        POWER: [(group.name, group.bands, AREAS) for group in groups if group.name == POWER],
    }
    if name not in sets:
        raise InputError(
            "unknown set of MEG features",
            where="features",
            value=name,
            remedy=nearest(str(name), list(sets)),
        )
    return tuple(
        Feature(group, band, area, modality)
        for group, bands, areas in sets[name]
        for band in bands
        for area in areas
    )
