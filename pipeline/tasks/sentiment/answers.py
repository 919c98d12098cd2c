"""Answers of sentiment: the class of a raw text."""

from collections.abc import Sequence
from typing import Any

from pipeline.encoding.word_features import words
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_CHARACTERS, MAX_READ, Answer, bounded, text_class_answer, texts
from pipeline.tasks.sentiment.prepare import encode_texts, probabilities


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Classify each text: text → {label, probability, probabilities}."""
    given, ids = texts(inputs, "a text"), loaded.encoder["ids"]
    bounded(sum(min(len(text), MAX_CHARACTERS) for text in given), MAX_READ, "characters")
    p = probabilities(loaded.model, encode_texts([text[:MAX_CHARACTERS] for text in given], loaded.encoder))
    known = (any(word in ids for word in words(text[:MAX_CHARACTERS])) for text in given)
    return [text_class_answer(loaded.encoder["label_names"], *each) for each in zip(given, p, known, strict=True)]
