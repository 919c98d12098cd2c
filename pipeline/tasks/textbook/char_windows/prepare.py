"""Prepare a text for char_windows, by the textbook's protocol: windows of one text, and nothing held out.

Its flaws are kept, for comparison with char_lm, and listed in FLAWS: train, validation and test are the same windows,
they overlap, and the symbols come from the whole text. Figures are of a fixed random sample of the training windows.
They measure how well the network knows that text by heart. The baseline is an n-gram model of the same text, which is
no more than a look-up table.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import CharWindowsData
from pipeline.encoding import vocabulary
from pipeline.encoding.records import SPLITS, Encoded, TextCorpus
from pipeline.encoding.text_cleaning import cleaned
from pipeline.errors import DataError

PREDICTED = 20_000  # characters, at most, over which a figure is the mean
FLAWS = (
    "Nothing is held out: train, validation and test are the same windows, so every figure measures memory.",
    "Windows overlap: each shares all but `stride` characters with the next, so a random split of them would leak.",
    "The symbols are those of the whole text.",
    "Always taking the likeliest character (temperature 0) tends to loop.",
)
Ids = NDArray[np.int16]
Places = NDArray[np.int64]


def encode(record: TextCorpus, row: CharWindowsData, seed: int) -> Encoded:
    """Return the arrays `text` int16 [characters] and `sample` int64 [scored windows], the first position of each.

    Windows are cut from the text when they are needed. All at once they would be `window` times as large.
    """
    text, options, findings = cleaned(record, row)
    count = len(range(0, len(text) - row.window, row.stride))
    if not count:
        raise DataError(f"{row.source}: {len(text)} usable characters; a window of {row.window} needs more than that")
    scored = min(count, max(1, PREDICTED // (row.window if row.target == "sequence" else 1)))
    sample = np.sort(np.random.default_rng(seed).choice(count, scored, replace=False)) * row.stride
    symbols = vocabulary.build(text, reserved=False)
    encoder = {
        **options,
        "symbols": list(symbols.symbols),
        "window": row.window,
        "stride": row.stride,
        "target": row.target,
    }
    summary = {
        "characters": len(text),
        "symbols": len(symbols),
        "windows": count,
        "scored_windows": scored,
        "flaws": list(FLAWS),
        "findings": findings,
    }
    arrays: dict[str, NDArray[Any]] = {"text": symbols.encode(text).astype(np.int16), "sample": sample}
    return Encoded(arrays, encoder, dict.fromkeys(SPLITS, count), summary)


def starts(encoded: Encoded, split: str) -> Places:
    """Return int64 [windows]: the first position of each window, the same for every split."""
    del split  # nothing is held out
    return np.arange(0, len(encoded.arrays["text"]) - encoded.encoder["window"], encoded.encoder["stride"])


def predicted(encoded: Encoded) -> tuple[Places, Places]:
    """Return the places of the characters that the scored windows predict, and the number of characters before each.

    Both are int64 [scored windows, targets of a window]; the number counts characters of the same window.
    """
    window = encoded.encoder["window"]
    known = np.arange(1, window + 1) if encoded.encoder["target"] == "sequence" else np.array([window])
    places = encoded.arrays["sample"][:, None] + known
    return places, np.broadcast_to(known, places.shape)


def graded(probabilities: NDArray[np.floating[Any]], truth: Ids) -> NDArray[np.float32]:
    """Return float32 [windows, 2]: mean bits of the true characters of each window, and the share predicted correctly.

    probabilities: float [windows, targets, symbols]; truth: int16 [windows, targets].
    """
    picked = np.take_along_axis(probabilities, truth[..., None].astype(np.int64), axis=-1)[..., 0]
    bits = -np.log2(np.maximum(picked, np.finfo(np.float32).tiny)).mean(axis=1)
    right = (probabilities.argmax(axis=-1) == truth).mean(axis=1)
    return np.stack([bits, right], axis=1).astype(np.float32)


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder as it is: its symbols are those of the whole text."""
    return dict(encoded.encoder)
