"""Checks of raw input, and the parts that the answers of several tasks share."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

Answer = dict[str, Any]
UNKNOWN_WORDS = "no word of it is in the model's vocabulary"
# What is read and answered at most, so that a request of one input ends within the minute that a server gives it.
MAX_LENGTH = 5_000  # characters
MAX_STEPS = 2_000
MAX_PROMPT = 10_000  # characters
MAX_CHARACTERS = 100_000
MAX_WORDS = 1_000
MAX_PIXELS = 50_000_000


def texts(inputs: Sequence[Any], what: str) -> list[str]:
    for i, text in enumerate(inputs):
        if not isinstance(text, str):
            raise DataError(f"input {i}: found {type(text).__name__}; {what} must be text")
    return list(inputs)


def number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = options.get(name, default)
    if not (isinstance(value, Real) and not isinstance(value, bool) and low <= cast(float, value) <= high):
        raise DataError(f"{name}: found {value!r}; it must be a number from {low} to {high}")
    return cast(float, value)


def flag(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool | np.bool_):
        raise DataError(f"{name}: found {value!r}; it must be true or false")
    return bool(value)


def text_class_answer(names: Sequence[str], text: str, row: NDArray[Any], known: bool) -> Answer:
    found = {
        UNKNOWN_WORDS: not known,
        f"only the first {MAX_CHARACTERS} characters of the text were read": len(text) > MAX_CHARACTERS,
    }
    return warned(class_answer(names, row), found)


def class_answer(names: Sequence[str], row: NDArray[Any]) -> Answer:
    best = int(row.argmax())
    shares = {name: float(v) for name, v in zip(names, row, strict=True)}
    return {"label": names[best], "probability": float(row[best]), "probabilities": shares}


def sentences(inputs: Sequence[Any]) -> list[list[str]]:
    rows = [text.split() for text in texts(inputs, "a sentence")]
    for i, words in enumerate(rows):
        if not words:
            raise DataError(f"input {i}: no words; give a sentence with words and punctuation separated by spaces")
    return rows


# Answers by example, for the signatures of served models. An optional field is one that an example lacks.
WARNING = {"warning": "what may mislead"}
CLASS = {"label": "a", "probability": 0.9, "probabilities": {"a": 0.9, "b": 0.1}}
FORECAST = {"values": [3.0], "lower": [2.0], "upper": [4.0], "level": 0.9, "unit": "kW"}

NO_VALUES = "no values were given; the forecast goes on from the latest that the model knows"


def warned(answer: Mapping[str, Any], found: Mapping[str, bool]) -> dict[str, Any]:
    """The answer to raw input, with those of the sentences that are true as its `warning`, if any."""
    said = "; ".join(sentence for sentence, true in found.items() if true)
    return {**answer, "warning": said} if said else dict(answer)
