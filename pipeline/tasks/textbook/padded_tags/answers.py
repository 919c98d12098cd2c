"""Answers of padded_tags: the tags of a raw sentence."""

from collections.abc import Sequence
from typing import Any

from pipeline.encoding.vocabulary import PAD
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import Answer, sentences
from pipeline.tasks.textbook.padded_tags.prepare import encode_sentences, tag_ids


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Tag each sentence, its words and punctuation separated by spaces: sentence → {words, tags}.

    Raises DataError for a sentence with more words than the network has steps.
    """
    names = [*loaded.encoder["tags"], PAD]
    given = sentences(inputs)
    for i, words in enumerate(given):
        if len(words) > loaded.encoder["length"]:
            raise DataError(f"input {i}: {len(words)} words; the network reads at most {loaded.encoder['length']}")
    predicted = tag_ids(loaded.model, encode_sentences(given, loaded.encoder))
    return [
        {"words": words, "tags": [names[t] for t in tags[-len(words) :]]}
        for words, tags in zip(given, predicted, strict=True)
    ]
