"""DOC."""

from collections.abc import Sequence
from typing import Any

from pipeline.raw_input import MAX_CHARACTERS, Answer, text_class_answer, texts
from pipeline.serving.served import Served


def _label(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """text → {label, probability, probabilities}"""
    from pipeline.encoding.word_features import words
    from pipeline.tasks.sentiment.network import probabilities
    from pipeline.tasks.sentiment.prepare import encode_texts

    texts, ids = texts(inputs, "a text"), served.encoder["ids"]
    p = probabilities(served.compiled(), encode_texts([text[:MAX_CHARACTERS] for text in texts], served.encoder))
    known = (any(word in ids for word in words(text[:MAX_CHARACTERS])) for text in texts)
    return [text_class_answer(served, *found) for found in zip(texts, p, known, strict=True)]
