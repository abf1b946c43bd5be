"""The 185 regions whose volumes are features, and their names in all versions of FreeSurfer."""

from __future__ import annotations

from typing import NamedTuple

# Parcel, lobe, functional network. Lobes: those of FreeSurfer's CorticalParcellation page, the
# cingulate and the insula apart. Network: that of Yeo et al. 2011 (10.1152/jn.00338.2011) in which
# at least half of the parcel lies on fsaverage5, else mixed; counted from the parcellations aparc
# and Schaefer-400 of the ENIGMA Toolbox (Lariviere et al. 2021, 10.1038/s41592-021-01186-4).
_PARCEL_TABLE = """
    bankssts temporal default
    caudalanteriorcingulate cingulate ventral-attention
    caudalmiddlefrontal frontal mixed
    cuneus occipital visual
    entorhinal temporal limbic
    fusiform temporal visual
    inferiorparietal parietal mixed
    inferiortemporal temporal mixed
    isthmuscingulate cingulate default
    lateraloccipital occipital visual
    lateralorbitofrontal frontal limbic
    lingual occipital visual
    medialorbitofrontal frontal limbic
    middletemporal temporal default
    parahippocampal temporal visual
    paracentral frontal somatomotor
    parsopercularis frontal ventral-attention
    parsorbitalis frontal default
    parstriangularis frontal default
    pericalcarine occipital visual
    postcentral parietal somatomotor
    posteriorcingulate cingulate mixed
    precentral frontal somatomotor
    precuneus parietal mixed
    rostralanteriorcingulate cingulate default
    rostralmiddlefrontal frontal frontoparietal
    superiorfrontal frontal default
    superiorparietal parietal dorsal-attention
    superiortemporal temporal mixed
    supramarginal parietal mixed
    frontalpole frontal limbic
    temporalpole temporal limbic
    transversetemporal temporal somatomotor
    insula insula ventral-attention
"""
PARCELS = {row.split()[0]: tuple(row.split()[1:]) for row in _PARCEL_TABLE.strip().splitlines()}
_PARCELS = list(PARCELS)

_SUBCORTICAL_LEFT = """
    Left-Lateral-Ventricle Left-Inf-Lat-Vent Left-Cerebellum-White-Matter Left-Cerebellum-Cortex
    Left-Thalamus Left-Caudate Left-Putamen Left-Pallidum Left-Hippocampus Left-Amygdala
    Left-Accumbens-area Left-VentralDC Left-vessel Left-choroid-plexus Left-WM-hypointensities
    Left-non-WM-hypointensities
""".split()  # noqa: SIM905

_SUBCORTICAL_BOTH = """
    3rd-Ventricle 4th-Ventricle 5th-Ventricle Brain-Stem CSF WM-hypointensities
    non-WM-hypointensities Optic-Chiasm CC_Posterior CC_Mid_Posterior CC_Central CC_Mid_Anterior
    CC_Anterior
""".split()  # noqa: SIM905

ETIV = "EstimatedTotalIntraCranialVol"
GLOBALS = ("BrainSegVolNotVent", ETIV)

_SYNONYMS = {
    "Left-Thalamus-Proper": "Left-Thalamus",
    "Left-Thalamus-Proper*": "Left-Thalamus",
    "Right-Thalamus-Proper": "Right-Thalamus",
    "Right-Thalamus-Proper*": "Right-Thalamus",
    "eTIV": ETIV,
    "IntraCranialVol": ETIV,
    "ICV": ETIV,
    "BrainSegNotVent": "BrainSegVolNotVent",
}


class Region(NamedTuple):
    """One region: FreeSurfer's name, hemisphere, tissue and atlas."""

    name: str
    hemisphere: str
    tissue: str
    atlas: str


def _regions() -> dict[str, Region]:
    sides = {"lh": "left", "rh": "right"}
    regions = [
        Region(f"{side}_{parcel}_volume", sides[side], "cortex", "aparc")
        for side in sides
        for parcel in _PARCELS
    ]
    regions += [
        Region(f"wm-{side}-{parcel}", sides[side], "white", "wmparc")
        for side in sides
        for parcel in _PARCELS
    ]
    regions += [
        Region(f"{hemisphere.title()}-UnsegmentedWhiteMatter", hemisphere, "white", "wmparc")
        for hemisphere in sides.values()
    ]
    regions += [Region(name, "left", "subcortical", "aseg") for name in _SUBCORTICAL_LEFT]
    regions += [
        Region(name.replace("Left-", "Right-"), "right", "subcortical", "aseg")
        for name in _SUBCORTICAL_LEFT
    ]
    regions += [Region(name, "both", "subcortical", "aseg") for name in _SUBCORTICAL_BOTH]
    regions += [Region(name, "both", "global", "aseg") for name in GLOBALS]
    return {region.name: region for region in regions}


REGIONS = _regions()
ORDER = {name: position for position, name in enumerate(REGIONS)}


def region_name(name: str, *, hemisphere: str = "") -> str | None:
    """Return the common name of a region, None where it is not among the 185.

    Parameters
    ----------
    name
        Name in a table or ``*.stats`` file of FreeSurfer 5 to 8.
    hemisphere
        ``lh`` or ``rh`` for cortical tables, whose column names may lack it.

    Examples
    --------
    >>> region_name("Left-Thalamus-Proper"), region_name("bankssts", hemisphere="lh")
    ('Left-Thalamus', 'lh_bankssts_volume')
    >>> region_name("SurfaceHoles") is None
    True
    """
    name = _SYNONYMS.get(name, name)
    if name in REGIONS:
        return name
    if hemisphere:
        bare = name.removeprefix(f"{hemisphere}_").removesuffix("_volume")
        cortical = f"{hemisphere}_{bare}_volume"
        return cortical if cortical in REGIONS else None
    return None
