"""A model fitted once and kept as plain arrays, applied unchanged to other cohorts."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from ketadask import names as nm
from ketadask.cohort.harmonise import Sites
from ketadask.predict.classifier_data import ClassifierData
from ketadask.predict.classifiers import FOREST, Linear, Radial
from ketadask.predict.matching import matched
from ketadask.predict.nested import REFIT, NestedCV, choose_inside, majority, refitted
from ketadask.predict.performance import platt
from ketadask.predict.preparation import Preparation
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
_KINDS = {"linear": Linear, "radial": Radial}


@dataclass(frozen=True, eq=False)
class LockedModel:
    """Models that vote, each with its own preparation; nothing of it changes when it is applied.

    ``slope`` and ``offset`` turn the mean decision into a probability of response; ``about`` says
    what was learnt, from how many, and what was chosen.
    """

    region: tuple[str, ...]
    covariate_names: tuple[str, ...]
    preparations: tuple[Preparation, ...]
    models: tuple[Linear | Radial, ...]
    slope: float
    offset: float
    about: dict[str, Any]

    def apply(self, cases: ClassifierData, *, absent: str = "stop") -> pd.DataFrame:
        """Foretell response in another cohort.

        Parameters
        ----------
        cases
            Volumes under any of FreeSurfer's names, in any order; labels play no part.
        absent
            What happens where a region is not there: ``stop``, or ``median`` puts what the model
            takes for a missing value.

        Returns
        -------
        A row per case: participant, site, label, votes, decision, probability, predicted.
        ``attrs["notes"]`` says what the reader must know, as sites the model has never seen.
        """
        import pandas as pd

        cases, notes = matched(self, cases, absent)
        decision = np.stack(
            [
                model.decide(preparation.apply(cases))
                for preparation, model in zip(self.preparations, self.models, strict=True)
            ]
        )
        votes, mean = (decision > 0).mean(axis=0), decision.mean(axis=0)
        made = pd.DataFrame(
            {
                nm.PARTICIPANT: cases.participant,
                "site": cases.site,
                "label": cases.label.astype(np.int64),
                "votes": votes,
                "decision": mean,
                "probability": expit(self.slope * mean + self.offset),
                "predicted": majority(votes, mean),
            }
        )
        made.attrs["notes"] = notes
        return made

    def write(self, path: Path | str) -> Path:
        """Write the model as one ``.npz`` of plain arrays, whole or not at all."""
        from ketadask.store.disk import write_together

        path = Path(path)
        header = {
            "format": FORMAT,
            "region": self.region,
            "covariates": self.covariate_names,
            "unseen": self.preparations[0].unseen,
            "kind": next(k for k, made in _KINDS.items() if isinstance(self.models[0], made)),
            "models": len(self.models),
            "slope": self.slope,
            "offset": self.offset,
            "about": self.about,
        }
        arrays: dict[str, np.ndarray] = {"header": np.array(json.dumps(header, sort_keys=True))}
        for number, (preparation, model) in enumerate(
            zip(self.preparations, self.models, strict=True)
        ):
            arrays |= _arrays(f"{number}.preparation", preparation)
            arrays |= _arrays(f"{number}.model", model)
            if preparation.sites is not None:
                arrays |= _arrays(f"{number}.sites", preparation.sites)
        stream = io.BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_together({path: stream.getvalue()})
        return path


def lock(nested: NestedCV, cases: ClassifierData) -> LockedModel:
    """Choose and fit on a whole cohort; the models of its inner folds vote, or one is refitted."""
    from ketadask.predict.scikit import one_thread

    if nested.learner.name == FOREST:
        raise InputError(
            "a forest is no plain arrays and cannot be locked",
            where="learner",
            value=FOREST,
            remedy="it serves for comparison; lock svc-linear, svc-rbf or logistic",
        )
    nested.frame.check(cases)
    with one_thread():
        chosen = choose_inside(nested, cases, nested.frame.inner(cases, -1))
        models, preparations = chosen.models, chosen.preparations
        if nested.final == REFIT:
            preparation, fitted = refitted(nested, cases, chosen.candidate)
            models, preparations = fitted.models, [preparation]
    slope, offset = platt(chosen.inner_decision, cases.label)
    return LockedModel(
        region=cases.region,
        covariate_names=cases.covariate_names,
        preparations=tuple(preparations),
        models=tuple(models),
        slope=slope,
        offset=offset,
        about={
            "learner": nested.learner.name,
            "final": nested.final,
            "cases": len(cases),
            "responders": int((cases.label == 1).sum()),
            "sites": sorted({str(site) for site in cases.site}),
            "cost": chosen.candidate.cost,
            "gamma": chosen.candidate.gamma,
            "energy": chosen.candidate.energy,
            "inner_score": chosen.score,
        },
    )


def read_locked(path: Path | str) -> LockedModel:
    """Read a locked model; nothing in the file is executed."""
    path = Path(path)
    try:
        # numpy leaves a file open that it opened itself and cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            header = json.loads(str(arrays["header"]))
            if header["format"] != FORMAT:
                raise InputError(
                    "the model is of a format this version does not know",
                    file=path,
                    value=header["format"],
                    remedy="update ketadask, or lock the model again",
                )
            return _assembled(header, arrays)
    except FileNotFoundError:
        raise InputError("no such model", file=path, remedy="lock one first") from None
    except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            "this is no locked model, or it is damaged",
            file=path,
            remedy="copy the file again from where it was made",
        ) from error


def _assembled(header: dict[str, Any], arrays: Any) -> LockedModel:
    kind = _KINDS[header["kind"]]
    preparations, models = [], []
    for number in range(header["models"]):
        made = _parts(arrays, f"{number}.preparation", Preparation)
        if f"{number}.sites.name" in arrays:
            made["sites"] = Sites(**_parts(arrays, f"{number}.sites", Sites))
        preparations.append(Preparation(**made, unseen=header["unseen"]))
        model = _parts(arrays, f"{number}.model", kind)
        models.append(kind(**{k: float(v) if v.ndim == 0 else v for k, v in model.items()}))
    return LockedModel(
        region=tuple(header["region"]),
        covariate_names=tuple(header["covariates"]),
        preparations=tuple(preparations),
        models=tuple(models),
        slope=header["slope"],
        offset=header["offset"],
        about=header["about"],
    )


def _arrays(prefix: str, thing: Any) -> dict[str, np.ndarray]:
    held = {f.name: getattr(thing, f.name) for f in fields(thing)}
    return {
        f"{prefix}.{name}": np.asarray(value)
        for name, value in held.items()
        if isinstance(value, np.ndarray | float)
    }


def _parts(arrays: Any, prefix: str, kind: Any) -> dict[str, np.ndarray]:
    names = [f.name for f in fields(kind)]
    return {name: arrays[f"{prefix}.{name}"] for name in names if f"{prefix}.{name}" in arrays}
