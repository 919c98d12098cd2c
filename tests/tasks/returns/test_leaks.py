"""Nothing of the future reaches a forecast of returns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import ReturnsData
from pipeline.config.schema.networks import ReturnsNetwork
from pipeline.encoding.records import (
    Encoded,
    Series,
)
from pipeline.tasks.returns.network import build, predictor
from pipeline.tasks.returns.prepare import days, encode
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, trainable
from tests.tasks.records import changed_after

BOTH = ("train", "validation")


def prices(close: NDArray[Any] | None = None) -> Series:
    rng = np.random.default_rng(0)
    walk = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=700)))
    close = walk if close is None else close
    covariates = {"high": 1.01 * close, "low": 0.98 * close, "volume": 1e4 * close}
    return Series(
        close,
        np.ones(700, np.bool_),
        "USD",
        covariates=covariates,
        dates=np.datetime64("2020-01-01", "D") + np.arange(700),
    )


def test_prices_after_a_day_change_no_forecast_of_the_days_up_to_it() -> None:
    data = ReturnsData(source="x", task="returns", window=12, origins=2)
    encoded = encode(prices(), data, 0)
    network = ReturnsNetwork(dataset="x", task="returns", units=4)
    model = build(network, encoded.encoder)
    load(model, [np.random.default_rng(0).normal(0, 0.5, w.shape) for w in trainable(model)])
    predict = predictor(Compiled(model), network, encoded).predict
    for fold in (0, 1):
        tested, before = days(encoded, "test", fold), predict("test", BOTH, fold)
        for last in (tested[0], tested[len(tested) // 2], tested[-1] - 3):
            changed = prices(changed_after(encoded.arrays["values"], last, lambda v: 1.5 * v))
            other = Encoded(encode(changed, data, 0).arrays, encoded.encoder, {}, {})
            after = predictor(Compiled(model), network, other).predict("test", BOTH, fold)
            known = tested <= last + 1  # the forecast of the next day is made at the end of this one
            np.testing.assert_allclose(after[known], before[known], atol=1e-7)
            assert (np.abs(after[~known] - before[~known]) > 1e-6).any()
