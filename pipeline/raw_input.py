"""Checks of raw input, bounds on its work, and the parts that the answers of several tasks share. NumPy only."""

import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import Busy, DataError

Answer = dict[str, Any]
UNKNOWN_WORDS = "none of its words is in the model's vocabulary"
# Limits of one input, which keep its answer within the minute that a server allows.
MAX_LENGTH = 5_000  # characters
MAX_STEPS = 2_000
MAX_PROMPT = 10_000  # characters
MAX_CHARACTERS = 100_000
MAX_WORDS = 1_000
# Limits of one request, over all its inputs.
MAX_INPUTS = 1_000
MAX_GENERATED = 20_000  # characters
MAX_FORECAST = 10_000  # steps
MAX_TAGGED = 50_000  # words
MAX_READ = 1_000_000  # characters of texts and prompts
MAX_PIXELS = 50_000_000
_until: ContextVar[tuple[float, float]] = ContextVar("until", default=(math.inf, math.inf))


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit the time of the answers in the block: after `seconds`, check_time raises Busy in this thread."""
    before = _until.set((time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _until.reset(before)


def check_time() -> None:
    """Raise Busy if the deadline of the answer has passed. Called before each step of the network."""
    until, seconds = _until.get()
    if time.monotonic() > until:
        raise Busy(f"no answer within {seconds:g} s; ask for less at once, or try again when the server is less busy")


def bounded(count: int, limit: int, what: str) -> None:
    """Raise DataError if a request asks for more than `limit` in all its inputs."""
    if count > limit:
        raise DataError(f"the request has {count} {what}, and at most {limit} are answered at once; send several")


def texts(inputs: Sequence[Any], what: str) -> list[str]:
    """Return the inputs as a list of strings; `what` names one of them in the error.

    Raises DataError for an input that is not a string, or not valid Unicode.
    """
    for i, text in enumerate(inputs):
        if not isinstance(text, str):
            raise DataError(f"input {i}: found {type(text).__name__}; {what} must be a string")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"input {i}: character {error.start + 1} is half of a pair ({error.reason}); send valid Unicode"
            ) from None
    return list(inputs)


def numbers(value: Any, need: str) -> NDArray[np.float64]:
    """Return numbers as float64; None becomes NaN, and a number that is too large for float64 becomes infinite.

    Raises DataError with the sentence `need` for strings, booleans and anything else that is not numbers.
    """
    cells = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(cells, str | bytes | bool) or _has_other_cells(cells):
        raise DataError(need)
    try:
        return np.array(cells, np.float64)
    except OverflowError:
        return np.full(len(cells) if isinstance(cells, list | tuple) else 1, np.inf)
    except (TypeError, ValueError, RecursionError):
        raise DataError(need) from None


def _has_other_cells(cells: Any) -> bool:
    """NumPy would read the string "5" and true as numbers."""
    return isinstance(cells, list | tuple) and any(isinstance(cell, str | bytes | bool) for cell in cells)


def known_keys(item: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise DataError for a key of an input that would be ignored."""
    for key in item:
        if key not in known:
            raise DataError(f"{shown(key)}: an input has no such key; known: {', '.join(known)}")


def shown(value: Any) -> str:
    """Return the start of a value's repr, for a message."""
    try:
        return repr(value)[:60]
    except (ValueError, RecursionError):  # too many digits, too many brackets
        return type(value).__name__


def number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """Return the option `name`, or its default; raises DataError unless it is a number from low to high."""
    value = options.get(name, default)
    if not (isinstance(value, Real) and not isinstance(value, bool) and low <= cast(float, value) <= high):
        raise DataError(f"{name}: found {shown(value)}; it must be a number from {low} to {high}")
    return cast(float, value)


def flag(options: Mapping[str, Any], name: str) -> bool:
    """Return the option `name`, False by default; raises DataError unless it is true or false."""
    value = options.get(name, False)
    if not isinstance(value, bool | np.bool_):
        raise DataError(f"{name}: found {shown(value)}; it must be true or false")
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
