"""Answers of pos_tagging: the tags of a raw sentence."""

from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_TAGGED, MAX_WORDS, UNKNOWN_WORDS, Answer, bounded, sentences, warned
from pipeline.tasks.pos_tagging.prepare import encode_words, is_unknown, joined, tag_ids


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Tag each sentence, its words and punctuation separated by spaces: sentence → {words, tags}.

    Words that contain spaces are separated by tabs. In a sentence without tabs, the longest such word that training had
    is taken as one.
    """
    split = zip(inputs, sentences(inputs), strict=True)
    whole = [words if "\t" in text else joined(words, loaded.encoder) for text, words in split]
    given = [words[:MAX_WORDS] for words in whole]
    bounded(sum(map(len, given)), MAX_TAGGED, "words")
    ids = [encode_words(words, loaded.encoder) for words in given]
    predicted, names = tag_ids(loaded.model, ids), loaded.encoder["tags"]
    return [
        warned(
            {"words": words, "tags": [names[t] for t in tags]},
            {
                UNKNOWN_WORDS: bool(is_unknown(row).all()),
                f"only the first {MAX_WORDS} words were read": len(all_words) > MAX_WORDS,
            },
        )
        for words, all_words, row, tags in zip(given, whole, ids, predicted, strict=True)
    ]
