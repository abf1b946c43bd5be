"""Names of regions in the tables of all tools: one name each, its measure, and where it lies."""

from __future__ import annotations

import re
from typing import NamedTuple

from ketadask.sources.regions import ETIV, PARCELS, REGIONS, region_name

UNITS = {
    "volume": "mm3",
    "thickness": "mm",
    "area": "mm2",
    "meancurv": "1/mm",
    "gauscurv": "1/mm2",
    "foldind": "",
    "curvind": "",
    "thicknessstd": "mm",
    "mean_diffusivity": "mm2/s",
    "fractional_anisotropy": "",
}
_MEASURED = re.compile(rf"(?P<stem>.+)_(?P<measure>{'|'.join(UNITS)})")
SIGNED = ("meancurv", "gauscurv")
ATLASES = {
    "aparc": "DK",
    "aparc_dk40": "DK",
    "aparc.dktatlas": "DKT",
    "aparc.dktatlas40": "DKT",
    "aparc.dktatlas.mapped": "DKT",
    "aparc.a2009s": "Destrieux",
    "aparc_a2009s": "Destrieux",
}
_SIDES = {"lh": "lh", "rh": "rh", "l": "lh", "r": "rh"}
_SPELLINGS = {"thickavg": "thickness", "surfavg": "area", "surfarea": "area"}
_MEASURE = "|".join([*UNITS, *_SPELLINGS])
# A column of a cortical parcel: FreeSurfer, ENIGMA, FastSurfer and SynthSeg, CAT12.
_CORTICAL = (
    re.compile(rf"(?P<side>lh|rh|l|r)_(?P<parcel>.+?)(?:_(?P<measure>{_MEASURE}))?", re.I),
    re.compile(r"(?:ctx)[-_ ](?P<side>lh|rh)[-_ ](?P<parcel>.+)", re.I),
    re.compile(rf"(?P<side>[lr])(?P<parcel>{'|'.join(PARCELS)}|[GS]_.+|Pole_.+|Lat_Fis.+)"),
)
_WHOLE = re.compile(r"(?P<side>[LR])(?P<name>Thickness|SurfArea)")
_ENIGMA = {
    "latvent": "Lateral-Ventricle",
    "thal": "Thalamus",
    "caud": "Caudate",
    "put": "Putamen",
    "pal": "Pallidum",
    "hippo": "Hippocampus",
    "amyg": "Amygdala",
    "accumb": "Accumbens-area",
}
_PLAIN = {name.lower().replace("-", " ").replace("_", " "): name for name in REGIONS} | {
    "total intracranial": ETIV,
    "left inferior lateral ventricle": "Left-Inf-Lat-Vent",
    "right inferior lateral ventricle": "Right-Inf-Lat-Vent",
    "left ventral dc": "Left-VentralDC",
    "right ventral dc": "Right-VentralDC",
    **{
        f"{side} cerebral {tissue}": f"{side.title()}-Cerebral-{tissue.title().replace(' ', '-')}"
        for side in ("left", "right")
        for tissue in ("cortex", "white matter")
    },
}
_DESTRIEUX = (
    ("insula", r"insula|S_circular|_Ins_"),
    ("cingulate", r"cingul|pericallosal"),
    ("occipital", r"occipital|(?<!pre)cuneus|calcarine|med-Lingual|S_oc_(?!temp)|oc_middle|oc_sup"),
    ("temporal", r"temp|collat|Pole_temporal|Lat_Fis-post"),
    ("parietal", r"pariet|postcentral|precuneus|intrapariet|subparietal|Jensen"),
    ("frontal", r"front|orbital|rectus|precentral|paracentral|subcallosal|Lat_Fis|central"),
)


class RegionColumn(NamedTuple):
    """A column of a regional table: name of the region in all tools, its measure."""

    name: str
    measure: str


class RegionPlace(NamedTuple):
    """Where a region lies: hemisphere, tissue, lobe and functional network, empty if unknown."""

    hemisphere: str
    tissue: str
    lobe: str
    network: str


def region_column(name: str, *, hemisphere: str = "", measure: str = "") -> RegionColumn | None:
    """Return the region of a column and its measure; None where it is no region.

    Parameters
    ----------
    name
        Column or structure as FreeSurfer, FastSurfer, ENIGMA, SynthSeg or CAT12 writes it.
    hemisphere
        ``lh`` or ``rh`` where the names lack it.
    measure
        Measure of the table; a name may have its own.

    Examples
    --------
    >>> region_column("L_bankssts_thickavg")
    RegionColumn(name='lh_bankssts_thickness', measure='thickness')
    >>> region_column("Left-Thalamus_mean_diffusivity").measure
    'mean_diffusivity'
    >>> region_column("left ventral DC", measure="volume").name, region_column("Lhippo").name
    ('Left-VentralDC', 'Left-Hippocampus')
    """
    ending = _MEASURED.fullmatch(name)
    stem = region_name(ending["stem"]) if ending else ""
    if ending and stem and REGIONS[stem].tissue == "subcortical":
        return _deep(stem, ending["measure"])
    common = region_name(name.rstrip("*"), hemisphere=hemisphere if measure == "volume" else "")
    common = common or _PLAIN.get(name.lower().replace("-", " ").strip())
    if common:
        return _deep(common, measure)
    if whole := _WHOLE.fullmatch(name):
        kind = "thickness" if whole["name"] == "Thickness" else "area"
        return RegionColumn(f"{_SIDES[whole['side'].lower()]}_whole_{kind}", kind)
    if name[:1] in "LR" and name[1:].lower() in _ENIGMA:
        side = "Left" if name[0] == "L" else "Right"
        return _deep(f"{side}-{_ENIGMA[name[1:].lower()]}", measure)
    match = next((m for p in _CORTICAL if (m := p.fullmatch(name))), None)
    if match is None and not hemisphere:
        return None
    values = {"side": hemisphere, "parcel": name} if match is None else match.groupdict()
    own = str(values.get("measure") or measure or "volume").lower()
    own = _SPELLINGS.get(own, own)
    side = _SIDES[values["side"].lower()]
    return RegionColumn(f"{side}_{values['parcel']}_{own}", own)


def _deep(name: str, measure: str) -> RegionColumn:
    """Return a region of aseg; names with a measure other than volume have it at their end."""
    if measure in ("", "volume") or REGIONS.get(name, REGIONS[ETIV]).tissue in ("global", "cortex"):
        return RegionColumn(name, "volume")
    return RegionColumn(f"{name}_{measure}", measure)


def region_stem(name: str) -> str:
    """Return the parcel or structure of a region without hemisphere, tissue and measure.

    Examples
    --------
    >>> region_stem("lh_bankssts_thickness"), region_stem("wm-rh-insula")
    ('bankssts', 'insula')
    """
    bare = re.sub(r"^(?:wm-)?(?:lh|rh)[_-]|^(?:Left|Right)-", "", name)
    return re.sub(rf"_(?:{'|'.join(UNITS)})$", "", bare)


def region_place(name: str) -> RegionPlace:
    """Return where a region lies, by its name.

    Examples
    --------
    >>> region_place("lh_precentral_thickness")
    RegionPlace(hemisphere='left', tissue='cortex', lobe='frontal', network='somatomotor')
    >>> region_place("rh_G_cuneus_area").lobe, region_place("Left-Cerebellum-Cortex").lobe
    ('occipital', 'cerebellum')
    """
    region = REGIONS.get(name)
    match = re.match(r"(?:wm-)?(lh|rh)[_-]|(Left|Right)-", name)
    word = "" if match is None else (match[1] or match[2]).lower()
    hemisphere = "both" if match is None else "left" if word in ("lh", "left") else "right"
    deep = match is None or match[2] is not None
    tissue = region.tissue if region else "subcortical" if deep else "cortex"
    if re.search(r"whole_(thickness|area)$|Mean(Thickness)|WhiteSurfArea", name):
        return RegionPlace(hemisphere, "global", "", "")
    bare = region_stem(name)
    if deep:
        return RegionPlace(hemisphere, tissue, "cerebellum" if "Cerebellum" in bare else "", "")
    if bare in PARCELS:
        lobe, network = PARCELS[bare]
        return RegionPlace(hemisphere, tissue, lobe, network)
    lobe = next((lobe for lobe, words in _DESTRIEUX if re.search(words, bare)), "")
    return RegionPlace(hemisphere, tissue, lobe, "")
