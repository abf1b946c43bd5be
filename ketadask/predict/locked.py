"""A model fitted once and stored as plain arrays, applied unchanged to other cohorts."""

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
from ketadask.predict.classifiers import LinearModel, RadialModel
from ketadask.predict.matching import match_to_model
from ketadask.predict.nested import REFIT, NestedCV, majority_vote, refit_model, select_inner
from ketadask.predict.performance import platt
from ketadask.predict.preparation import Preparation
from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
_MODEL_KINDS: dict[str, type[LinearModel] | type[RadialModel]] = {
    "linear": LinearModel,
    "radial": RadialModel,
}


@dataclass(frozen=True, eq=False)
class LockedModel:
    """Models that vote, each with its own preparation; applying it changes none of them.

    ``slope`` and ``offset`` turn the mean decision into a probability of response; ``about``
    describes the training data and the hyperparameters.
    """

    region: tuple[str, ...]
    covariate_names: tuple[str, ...]
    preparations: tuple[Preparation, ...]
    models: tuple[LinearModel | RadialModel, ...]
    slope: float
    offset: float
    about: dict[str, Any]

    def apply(self, cases: ClassifierData, *, missing_region: str = "stop") -> pd.DataFrame:
        """Predict response in another cohort.

        Parameters
        ----------
        cases
            Volumes under any of FreeSurfer's names, in any order; labels are not used.
        missing_region
            ``stop`` raises where a region of the model is missing; ``median`` replaces it by the
            median of the training data.

        Returns
        -------
        A row per case: participant, site, label, votes, decision, probability, predicted.
        ``attrs["notes"]`` lists what a reader must know, such as sites not in the training data.
        """
        import pandas as pd

        cases, notes = match_to_model(self, cases, missing_region)
        decision = np.stack(
            [
                model.decide(preparation.apply(cases))
                for preparation, model in zip(self.preparations, self.models, strict=True)
            ]
        )
        votes, mean = (decision > 0).mean(axis=0), decision.mean(axis=0)
        predictions = pd.DataFrame(
            {
                nm.PARTICIPANT: cases.participant,
                "site": cases.site,
                "label": cases.label.astype(np.int64),
                "votes": votes,
                "decision": mean,
                "probability": expit(self.slope * mean + self.offset),
                "predicted": majority_vote(votes, mean),
            }
        )
        predictions.attrs["notes"] = notes
        return predictions

    def write(self, path: Path | str) -> Path:
        """Write the model as one ``.npz`` of plain arrays, whole or not at all."""
        from ketadask.store.disk import write_files

        path = Path(path)
        header = {
            "format": FORMAT,
            "region": self.region,
            "covariates": self.covariate_names,
            "unseen_site": self.preparations[0].unseen_site,
            "kind": next(k for k, v in _MODEL_KINDS.items() if isinstance(self.models[0], v)),
            "models": len(self.models),
            "slope": self.slope,
            "offset": self.offset,
            "about": self.about,
        }
        arrays: dict[str, np.ndarray] = {"header": np.array(json.dumps(header, sort_keys=True))}
        for k, (preparation, model) in enumerate(zip(self.preparations, self.models, strict=True)):
            arrays |= _arrays(f"{k}.preparation", preparation)
            arrays |= _arrays(f"{k}.model", model)
            if preparation.sites is not None:
                arrays |= _arrays(f"{k}.sites", preparation.sites)
        stream = io.BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_files({path: stream.getvalue()})
        return path


def lock_model(nested_cv: NestedCV, cases: ClassifierData) -> LockedModel:
    """Choose and fit on a whole cohort; the models of its inner folds vote, or one is refit."""
    from ketadask.store.environment import one_thread

    nested_cv.cv.check(cases)
    with one_thread():
        selection = select_inner(nested_cv, cases, nested_cv.cv.inner(cases, -1))
        models, preparations = selection.models, selection.preparations
        if nested_cv.final == REFIT:
            preparation, refit = refit_model(nested_cv, cases, selection.candidate)
            models, preparations = refit.models, [preparation]
    plain = tuple(model for model in models if isinstance(model, LinearModel | RadialModel))
    if len(plain) < len(models):
        raise InputError(
            "this classifier cannot be locked: it is not linear, so no plain arrays describe it",
            where="classifier",
            value=nested_cv.classifier.name,
            remedy="use it for comparison only; lock svc-linear, svc-rbf or logistic",
        )
    slope, offset = platt(selection.inner_decision, cases.label)
    best = selection.candidate
    return LockedModel(
        region=cases.region,
        covariate_names=cases.covariate_names,
        preparations=tuple(preparations),
        models=plain,
        slope=slope,
        offset=offset,
        about={
            "classifier": nested_cv.classifier.name,
            "final": nested_cv.final,
            "cases": len(cases),
            "responders": int((cases.label == 1).sum()),
            "sites": sorted({str(site) for site in cases.site}),
            "cost": best.cost,
            "gamma": best.gamma,
            "explained_variance": best.explained_variance,
            "parameters": dict(best.parameters),
            "inner_score": selection.score,
        },
    )


def read_locked_model(path: Path | str) -> LockedModel:
    """Read a locked model; nothing in the file is executed."""
    path = Path(path)
    try:
        # numpy leaves a file open that it opened itself and cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            header = json.loads(str(arrays["header"]))
            if header["format"] != FORMAT:
                raise InputError(
                    "unknown format of a locked model",
                    file=path,
                    value=header["format"],
                    remedy="update ketadask, or lock the model again",
                )
            return _from_arrays(header, arrays)
    except FileNotFoundError:
        raise InputError("no such model", file=path, remedy="lock one first") from None
    except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            "not a locked model, or damaged", file=path, remedy="copy the original file again"
        ) from error


def _from_arrays(header: dict[str, Any], arrays: Any) -> LockedModel:
    kind = _MODEL_KINDS[header["kind"]]
    preparations, models = [], []
    for k in range(header["models"]):
        values: dict[str, Any] = _values(arrays, f"{k}.preparation", Preparation)
        if f"{k}.sites.name" in arrays:
            values["sites"] = Sites(**_values(arrays, f"{k}.sites", Sites))
        preparations.append(Preparation(**values, unseen_site=header["unseen_site"]))
        parameters: dict[str, Any] = {
            name: float(value) if value.ndim == 0 else value
            for name, value in _values(arrays, f"{k}.model", kind).items()
        }
        models.append(kind(**parameters))
    return LockedModel(
        region=tuple(header["region"]),
        covariate_names=tuple(header["covariates"]),
        preparations=tuple(preparations),
        models=tuple(models),
        slope=header["slope"],
        offset=header["offset"],
        about=header["about"],
    )


def _arrays(prefix: str, part: Any) -> dict[str, np.ndarray]:
    """Return the arrays and numbers among the fields of a dataclass, by prefixed name."""
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {
        f"{prefix}.{name}": np.asarray(value)
        for name, value in values.items()
        if isinstance(value, np.ndarray | float)
    }


def _values(arrays: Any, prefix: str, kind: Any) -> dict[str, np.ndarray]:
    names = [field.name for field in fields(kind)]
    return {name: arrays[f"{prefix}.{name}"] for name in names if f"{prefix}.{name}" in arrays}
