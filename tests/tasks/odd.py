"""Odd raw inputs that several tasks share, each with the pattern of its DataError, or None for an answer."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.tasks.returns.prepare import COLUMNS
from tests.tasks.case import Odd

LONG_TEXT = "word " * 20_000
STRANGE_TEXTS = ("🙂🙂", "zzqx vrk", "\x00\n\t", "x" * 100_000)
EMPTY_TEXTS = ("", " ")
NUMBERS = [float(i % 9) for i in range(200)]
DAYS = {name: [1.0] * 50 for name in COLUMNS}


def answered(*inputs: Any) -> Odd:
    return tuple((item, None) for item in inputs)


def refused(message: str, *inputs: Any) -> Odd:
    return tuple((item, message) for item in inputs)


def not_text(what: str) -> Odd:
    values = (5, None, b"x", ["x"], {"x": 1})
    half_a_pair = ("a \ud800", "^input 0: character 3 is half of a pair")
    return (
        *((item, f"^input 0: found {type(item).__name__}; {what} must be a string$") for item in values),
        half_a_pair,
    )


def texts(what: str) -> Odd:
    """For tasks that read any text, an empty one too."""
    return (*answered(*EMPTY_TEXTS, *STRANGE_TEXTS, LONG_TEXT), *not_text(what))


def picture(pixels: NDArray[np.uint8], kind: str = "PNG") -> str:
    """Return a picture file in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


# What is no mapping with numbers under "values". An empty object asks for a forecast from the latest known values.
NO_SERIES: Odd = (
    *answered({}),
    *refused("^a forecast needs ", "", None, [], 0, False),
    *refused("^a forecast needs ", "x", "🙂", 5, NUMBERS, b"x", {"x": 1}, {"start": "2026-01-01"}),
    *refused("^a forecast needs ", {"values": "x"}, {"values": ["x"]}, {"values": ["1", "2"]}, {"values": "12"}),
)
