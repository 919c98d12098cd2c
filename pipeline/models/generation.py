"""Text from a character model: one character at a time, each drawn from the model's distribution at a temperature."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.models.cells import reset_states
from pipeline.models.compiled import Compiled
from pipeline.tasks.text_cleaning import prepare
from pipeline.vocabulary import PAD, UNKNOWN, Vocabulary


def generate(
    twin: Compiled, encoder: Mapping[str, Any], prompt: str, length: int, temperatures: Sequence[float], seed: int
) -> list[str]:
    """`length` characters after `prompt`, once for each temperature (0: always the likeliest character).

    twin: stateful, with a batch size of len(temperatures).
    """
    vocabulary = Vocabulary(tuple(encoder["symbols"]))
    banned = [vocabulary.ids[symbol] for symbol in (PAD, UNKNOWN) if symbol in vocabulary]
    heat = np.array(temperatures, np.float64)[:, None]
    rng = np.random.default_rng(seed)
    read = _read(prompt, vocabulary, encoder)
    reset_states(twin.model)
    logits = twin.predict(np.tile(read, (len(heat), 1)))[:, -1].astype(np.float64)
    drawn = np.zeros((len(heat), length), np.int32)
    for t in range(length):
        logits[:, banned] = -np.inf
        drawn[:, t] = _draw(logits, heat, rng)
        logits = twin.predict(drawn[:, t : t + 1])[:, -1].astype(np.float64)
    return ["".join(vocabulary.decode(row)) for row in drawn]


def generate_from_windows(
    model: Compiled, encoder: Mapping[str, Any], prompt: str, length: int, temperature: float, seed: int
) -> str:
    """`length` characters after `prompt`, each from the window before it and nothing else.

    model: stateless, gives the logits of the one character behind a window; a short prompt makes shorter windows.
    """
    vocabulary = Vocabulary(tuple(encoder["symbols"]))
    rng, window = np.random.default_rng(seed), encoder["window"]
    ids = _read(prompt, vocabulary, encoder).tolist()
    start = len(ids)
    for _ in range(length):
        logits = model.predict(np.array([ids[-window:]], np.int32)).astype(np.float64)
        ids.extend(_draw(logits, np.array([[temperature]]), rng))
    return "".join(vocabulary.decode(ids[start:]))


def _read(prompt: str, vocabulary: Vocabulary, encoder: Mapping[str, Any]) -> NDArray[np.int32]:
    """The prompt as ids, at least one. Where no symbol stands for unknown characters, they are left out."""
    text = prepare(prompt, encoder)
    if UNKNOWN in vocabulary:
        return vocabulary.encode(text or " ")
    return vocabulary.encode([c for c in text if c in vocabulary] or vocabulary.symbols[:1])


def _draw(logits: NDArray[np.float64], heat: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One id for each row, by the Gumbel-max trick; without noise where the temperature is 0."""
    noise = rng.gumbel(size=logits.shape)
    return np.asarray((logits + heat * noise).argmax(axis=1))
