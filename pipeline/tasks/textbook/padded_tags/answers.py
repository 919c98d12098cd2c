"""DOC."""

from collections.abc import Sequence
from typing import Any

from pipeline.encoding.vocabulary import PAD
from pipeline.errors import DataError
from pipeline.raw_input import Answer, sentences
from pipeline.serving.served import Served


def _padded_tags(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """sentence (words and punctuation separated by spaces) → {words, tags}; as many words as the network has steps"""
    from pipeline.tasks.textbook.padded_tags.network import tag_ids
    from pipeline.tasks.textbook.padded_tags.prepare import encode_sentences

    names = [*served.encoder["tags"], PAD]
    sentences = sentences(inputs)
    for i, words in enumerate(sentences):
        if len(words) > served.encoder["length"]:
            raise DataError(f"input {i}: {len(words)} words; the network reads at most {served.encoder['length']}")
    found = tag_ids(served.compiled(), encode_sentences(sentences, served.encoder))
    return [
        {"words": words, "tags": [names[t] for t in tags[-len(words) :]]}
        for words, tags in zip(sentences, found, strict=True)
    ]
