"""The words for the arms of a trial: which value of a column is the control, as far as it says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ketadask import names as nm
from ketadask.schema.errors import InputError, nearest
from ketadask.sources.codes import parse_number
from ketadask.sources.visits import ARM_CODES

_CONTROL = re.compile(
    r"\b(?:placebo|pbo|plac|control|controls|ctrl|ctl|cntrl|cont|sham|saline|vehicle|"
    r"usual care|as usual|tau|standard|soc|wait(?:ing)?[ -]?list|untreated|observation|comparator|"
    r"midazolam|no treatment)\b"
)
_NO, _YES = {"no", "none", "false", "n"}, {"yes", "true", "y"}
_YAML_WORDS = {"true": "yes", "false": "no"}  # how YAML reads yes and no without quotes
ARM_VALUES = (nm.ACTIVE, nm.CONTROL)


def arm_words(levels: Iterable[str]) -> bool:
    """Return whether some but not all of the values are words for a control arm.

    Examples
    --------
    >>> arm_words(["Drug A", "Placebo"]), arm_words(["m", "f"])
    (True, False)
    """
    control = [_is_control(level) for level in levels]
    return any(control) and not all(control)


def guess_arms(levels: Sequence[str]) -> tuple[dict[str, str], str]:
    """Return the arm of each value, and why a person has to decide; that is empty where not.

    Of more than two values, the control is compared with the first of the others; the rest have an
    empty arm, and the doubt names them.

    Examples
    --------
    >>> guess_arms(["Drug A", "Placebo"])
    ({'Drug A': 'active', 'Placebo': 'control'}, '')
    >>> guess_arms(["0", "1"])
    ({'0': 'control', '1': 'active'}, '')
    >>> guess_arms(["A", "B"])[1]
    'neither A nor B is a word for a control'
    """
    numbers = [parse_number(level) for level in levels]
    control = [level for level in levels if _is_control(level)]
    if len(levels) == 2 and numbers == [0.0, 1.0]:
        control = [levels[0]]
    elif len(levels) == 2 and {level.lower() for level in levels} <= _NO | _YES:
        control = [level for level in levels if level.lower() in _NO]
    elif not control:
        control = [level for level in levels if ARM_CODES.get(level.strip().lower()) == nm.CONTROL]
    doubt = ""
    if len(control) != 1:
        words = " nor ".join(levels) if len(levels) == 2 else ", ".join(levels)
        doubt = (
            f"neither {words} is a word for a control"
            if len(levels) == 2 and not control
            else f"of {', '.join(levels)}, {len(control) or 'none'} may be the control"
        )
        control = [*control, levels[0]][:1]
    others = [level for level in levels if level not in control]
    if len(others) > 1:
        left_out = ", ".join(others[1:])
        doubt = doubt or f"{others[0]} is compared with {control[0]}; left out: {left_out}"
    arm_of = {control[0]: nm.CONTROL, others[0]: nm.ACTIVE} if others else {control[0]: nm.CONTROL}
    return {level: arm_of.get(level, "") for level in levels}, doubt


def check_arms(
    levels: Sequence[str], arms: Mapping[str, str], *, file: object, column: str
) -> dict[str, str]:
    """Return the arm of each value of a column by the map of the settings; the rest are left out.

    Examples
    --------
    >>> check_arms(["A", "B", "P"], {"A": "active", "P": "control"}, file="t.csv", column="arm")
    {'A': 'active', 'B': '', 'P': 'control'}
    """
    words = {_YAML_WORDS.get(x, x) if x not in levels else x: arm for x, arm in arms.items()}
    for level, arm in words.items():
        if arm not in ARM_VALUES:
            remedy = "write active or control; arms without an entry are left out"
            raise InputError("unknown arm", where=f"data.arms.{level}", value=arm, remedy=remedy)
        if level not in levels:
            raise InputError(
                "no row has this arm",
                file=file,
                where=f"data.arms, column {column}",
                value=level,
                remedy=nearest(level, levels),
            )
    for arm in ARM_VALUES:
        if arm not in words.values():
            raise InputError(
                f"no value of the column {column} is the {arm} arm",
                file=file,
                where="data.arms",
                value=dict(arms),
                remedy=f"write data.arms with one {arm} of {', '.join(levels)}",
            )
    return {level: words.get(level, "") for level in levels}


def _is_control(level: str) -> bool:
    return bool(_CONTROL.search(re.sub(r"[_.]+", " ", level.lower())))
