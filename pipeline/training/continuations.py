"""Answers of character models to raw input: the continuation of a prompt, or the bits of a text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import (
    MAX_GENERATED,
    MAX_LENGTH,
    MAX_PROMPT,
    MAX_READ,
    Answer,
    bounded,
    flag,
    number,
    texts,
    warned,
)

GENERATION = {"length": 300, "temperature": 0.7, "top_p": 1.0, "seed": 0}
SCORED = {"bits": [1.5], "bits_per_char": 1.5, "perplexity": 2.8}


def continuations(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Continue each prompt: prompt → {text}, with the options length, temperature, top_p and seed.

    With the option score, measure how well the model predicts each text instead: text → {text, bits, bits_per_char,
    perplexity}, with the `bits` of each character of `text` but the first.
    """
    wish = _wish(options)
    prompts = [_Prompt(text, loaded.encoder) for text in texts(inputs, "a prompt")]
    bounded(sum(len(prompt.text) for prompt in prompts), MAX_READ, "characters")
    if flag(options, "score"):
        return [prompt.warned(_scored(loaded, prompt.text)) for prompt in prompts]
    bounded(len(prompts) * wish.length, MAX_GENERATED, "characters to write")
    return [prompt.warned({"text": "".join(_written(loaded, prompt.text, wish))}) for prompt in prompts]


def stream(loaded: LoadedNetwork, text: Any, options: Mapping[str, Any]) -> Iterator[Answer]:
    """Continue one prompt as continuations() does, and yield {text} for each character as soon as it is drawn.

    The last answer has no characters, and the warning if there is one. Raises DataError before the first answer.
    """
    wish, prompt = _wish(options), _Prompt(texts([text], "a prompt")[0], loaded.encoder)
    yield from ({"text": character} for character in _written(loaded, prompt.text, wish))
    yield prompt.warned({"text": ""})


class _Wish(NamedTuple):
    """The options of a continuation."""

    length: int
    temperature: float
    top_p: float
    seed: int


def _wish(options: Mapping[str, Any]) -> _Wish:
    return _Wish(
        length=int(number(options, "length", 300, 1, MAX_LENGTH)),
        temperature=number(options, "temperature", 0.7, 0.0, 10.0),
        top_p=number(options, "top_p", 1.0, 1e-6, 1.0),
        seed=int(number(options, "seed", 0, 0, 2**63 - 1)),
    )


def _written(loaded: LoadedNetwork, prompt: str, wish: _Wish) -> Iterator[str]:
    """Yield the characters that continue the prompt."""
    from pipeline.training.generation import Sampling, draw, draw_from_windows

    model, encoder, sampling = loaded.model, loaded.encoder, Sampling(wish.temperature, wish.top_p)
    symbols = encoder["symbols"]
    if encoder.get("target") == "next":
        ids = draw_from_windows(model, encoder, prompt, wish.length, sampling, wish.seed)
        return (symbols[i] for i in ids)
    return (symbols[i] for (i,) in draw(model, encoder, prompt, wish.length, [sampling], wish.seed))


class _Prompt:
    """A prompt, of which at most the last MAX_PROMPT characters are read."""

    def __init__(self, prompt: str, encoder: Mapping[str, Any]) -> None:
        self.text, self.whole, self.encoder = prompt[-MAX_PROMPT:], prompt, encoder

    def warned(self, answer: Answer) -> Answer:
        """Return the answer with a warning about the prompt, if there is a reason for one."""
        from pipeline.training.generation import known_characters

        empty = not self.whole.strip()
        warnings = {
            "the prompt is empty": empty,
            "no character of the prompt was in the training data": (
                not empty and not known_characters(self.encoder, self.text)
            ),
            f"only the last {MAX_PROMPT} characters of the prompt were read": len(self.whole) > MAX_PROMPT,
        }
        return warned(answer, warnings)


def _scored(loaded: LoadedNetwork, text: str) -> Answer:
    from pipeline.encoding.text_cleaning import prepare
    from pipeline.training.generation import score

    bits = score(loaded.model, loaded.encoder, text).astype(np.float64)
    mean = float(bits.mean())
    return {"text": prepare(text, loaded.encoder), "bits": bits.tolist(), "bits_per_char": mean, "perplexity": 2**mean}
