"""Read short opinions on books and films, positive or negative: the training file of the Kaggle competition SI650.

University of Michigan, SI650 (2011). Licence unclear: competition data of sentences from the web, some sexually
explicit. The file cannot be fetched without a Kaggle account. Its 7,086 lines hold only 1,410 distinct sentences, and
one of these has both labels. Two forms, both `label<TAB>sentence`, UTF-8, LF:

training.txt                 as published
umich-sentiment-train.txt    from the repository of a textbook; 103 lines are UTF-8 encoded twice, repaired here

    1	The Da Vinci Code book is just awesome.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.encoding.records import LabelledTexts
from pipeline.encoding.word_features import words
from pipeline.errors import DataError
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.synthesis import optimum
from pipeline.synthesis.opinion_grammar import label, opinion, pick, probabilities

GENERATED = False
PUBLISHED = "training.txt"
TWICE_ENCODED = "umich-sentiment-train.txt"
LABELS = ("negative", "positive")
MALFORMED_SHARE = 0.01

CARD = Card(
    title="UMICH SI650 sentiment",
    about="7,086 lines of opinion, 1,410 distinct sentences, positive or negative.",
    homepage="https://www.kaggle.com/c/si650winter11",
    licence="Unclear (Kaggle in-class competition data)",
    example="1\tThe Da Vinci Code book is just awesome.",
    forms=(
        (
            RawFile(
                PUBLISHED,
                sha256="f62739660ffa9233cae138557dda4f5dac9865aef352645881240e9045df23d9",
                size=447_540,
                url=None,
                magic=b"1\t",
            ),
        ),
        (
            RawFile(
                TWICE_ENCODED,
                sha256="8e9aed3f76ddc6db6564f28f2de15fd9d65c07c1e56846787ea7c961d6b098e9",
                size=448_075,
                url=None,
                magic=b"1\t",
            ),
        ),
    ),
    how_to_get="Kaggle gives training.txt to members only: log in at https://www.kaggle.com/c/si650winter11, open the "
    "Data page, accept the rules and download training.txt",
)


@dataclass
class _Rows:
    texts: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    repaired: int = 0


def read(folder: Path) -> LabelledTexts:
    """Read all sentences in file order, including repeats.

    Malformed lines are dropped and counted. Raises DataError if they are more than 1 % of the lines.
    """
    path = find_file(folder, (PUBLISHED, TWICE_ENCODED))
    rows = _Rows()
    # Split at LF only: str.splitlines() would also split at U+0085 and others that occur inside sentences.
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        _add(rows, number, line.removesuffix(b"\r"), twice_encoded=path.name == TWICE_ENCODED)
    _refuse_many(path, rows.malformed, len(lines))
    labels = np.array(rows.labels, dtype=np.int32)
    best = optimum.load(folder, probabilities=len(labels)).get("probabilities")
    return LabelledTexts(tuple(rows.texts), labels, LABELS, _findings(rows, len(lines)), optimum=best)


def _add(rows: _Rows, number: int, line: bytes, *, twice_encoded: bool) -> None:
    try:
        label, text = parse_line(line)
    except ValueError as error:
        rows.malformed.append((number, str(error)))
        return
    mended = mend(text) if twice_encoded else text
    rows.repaired += mended != text
    rows.labels.append(label)
    rows.texts.append(mended)


def parse_line(line: bytes) -> tuple[int, str]:
    """Split one line into its label and its sentence; ValueError says what is wrong with it."""
    try:
        fields = line.decode("utf-8").split("\t")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.object[error.start]:#04x} is not UTF-8") from None
    if len(fields) != 2:
        raise ValueError("no tab" if len(fields) == 1 else f"{len(fields) - 1} tabs")
    if fields[0] not in ("0", "1"):
        raise ValueError(f"label {fields[0][:20]!r}")
    if not fields[1].strip():
        raise ValueError("no sentence")
    return int(fields[0]), fields[1]


def mend(text: str) -> str:
    """Undo a second UTF-8 encoding (through Windows-1252); return a text without one unchanged."""
    if text.isascii():
        return text
    # In this file a non-breaking space after "Â" was replaced by a plain one.
    for candidate in (text, text.replace("Â ", "Â\xa0")):
        try:
            return b"".join(_byte(character) for character in candidate).decode("utf-8")
        except UnicodeError:
            continue
    return text


def _byte(character: str) -> bytes:
    try:
        return character.encode("windows-1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")  # the five codes that Windows-1252 leaves undefined


def _refuse_many(path: Path, malformed: list[tuple[int, str]], lines: int) -> None:
    """Warn about `malformed` lines, (line, problem); raise DataError if they are too many of all `lines`."""
    if not malformed:
        return
    examples = "; ".join(f"line {number}: {problem}" for number, problem in malformed[:3])
    message = f"{path}: {len(malformed)} of {lines} lines are not 'label<TAB>sentence' with label 0 or 1 ({examples})"
    if len(malformed) > MALFORMED_SHARE * lines:
        raise DataError(f"{message}; at most {MALFORMED_SHARE:.0%} are tolerated. Expected: 1<TAB>I love it.")
    logging.getLogger(__name__).warning("%s; dropped", message)


def _findings(rows: _Rows, lines: int) -> dict[str, int]:
    distinct_lines = set(zip(rows.labels, rows.texts, strict=True))
    sentences = Counter(text for _, text in distinct_lines)
    return {
        "lines": lines,
        "distinct_sentences": len(sentences),
        "repeated_lines": len(rows.texts) - len(distinct_lines),
        "sentences_with_both_labels": sum(count > 1 for count in sentences.values()),
        "malformed_lines_dropped": len(rows.malformed),
        "mojibake_lines_repaired": rows.repaired,
    }


DISTINCT, REPEATS = 1_000, 1_200
OPENINGS = ("", "", "", "Well ... ", "oh and ", "I ’ d say ")
THINGS = ("the plot", "the music", "the ending", "The Copper Lantern", "Night Ferry", "the book")
ENDINGS = (".", "!", "...", " .", " \x85")


def synthesize(folder: Path, seed: int) -> None:
    """Write training.txt: 2,201 lines of opinions, 1,000 distinct sentences, one of them with both labels."""
    random = np.random.default_rng(seed)
    drawn: dict[tuple[str, ...], tuple[int, str, int]] = {}  # label, sentence and class, by the words of the sentence
    while len(drawn) < DISTINCT:
        text, positive = opinion(random, THINGS)
        sentence = f"{pick(random, OPENINGS)}{text}{pick(random, ENDINGS)}"
        drawn.setdefault(tuple(words(sentence)), (label(random, positive), sentence, positive))
    lines = list(drawn.values())
    # A few sentences are repeated many times and most hardly at all, as in the real file.
    weights = 1 / np.arange(1, DISTINCT + 1)
    lines += [lines[i] for i in random.choice(DISTINCT, size=REPEATS, p=weights / weights.sum())]
    given, sentence, positive = lines[
        0
    ]  # the most frequent sentence, so that its own label stays the more frequent one
    lines.append((1 - given, sentence, positive))
    lines.sort(reverse=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PUBLISHED).write_bytes("".join(f"{given}\t{text}\n" for given, text, _ in lines).encode("utf-8"))
    optimum.save(folder, probabilities=probabilities([positive for _, _, positive in lines]))
