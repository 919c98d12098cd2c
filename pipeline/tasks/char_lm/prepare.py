"""Prepare a running text for char_lm: contiguous splits, and ids of its symbols.

The text is split before anything is fitted. Symbols that the training part lacks become UNKNOWN.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import CharLmData
from pipeline.encoding import vocabulary
from pipeline.encoding.records import SPLITS, Encoded, TextCorpus
from pipeline.encoding.text_cleaning import carried, carried_positions, cleaned, prepare
from pipeline.errors import DataError

STREAMS = 8
RUN = 5  # characters
FEWEST = 100  # characters of a part
FAR, FAR_APART = 1.5, 0.05  # how many times as many new runs, and how many more, are too many
MOST_SYMBOLS = np.iinfo(np.int16).max
WARM_UP = 500  # characters read before a split, so that its first characters have a context


def encode(record: TextCorpus, row: CharLmData, seed: int) -> Encoded:
    """Return the arrays train, validation and test: int16 [characters], contiguous and in the order of the text.

    Of synthetic texts also optimum: float32 [test characters], the bits of each character under the known process; and
    agreements: int32 [agreements, 2], the position in the test part of a character that decides the ending of a verb,
    and its distance in characters from the ending of the subject.
    """
    del seed  # the split is by position
    plain, options, findings = cleaned(record, row)
    text = vocabulary.characters(plain)
    cuts = [round(len(text) * (1 - row.validation - row.test)), round(len(text) * (1 - row.test))]
    if record.test_start is not None:
        test = len(vocabulary.characters(prepare(record.text[record.test_start :], options)))
        cuts = [len(text) - test - round(len(text) * row.validation), len(text) - test]
        _check_test_part(row.source, cuts, len(text))
    parts = dict(zip(SPLITS, (text[: cuts[0]], text[cuts[0] : cuts[1]], text[cuts[1] :]), strict=True))
    symbols = vocabulary.build(parts["train"])
    if len(symbols) > MOST_SYMBOLS:
        raise DataError(
            f"{row.source}: {len(symbols):,} different characters; at most {MOST_SYMBOLS:,} can be told apart"
        )
    encoder = {**options, "symbols": list(symbols.symbols)}
    arrays = {name: symbols.encode(part).astype(np.int16) for name, part in parts.items()}
    if record.optimum is not None:
        arrays["optimum"] = carried(record.optimum, record.text, options)[cuts[1] :].astype(np.float32)
    if record.agreements is not None:
        ending, deciding = carried_positions(record.agreements, record.text, options).T
        pairs = np.stack([deciding - cuts[1], deciding - ending], axis=1)
        arrays["agreements"] = pairs[deciding >= cuts[1]].astype(np.int32)
    summary = {
        "characters": len(text),
        "symbols": len(symbols) - 2,
        "unknown_in_test": int(np.sum(arrays["test"] == symbols.ids[vocabulary.UNKNOWN])),
        "findings": findings,
    }
    if record.dropped is not None and (warning := _warning(arrays, len(symbols))):
        summary["warnings"] = [warning]
    return Encoded(arrays, encoder, {name: len(part) for name, part in parts.items()}, summary)


def _check_test_part(source: str, cuts: list[int], n: int) -> None:
    """Raise DataError if the publisher's test part leaves too little of a text, or is too short itself."""
    if min(cuts[0], cuts[1] - cuts[0], n - cuts[1]) < FEWEST:
        raise DataError(
            f"{source}: {cuts[0]:,} characters for training, {cuts[1] - cuts[0]:,} for validation and {n - cuts[1]:,} "
            f"in the test files; each part needs {FEWEST}"
        )


def _warning(arrays: Mapping[str, NDArray[Any]], size: int) -> str:
    """Return a warning if runs of characters that training lacks are much more frequent in the test part."""
    validation, test = (_new_runs(arrays["train"], arrays[split], size) for split in ("validation", "test"))
    if test < FAR * validation or test < validation + FAR_APART:
        return ""
    return (
        f"The test part, the end of the text, is unlike the rest: {test:.0%} of its runs of {RUN} characters are not "
        f"in the training part, but only {validation:.0%} of those of the validation part. If something else is at the "
        "end, such as a licence or another text, cut it off."
    )


def _new_runs(train: NDArray[np.int16], part: NDArray[np.int16], size: int) -> float:
    """Return the share of the runs of RUN symbols of `part` that `train` lacks. size: of the alphabet."""
    run = min(RUN, int(62 / np.log2(size)))  # one 64-bit number holds a run
    powers = size ** np.arange(run, dtype=np.int64)
    keys = [np.convolve(ids.astype(np.int64), powers, "valid") for ids in (train, part)]
    return float(np.mean(~np.isin(keys[1], keys[0])))


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder as it is: its symbols are always those of the training part."""
    return dict(encoded.encoder)


def carried_rows(encoded: Encoded, split: str, streams: int = STREAMS) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the rows that are read in parallel to predict a split: ids int32 [streams, characters + 1].

    The other result is lengths, int64 [streams]. The last `length` characters of a row are the stream's own. The
    WARM_UP characters before them, or as many as there are, only warm up the state.
    """
    before = {"validation": ["train"], "test": ["train", "validation"]}[split]
    context = np.concatenate([encoded.arrays[s] for s in before])[-WARM_UP - 2 :]
    text = np.concatenate([context, encoded.arrays[split]]).astype(np.int32)
    ends = len(context) + np.linspace(0, len(encoded.arrays[split]), streams + 1).round().astype(int)
    lengths = np.diff(ends)
    # Every row is as long as the longest. A shorter stream gets more warm-up.
    width = int(lengths.max()) + min(WARM_UP, len(context) - 2)
    return np.stack([text[end - width - 1 : end] for end in ends[1:]]), lengths
