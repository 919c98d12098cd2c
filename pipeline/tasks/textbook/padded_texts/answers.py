"""Answers of padded_texts: the class of a raw text."""

from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_CHARACTERS, MAX_READ, Answer, bounded, text_class_answer, texts
from pipeline.tasks.textbook.padded_texts.prepare import UNKNOWN_ID, encode_texts, probabilities

MAX_PADDED = 200_000  # words of a batch, padded to the longest text


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Classify each text: text → {label, probability, probabilities}."""
    given = texts(inputs, "a text")
    bounded(sum(min(len(text), MAX_CHARACTERS) for text in given), MAX_READ, "characters")
    ids = encode_texts([text[:MAX_CHARACTERS] for text in given], loaded.encoder)
    longest = max(map(len, ids))
    p = probabilities(loaded.model, ids, loaded.encoder["length"], batch=max(1, min(128, MAX_PADDED // longest)))
    known = (bool((row != UNKNOWN_ID).any()) for row in ids)
    return [text_class_answer(loaded.encoder["label_names"], *each) for each in zip(given, p, known, strict=True)]
