"""Answers to raw input."""

from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_WORDS, UNKNOWN_WORDS, Answer, sentences, warned


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """sentence (words and punctuation separated by spaces) → {words, tags}"""
    from pipeline.tasks.pos_tagging.network import tag_ids
    from pipeline.tasks.pos_tagging.prepare import encode_words, is_unknown

    whole = sentences(inputs)
    given = [words[:MAX_WORDS] for words in whole]
    ids = [encode_words(words, loaded.encoder) for words in given]
    found, names = tag_ids(loaded.model, ids), loaded.encoder["tags"]
    return [
        warned(
            {"words": words, "tags": [names[t] for t in tags]},
            {
                UNKNOWN_WORDS: bool(is_unknown(row).all()),
                f"only the first {MAX_WORDS} words were read": len(all_words) > MAX_WORDS,
            },
        )
        for words, all_words, row, tags in zip(given, whole, ids, found, strict=True)
    ]
