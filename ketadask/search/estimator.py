"""What scikit-learn asks of an estimator: validated arrays, names and tags; imported when used."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.search.array_search import require_numbers


def validate_arrays(
    estimator: Any, X: Any, score: Any = "no_validation"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values, and the scores where there are any, as float64; raise if invalid.

    With scores the estimator is being fitted, and gets the number and names of its features.
    Without, X must have the same.
    """
    try:
        from sklearn.utils.validation import check_is_fitted, validate_data
    except ImportError as error:
        raise InputError(
            "PersonaSearch on arrays needs scikit-learn 1.6 or later",
            remedy="pip install 'ketadask[predict]', or use kd.top_personas",
        ) from error
    is_fit = not isinstance(score, str)
    if not is_fit:
        check_is_fitted(estimator, "result_by_polarity_")
    require_numbers(X)
    options: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
    if not is_fit:
        return validate_data(estimator, X, reset=False, **options), np.zeros(0)
    options |= {"y_numeric": True, "ensure_min_samples": 2}
    values, score = validate_data(estimator, X, score, **options)
    return values, np.asarray(score, dtype=np.float64)


def check_names(estimator: Any, names: Any) -> None:
    """Raise unless the estimator is fitted and ``names``, if any, are those of its features."""
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator, "result_by_polarity_")
    if names is None:
        return
    own = getattr(estimator, "feature_names_in_", None)
    if own is not None and not np.array_equal(own, names):
        raise InputError("input_features is not equal to feature_names_in_")
    if len(names) != estimator.n_features_in_:
        raise InputError(
            f"input_features should have length equal to number of features "
            f"({estimator.n_features_in_}), got {len(names)}"
        )


def transformer_tags() -> Any:
    """Return the tags of a transformer that needs scores and takes missing values."""
    from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

    return Tags(
        estimator_type=None,
        target_tags=TargetTags(required=True),
        transformer_tags=TransformerTags(preserves_dtype=[]),
        input_tags=InputTags(allow_nan=True),
    )
