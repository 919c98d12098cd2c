"""Checks of raw input, and the parts that the answers of several tasks share. NumPy only."""

import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

Answer = dict[str, Any]
SURROGATE = re.compile("[\ud800-\udfff]")
UNKNOWN_WORDS = "none of its words is in the model's vocabulary"
# Limits that keep a request of one input within the minute that a server allows.
MAX_LENGTH = 5_000  # characters
MAX_STEPS = 2_000
MAX_PROMPT = 10_000  # characters
MAX_CHARACTERS = 100_000
MAX_WORDS = 1_000
MAX_PIXELS = 50_000_000


def texts(inputs: Sequence[Any], what: str) -> list[str]:
    """Return the inputs as a list of strings that UTF-8 can hold: half a surrogate pair becomes U+FFFD.

    `what` names one of them in the error. Raises DataError for an input that is not a string.
    """
    for i, text in enumerate(inputs):
        if not isinstance(text, str):
            raise DataError(f"input {i}: found {type(text).__name__}; {what} must be a string")
    return [SURROGATE.sub("\ufffd", text) for text in inputs]


def number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """Return the option `name`, or its default; raises DataError unless it is a number from low to high."""
    value = options.get(name, default)
    if not (isinstance(value, Real) and not isinstance(value, bool) and low <= cast(float, value) <= high):
        raise DataError(f"{name}: found {value!r}; it must be a number from {low} to {high}")
    return cast(float, value)


def flag(options: Mapping[str, Any], name: str) -> bool:
    """Return the option `name`, False by default; raises DataError unless it is true or false."""
    value = options.get(name, False)
    if not isinstance(value, bool | np.bool_):
        raise DataError(f"{name}: found {value!r}; it must be true or false")
    return bool(value)


def text_class_answer(names: Sequence[str], text: str, row: NDArray[Any], known: bool) -> Answer:
    """Return class_answer for a raw text, with warnings.

    known: whether the model's vocabulary has any word of the text.
    """
    warnings = {
        UNKNOWN_WORDS: not known,
        f"only the first {MAX_CHARACTERS} characters of the text were read": len(text) > MAX_CHARACTERS,
    }
    return warned(class_answer(names, row), warnings)


def class_answer(names: Sequence[str], row: NDArray[Any]) -> Answer:
    """Return {label, probability, probabilities} from float [classes] probabilities."""
    best = int(row.argmax())
    probabilities = {name: float(v) for name, v in zip(names, row, strict=True)}
    return {"label": names[best], "probability": float(row[best]), "probabilities": probabilities}


def sentences(inputs: Sequence[Any]) -> list[list[str]]:
    """Split each sentence at tabs if it has any, since words may then contain spaces; otherwise at white space.

    Raises DataError for an input that is not text or has no words.
    """
    given = texts(inputs, "a sentence")
    rows = [
        [word for word in text.strip("\n\r").split("\t") if word] if "\t" in text else text.split() for text in given
    ]
    rows = [words if any(map(str.strip, words)) else [] for words in rows]
    for i, words in enumerate(rows):
        if not words:
            raise DataError(f"input {i}: no words; give a sentence with words and punctuation separated by spaces")
    return rows


def as_sentence(words: Sequence[str]) -> str:
    """Join words so that sentences() splits them again: by spaces, or by tabs where a word contains white space."""
    plain = " ".join(words)
    return plain if plain.split() == list(words) else "\t".join(words) + "\t"


# Example answers for the signature of a served model. A field that one of them lacks is optional.
WARNING = {"warning": "what may mislead"}
CLASS = {"label": "a", "probability": 0.9, "probabilities": {"a": 0.9, "b": 0.1}}
FORECAST = {"values": [3.0], "lower": [2.0], "upper": [4.0], "level": 0.9, "unit": "kW"}

NO_VALUES = "no values were given; the forecast goes on from the latest that the model knows"


def warned(answer: Mapping[str, Any], warnings: Mapping[str, bool]) -> dict[str, Any]:
    """Return the answer with the sentences that apply joined as its `warning`, if any do."""
    warning = "; ".join(sentence for sentence, applies in warnings.items() if applies)
    return {**answer, "warning": warning} if warning else dict(answer)
