"""Text from a character model: one character at a time, each drawn from the model's distribution at a temperature."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.models.cells import reset_states
from pipeline.models.compiled import Compiled
from pipeline.tasks.char_lm import prepare
from pipeline.vocabulary import PAD, UNKNOWN, Vocabulary


def generate(
    twin: Compiled, encoder: Mapping[str, Any], prompt: str, length: int, temperatures: Sequence[float], seed: int
) -> list[str]:
    """`length` characters after `prompt`, once for each temperature (0: always the likeliest character).

    twin: stateful, with a batch size of len(temperatures).
    """
    vocabulary = Vocabulary(tuple(encoder["symbols"]))
    banned = [vocabulary.ids[PAD], vocabulary.ids[UNKNOWN]]
    heat = np.array(temperatures, np.float64)[:, None]
    rng = np.random.default_rng(seed)
    read = vocabulary.encode(prepare(prompt, encoder) or " ")
    reset_states(twin.model)
    logits = twin.predict(np.tile(read, (len(heat), 1)))[:, -1].astype(np.float64)
    drawn = np.zeros((len(heat), length), np.int32)
    for t in range(length):
        logits[:, banned] = -np.inf
        drawn[:, t] = _draw(logits, heat, rng)
        logits = twin.predict(drawn[:, t : t + 1])[:, -1].astype(np.float64)
    return ["".join(vocabulary.decode(row)) for row in drawn]


def _draw(logits: NDArray[np.float64], heat: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One id for each row, by the Gumbel-max trick; without noise where the temperature is 0."""
    noise = rng.gumbel(size=logits.shape)
    return np.asarray((logits + heat * noise).argmax(axis=1))
