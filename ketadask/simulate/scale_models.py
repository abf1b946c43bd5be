"""The rating scales of the simulated study: items, ranges, and how depressed adults score.

Item names are short paraphrases. ``domains`` has one letter per item (m mood, a anxiety, s sleep,
b body, c cognition and drive, x other): items of one domain go together, also between scales.
``common`` has one digit per item: propensity of depressed adults to score on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOLLOW_UP_DAYS = (0, 1, 3, 7, 10)
DOMAINS = "masbcx"


@dataclass(frozen=True)
class ScaleModel:
    """One rating scale; mean and sd are of the total above its lowest possible value."""

    name: str
    title: str
    items: tuple[str, ...]
    maxima: tuple[int, ...]
    domains: str
    common: str
    mean: float
    sd: float
    severity: float
    words: tuple[str, ...]
    lowest: int = 0
    is_lognormal: bool = False
    days: tuple[int, ...] = (0,)

    @property
    def highest(self) -> int:
        """Largest total above the lowest possible value."""
        return sum(self.maxima)

    @property
    def columns(self) -> list[str]:
        """Column names: one per item, and the total."""
        return [f"{self.name}_{i + 1}" for i in range(len(self.items))] + [f"{self.name}_total"]

    @property
    def base(self) -> np.ndarray:
        """(item,) propensity of the average depressed adult."""
        return 0.08 * (np.array([int(digit) for digit in self.common]) - 5.0)

    @property
    def domain(self) -> np.ndarray:
        """(item,) number of the item's domain."""
        return np.array([DOMAINS.index(letter) for letter in self.domains])


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(","))


_FIVE = ("absent", "mild", "moderate", "severe", "very severe")

SCALE_MODELS = (
    ScaleModel(
        "madrs",
        "Montgomery-Asberg Depression Rating Scale",
        _items(
            "Apparent sadness, Reported sadness, Inner tension, Reduced sleep, Reduced appetite,"
            "Concentration difficulties, Lassitude, Inability to feel, Pessimistic thoughts,"
            "Suicidal thoughts"
        ),
        (6,) * 10,
        "mmasbccmmm",
        "6755366652",
        33.4,
        4.6,
        0.8,
        ("absent", "absent to mild", "mild", "mild to moderate", "moderate", "severe", "extreme"),
        days=FOLLOW_UP_DAYS,
    ),
    ScaleModel(
        "hamd",
        "Hamilton Depression Rating Scale, 17 items",
        _items(
            "Depressed mood, Guilt, Suicide, Insomnia early, Insomnia middle, Insomnia late,"
            "Work and activities, Retardation, Agitation, Anxiety psychic, Anxiety somatic,"
            "Somatic symptoms gastrointestinal, Somatic symptoms general, Genital symptoms,"
            "Hypochondriasis, Loss of weight, Insight"
        ),
        (4, 4, 4, 2, 2, 2, 4, 4, 4, 4, 4, 2, 2, 2, 4, 2, 2),
        "mmmssscxaaabbbbbx",
        "86466583365486231",
        21.0,
        4.2,
        0.75,
        _FIVE,
        days=FOLLOW_UP_DAYS,
    ),
    ScaleModel(
        "hama",
        "Hamilton Anxiety Rating Scale",
        _items(
            "Anxious mood, Tension, Fears, Insomnia, Intellectual, Depressed mood,"
            "Somatic muscular, Somatic sensory, Cardiovascular, Respiratory, Gastrointestinal,"
            "Genitourinary, Autonomic, Behaviour at interview"
        ),
        (4,) * 14,
        "aaascmbbbbbbba",
        "77366833323333",
        19.5,
        5.5,
        0.55,
        _FIVE,
        days=(0, 7),
    ),
    ScaleModel(
        "bdi",
        "Beck Depression Inventory",
        _items(
            "Sadness, Pessimism, Past failure, Loss of pleasure, Guilt, Punishment, Self-dislike,"
            "Self-criticism, Suicidal thoughts, Crying, Agitation, Loss of interest, Indecision,"
            "Worthlessness, Loss of energy, Sleep, Irritability, Appetite, Concentration,"
            "Tiredness, Loss of interest in sex"
        ),
        (3,) * 21,
        "mmmmmmmmmmaccmcsabccb",
        "666754662557667547775",
        29.0,
        8.0,
        0.6,
        ("absent", "mild", "moderate", "severe"),
        days=(0, 7),
    ),
    ScaleModel(
        "bprs",
        "Brief Psychiatric Rating Scale",
        _items(
            "Somatic concern, Anxiety, Emotional withdrawal, Conceptual disorganisation, Guilt,"
            "Tension, Mannerisms, Grandiosity, Depressed mood, Hostility, Suspiciousness,"
            "Hallucinations, Motor retardation, Uncooperativeness, Unusual thoughts,"
            "Blunted affect, Excitement, Disorientation"
        ),
        (6,) * 18,
        "bacxmaxxmxxxcxxcxx",
        "475264108321420411",
        15.0,
        4.5,
        0.5,
        (
            "not present",
            "very mild",
            "mild",
            "moderate",
            "moderately severe",
            "severe",
            "extremely severe",
        ),
        lowest=1,
    ),
    ScaleModel(
        "ymrs",
        "Young Mania Rating Scale",
        _items(
            "Elevated mood, Motor activity, Sexual interest, Sleep, Irritability, Speech,"
            "Language and thought, Content, Disruptive behaviour, Appearance, Insight"
        ),
        (4, 4, 4, 4, 8, 8, 4, 8, 8, 4, 4),
        "xxxsxxxxxxx",
        "13366331243",
        3.0,
        0.6,
        0.1,
        (*_FIVE, "5", "6", "7", "8"),
        is_lognormal=True,
    ),
    ScaleModel(
        "shaps",
        "Snaith-Hamilton Pleasure Scale",
        _items(
            "Favourite programme, Family and friends, Hobbies, Favourite meal, Warm bath,"
            "Scent of flowers, Smiling faces, Looking smart, Reading, Tea or coffee,"
            "Small things, Landscape, Helping others, Praise"
        ),
        (3,) * 14,
        "cmcbbmmmcbmmmm",
        "64632568544536",
        22.0,
        7.0,
        0.45,
        ("definitely agree", "agree", "disagree", "definitely disagree"),
        lowest=1,
    ),
    ScaleModel(
        "cadss",
        "Clinician-Administered Dissociative States Scale",
        _items(
            "Slow motion, Unreal things, Separated from events, Outside the body,"
            "Watching oneself, Disconnected body, Changed body, People motionless,"
            "Objects different, Colours fainter, Tunnel, Long time, Fast events, Missed events,"
            "Different sounds, Lost track, Blank spells, Spaced out, Other sense of self,"
            "Sounds vanish, Sharp vision, Fog, Bright colours"
        ),
        (4,) * 23,
        "cxxxxbbxxxxcxcxccmxxxcx",
        "65421321222634265713162",
        4.0,
        0.9,
        0.15,
        ("not at all", "slightly", "moderately", "considerably", "extremely"),
        is_lognormal=True,
    ),
    ScaleModel(
        "ssi",
        "Scale for Suicide Ideation",
        _items(
            "Wish to live, Wish to die, Reasons for living, Active wish, Passive wish,"
            "Duration, Frequency, Attitude to thoughts, Control, Deterrents, Reason, Method,"
            "Availability, Capability, Expectation, Preparation, Note, Final acts, Concealment"
        ),
        (2,) * 19,
        "mmmmmmmmxaxxxxxxxxx",
        "8785755454532321112",
        6.0,
        0.8,
        0.4,
        ("absent", "weak", "strong"),
        is_lognormal=True,
    ),
    ScaleModel(
        "pswq",
        "Penn State Worry Questionnaire",
        _items(
            "Time, Overwhelmed, Keeps worrying, Many situations, Should stop, Pressure,"
            "Always something, Hard to dismiss, Next task, Everything, Nothing more to do,"
            "Lifelong, Notices worrying, Cannot stop, All the time, Until done"
        ),
        (4,) * 16,
        "aaaaaaaaccaaacac",
        "5656476655456555",
        36.0,
        12.0,
        0.3,
        ("not at all typical", "rarely", "somewhat", "often", "very typical"),
        lowest=1,
    ),
)

# Names of the National Data Archive, in the order of the columns.
NDA_NAMES = {
    "madrs": tuple(
        f"madrs{end}"
        for end in ("aps", "sad", "ten", "slp", "app", "con", "las", "fee", "pes", "sui", "tot")
    )
}
