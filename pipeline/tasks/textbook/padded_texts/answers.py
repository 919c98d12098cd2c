"""DOC."""

from collections.abc import Sequence
from typing import Any

from pipeline.raw_input import MAX_CHARACTERS, Answer, text_class_answer, texts
from pipeline.serving.served import Served


def _padded_label(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """text → {label, probability, probabilities}"""
    from pipeline.tasks.textbook.padded_texts.network import probabilities
    from pipeline.tasks.textbook.padded_texts.prepare import UNKNOWN_ID, encode_texts

    texts = texts(inputs, "a text")
    ids = encode_texts([text[:MAX_CHARACTERS] for text in texts], served.encoder)
    p = probabilities(served.compiled(), ids, served.encoder["length"])
    known = (bool((row != UNKNOWN_ID).any()) for row in ids)
    return [text_class_answer(served, *found) for found in zip(texts, p, known, strict=True)]
