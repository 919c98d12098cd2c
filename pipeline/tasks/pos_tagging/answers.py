"""DOC."""

from collections.abc import Sequence
from typing import Any

from pipeline.raw_input import MAX_WORDS, UNKNOWN_WORDS, Answer, sentences, warned
from pipeline.serving.served import Served


def _tags(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """sentence (words and punctuation separated by spaces) → {words, tags}"""
    from pipeline.tasks.pos_tagging.network import tag_ids
    from pipeline.tasks.pos_tagging.prepare import encode_words, is_unknown

    whole = sentences(inputs)
    sentences = [words[:MAX_WORDS] for words in whole]
    ids = [encode_words(words, served.encoder) for words in sentences]
    found, names = tag_ids(served.compiled(), ids), served.encoder["tags"]
    return [
        warned(
            {"words": words, "tags": [names[t] for t in tags]},
            {
                UNKNOWN_WORDS: bool(is_unknown(row).all()),
                f"only the first {MAX_WORDS} words were read": len(all_words) > MAX_WORDS,
            },
        )
        for words, all_words, row, tags in zip(sentences, whole, ids, found, strict=True)
    ]
