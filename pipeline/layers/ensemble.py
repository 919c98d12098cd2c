"""Ensembles: one network that averages the predictions of members, which were trained from different seeds."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.layers import keras

Build = Callable[..., Any]
MEMBER = "member_"


def ensembled(average: Callable[[Any], Any]) -> Callable[[Build], Build]:
    """Let `build(row, encoder, batch)` build as many networks as `row.ensemble` says, and join them.

    average: of the members' outputs, [members, …] → […].
    """

    def decorated(build: Build) -> Build:
        @functools.wraps(build)
        def joined(network: Any, encoder: Any, batch: int | None = None) -> Any:
            built = [build(network, encoder, batch) for _ in range(network.ensemble)]
            return built[0] if len(built) == 1 else _joined(built, average)

        return joined

    return decorated


def _joined(members: Sequence[Any], average: Callable[[Any], Any]) -> Any:
    first = members[0].input
    x = keras.Input(batch_shape=first.shape, dtype=first.dtype, name=first.name)
    outputs = [keras.Model(m.input, m.output, name=f"{MEMBER}{i}")(x) for i, m in enumerate(members)]
    return keras.Model(x, average(keras.ops.stack(outputs)), name=members[0].name)


def members(model: Any) -> list[Any]:
    """Return the members of an ensemble."""
    return [layer for layer in model.layers if layer.name.startswith(MEMBER)]


def mean(outputs: Any) -> Any:
    """Average forecasts or probabilities."""
    return keras.ops.mean(outputs, axis=0)


def mean_probability(logits: Any) -> Any:
    """Average the probabilities that belong to logits [members, …, classes]; return their logarithms, […, classes]."""
    return keras.ops.logsumexp(keras.ops.log_softmax(logits), axis=0) - math.log(logits.shape[0])
