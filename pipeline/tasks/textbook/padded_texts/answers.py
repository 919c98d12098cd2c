"""Answers of padded_texts: the class of a raw text."""

from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_CHARACTERS, Answer, text_class_answer, texts


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Classify each text: text → {label, probability, probabilities}."""
    from pipeline.tasks.textbook.padded_texts.network import probabilities
    from pipeline.tasks.textbook.padded_texts.prepare import UNKNOWN_ID, encode_texts

    given = texts(inputs, "a text")
    ids = encode_texts([text[:MAX_CHARACTERS] for text in given], loaded.encoder)
    p = probabilities(loaded.model, ids, loaded.encoder["length"])
    known = (bool((row != UNKNOWN_ID).any()) for row in ids)
    return [text_class_answer(loaded.encoder["label_names"], *each) for each in zip(given, p, known, strict=True)]
