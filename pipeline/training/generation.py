"""Generate text from a character model, one character at a time, and measure the bits of a text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.text_cleaning import prepare
from pipeline.encoding.vocabulary import PAD, UNKNOWN, Vocabulary, as_symbols
from pipeline.errors import DataError
from pipeline.evaluation.network import Predicting

CHUNK = 250  # characters that are predicted at once


class Sampling(NamedTuple):
    """How a character is drawn: at a temperature (0: always the likeliest one), from the nucleus.

    The nucleus are the likeliest characters that together have the probability top_p (Holtzman et al. 2020).
    """

    temperature: float
    top_p: float = 1.0


def generate(
    inference_model: Predicting,
    encoder: Mapping[str, Any],
    prompt: str,
    length: int,
    samplings: Sequence[Sampling],
    seed: int,
) -> list[str]:
    """Generate `length` characters after `prompt`, once for each way of sampling.

    inference_model: stateful, with a batch size of len(samplings).
    """
    drawn = np.zeros((len(samplings), length), np.int32)
    for t, ids in enumerate(draw(inference_model, encoder, prompt, length, samplings, seed)):
        drawn[:, t] = ids
    vocabulary = Vocabulary(tuple(encoder["symbols"]))
    return ["".join(vocabulary.decode(row)) for row in drawn]


def draw(
    inference_model: Predicting,
    encoder: Mapping[str, Any],
    prompt: str,
    length: int,
    samplings: Sequence[Sampling],
    seed: int,
) -> Iterator[NDArray[np.int32]]:
    """Yield the ids of the characters that generate() returns, int32 [samplings], each as soon as it is drawn."""
    vocabulary = Vocabulary(tuple(encoder["symbols"]))
    banned = [vocabulary.ids[symbol] for symbol in (PAD, UNKNOWN) if symbol in vocabulary]
    draws = Draws(samplings, len(vocabulary), length, np.random.default_rng(seed))
    read = np.tile(_read(prompt, vocabulary, encoder), (len(samplings), 1))
    inference_model.reset_states()
    for _ in range(length):
        logits = inference_model.predict(read)[:, -1].astype(np.float64)
        logits[:, banned] = -np.inf
        ids = draws.next(logits).astype(np.int32)
        yield ids
        read = ids[:, None]


def bits(inference_model: Predicting, ids: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return float32 [rows, characters - 1]: -log2 of the probability given to each character but the first.

    inference_model: stateful, with a batch size of rows; it reads on from its present state. ids: [rows, characters].
    """
    parts = [_bits(inference_model, ids[:, t : t + CHUNK + 1]) for t in range(0, ids.shape[1] - 1, CHUNK)]
    return np.concatenate(parts, axis=1)


def _bits(inference_model: Predicting, ids: NDArray[np.int32]) -> NDArray[np.float32]:
    logits = inference_model.predict(ids[:, :-1])
    logits = logits - logits.max(axis=-1, keepdims=True)
    picked = np.take_along_axis(logits, ids[:, 1:, None], axis=-1)[..., 0]
    return np.asarray((np.log(np.exp(logits).sum(axis=-1)) - picked) / np.log(2.0), np.float32)


def score(inference_model: Predicting, encoder: Mapping[str, Any], text: str) -> NDArray[np.float32]:
    """Return float32 [characters - 1]: the bits of each character but the first of a raw text, read from a zero state.

    inference_model: stateful, with a batch size of 1. Raises DataError if fewer than two characters are left.
    """
    ids = _read(text, Vocabulary(tuple(encoder["symbols"])), encoder)
    if len(ids) < 2:
        raise DataError("score: fewer than two characters of the text are left; the first one is read but not scored")
    inference_model.reset_states()
    scored: NDArray[np.float32] = bits(inference_model, ids[None])[0]
    return scored


def known_characters(encoder: Mapping[str, Any], text: str) -> int:
    """Count the characters of a raw text that the model knows."""
    known = {*encoder["symbols"]} - {PAD, UNKNOWN}
    return sum(c in known for c in as_symbols(prepare(text, encoder), encoder["symbols"]))


def generate_from_windows(
    model: Predicting, encoder: Mapping[str, Any], prompt: str, length: int, sampling: Sampling, seed: int
) -> str:
    """Generate `length` characters after `prompt`, each from the window before it alone.

    model: stateless, windows → logits of the next character. Windows are shorter at first if the prompt is short.
    """
    vocabulary = Vocabulary(tuple(encoder["symbols"]))
    return "".join(vocabulary.decode(draw_from_windows(model, encoder, prompt, length, sampling, seed)))


def draw_from_windows(
    model: Predicting, encoder: Mapping[str, Any], prompt: str, length: int, sampling: Sampling, seed: int
) -> Iterator[int]:
    """Yield the ids of the characters that generate_from_windows() returns, each as soon as it is drawn."""
    vocabulary = Vocabulary(tuple(encoder["symbols"]))
    window = encoder["window"]
    draws = Draws([sampling], len(vocabulary), length, np.random.default_rng(seed))
    ids = _read(prompt, vocabulary, encoder).tolist()
    for _ in range(length):
        logits = model.predict(np.array([ids[-window:]], np.int32)).astype(np.float64)
        ids.extend(draws.next(logits).tolist())
        yield ids[-1]


def _read(prompt: str, vocabulary: Vocabulary, encoder: Mapping[str, Any]) -> NDArray[np.int32]:
    """Return the prompt as int32 [at least 1] ids. Unknown characters are dropped if the vocabulary has no UNKNOWN."""
    text = prepare(prompt, encoder)
    if UNKNOWN in vocabulary:
        return vocabulary.encode(as_symbols(text or " ", vocabulary.symbols))
    return vocabulary.encode([c for c in text if c in vocabulary] or vocabulary.symbols[:1])


class Draws:
    """Draws of ids by the Gumbel-max trick, a row for each way of sampling, without noise at temperature 0.

    symbols: how many ids there are; length: how many draws there will be, for which the noise is made in blocks.
    """

    def __init__(self, samplings: Sequence[Sampling], symbols: int, length: int, rng: np.random.Generator) -> None:
        self.heat = np.array([[s.temperature] for s in samplings])
        nucleus = np.array([[s.top_p] for s in samplings])
        self.nucleus = nucleus if (nucleus < 1.0).any() else None
        self.shape, self.left, self.rng = (len(samplings), symbols), length, rng
        self.noise: Iterator[NDArray[np.float64]] = iter(())

    def next(self, logits: NDArray[np.float64]) -> NDArray[np.int64]:
        """Draw an id for each row of logits, float64 [rows, symbols]."""
        if self.nucleus is not None:
            inside = _in_nucleus(logits / np.maximum(self.heat, 1e-6), self.nucleus)
            logits = np.where(inside, logits, -np.inf)
        return np.asarray((logits + self._noise()).argmax(axis=1))

    def _noise(self) -> NDArray[np.float64]:
        """Return the noise of the next draw, the same as if it was made for this draw alone."""
        block = next(self.noise, None)
        if block is None:
            count = max(1, min(self.left, CHUNK))
            self.left -= count
            self.noise = iter(self.heat * self.rng.gumbel(size=(count, *self.shape)))
            block = next(self.noise)
        return block


def _in_nucleus(logits: NDArray[np.float64], nucleus: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return bool [rows, symbols]: the fewest symbols with a total probability of at least `nucleus` [rows, 1]."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    likelier = np.cumsum(ranked, axis=1) - ranked  # total probability of the likelier symbols
    inside = np.zeros(logits.shape, np.bool_)
    np.put_along_axis(inside, order, likelier < nucleus, axis=1)
    return inside
