"""Gradient-boosted trees for series, with absolute error: a model per horizon, settings chosen on validation.

They see what the linear baselines see: the network's inputs and the last values. Trees cannot extrapolate, so whether
they predict the level or its change from the last value is one of the settings.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.baselines.linear_series import before_test, design
from pipeline.encoding.records import Encoded

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
SHAPES = ((0.2, 15), (0.1, 31), (0.05, 63))  # learning rate and leaves
BRIEF = 10.0  # trees times learning rate of each model that is only compared
COMPARED = 20_000  # latest training origins that settings are compared on
SMALL = 10_000  # training origins, up to which only the first of SHAPES is tried
MANY = 4  # horizons, above which it is the same
TREES = 1_200  # at most, of all horizons together
FEWEST = 100  # at most, of a horizon among many
PATIENCE = 10  # trees without a better validation error, after which no more are added


class Setting(NamedTuple):
    """Whether the change from the last value is predicted, and the size of the model."""

    change: bool
    learning_rate: float
    leaves: int
    trees: int


def boosted_forecasts(encoded: Encoded, origins: Indices) -> Floats:
    """Forecast float64 [origins, horizons]: settings chosen on validation, then fitted on all data before the test."""
    x, horizons = design(encoded)[:, :-1], encoded.encoder["horizons"]
    forecasts = np.empty((len(origins), len(horizons)))
    most = max(FEWEST, TREES // len(horizons))
    for j, horizon in enumerate(horizons):
        forecasts[:, j] = _of_horizon(encoded, x, horizon, most)(origins)
    return forecasts


def _of_horizon(encoded: Encoded, x: Floats, horizon: int, most: int) -> Callable[[Indices], Floats]:
    """Return the forecast of a horizon: origins int64 [n] → float64 [n], in the unit of the series."""
    mean, sd = encoded.encoder["mean"], encoded.encoder["sd"]
    scaled = (encoded.arrays["values"] - mean) / sd
    at, _ = before_test(encoded, x, horizon)
    in_train = at + horizon < encoded.encoder["cuts"][0]
    train, validation = at[in_train], at[~in_train]

    def truth(of: Indices, change: bool) -> Floats:
        return np.asarray(scaled[of + horizon] - scaled[of] * change)

    def tried(setting: Setting, on: Indices) -> tuple[float, int]:
        """Return the smallest validation error and the number of trees that has it."""
        model = _model(setting, early_stopping=True, n_iter_no_change=PATIENCE)
        there = {"X_val": x[validation], "y_val": truth(validation, setting.change)}
        _fit(model, x[on], truth(on, setting.change), **there)
        errors = -np.array(model.validation_score_)
        return float(errors.min()), max(1, int(errors.argmin()))

    few = train[-COMPARED:]
    whole = len(train) > SMALL and len(encoded.encoder["horizons"]) <= MANY
    shapes = SHAPES if whole else SHAPES[:1]
    settings = [Setting(change, *shape, round(BRIEF / shape[0])) for change in (True, False) for shape in shapes]
    errors, trees = zip(*(tried(setting, few) for setting in settings), strict=True)
    best = settings[int(np.argmin(errors))]._replace(trees=trees[int(np.argmin(errors))])
    if len(few) < len(train):
        best = best._replace(trees=tried(best._replace(trees=most), train)[1])
    model = _fit(_model(best), x[at], truth(at, best.change))
    return lambda of: np.asarray((model.predict(x[of]) + scaled[of] * best.change) * sd + mean)


def _model(setting: Setting, **options: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor  # its import takes 0.2 s

    return HistGradientBoostingRegressor(
        loss="absolute_error",
        learning_rate=setting.learning_rate,
        max_leaf_nodes=setting.leaves,
        max_iter=setting.trees,
        random_state=0,
        **{"early_stopping": False, **options},
    )


def _fit(model: Any, x: Floats, y: Floats, **validation: Any) -> Any:
    """Fit with one thread: on a busy machine two wait for each other at every tree, 25 times as long."""
    with threadpool_limits(1):
        return model.fit(x, y, **validation)
