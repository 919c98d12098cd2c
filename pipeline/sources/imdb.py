"""Read IMDb reviews: 50,000 reviews of films, half for training and half for testing, as many positive as negative.

From A. Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011. No explicit licence; for research, cite
that paper. Each review is a file named <id>_<rating>.txt: negative up to 4 of 10 points, positive from 7. Line <id> of
urls_pos.txt or urls_neg.txt, counted from 0, is the address of its film. A film has at most 30 reviews in each half;
every film but one (tt0406816) occurs in one half only. UTF-8 with HTML (<br />). Two forms with the same layout:

aclImdb_v1_labelled.tar.bz2   repacked without the 50,000 unlabelled reviews and without the word counts
aclImdb_v1.tar.gz             as published; the unlabelled reviews and the word counts are skipped

    aclImdb/train/pos/0_9.txt   Bromwell High is a cartoon comedy. It ran at the same time as some other programs …
"""

import bz2
import io
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import LabelledTexts
from pipeline.errors import DataError
from pipeline.sources.archive import stream_tar
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.synthesis import optimum
from pipeline.synthesis.opinion_grammar import label, pick, probabilities, verdict

GENERATED = False
REPACKED = "aclImdb_v1_labelled.tar.bz2"
PUBLISHED = "aclImdb_v1.tar.gz"
LABELS = ("negative", "positive")
FOLDERS = ("neg", "pos")
PARTS = ("train", "test")
MEMBER_LIMIT = 1_000_000
REVIEW = re.compile(r"aclImdb/(train|test)/(neg|pos)/(\d{1,6})_(\d{1,2})\.txt")
URLS = re.compile(r"aclImdb/(train|test)/urls_(neg|pos)\.txt")

CARD = Card(
    title="IMDb reviews",
    about="50,000 reviews of films, 25,000 for training and 25,000 for testing, positive or negative.",
    homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
    licence="No explicit licence; for research, cite Maas et al. 2011",
    example="aclImdb/train/pos/0_9.txt: one review, UTF-8 with <br />",
    forms=(
        (
            RawFile(
                REPACKED,
                sha256="a6148f69477d51c1ba4d4be3780acbb8989092e580af55a3dd8508411278dd65",
                size=20_206_978,
                url=None,
                magic=b"BZh",
            ),
        ),
        (
            RawFile(
                PUBLISHED,
                sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
                size=84_125_825,
                url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                magic=b"\x1f\x8b",
            ),
        ),
    ),
)

Key = tuple[str, str, int]  # part, folder and id of a review


@dataclass
class _Members:
    reviews: dict[Key, str] = field(default_factory=dict)
    urls: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def read(folder: Path) -> LabelledTexts:
    """Read the reviews, sorted by part (train first), class and id; the groups are the films."""
    path = find_file(folder, (REPACKED, PUBLISHED))
    members = _Members()
    for name, content in stream_tar(path, MEMBER_LIMIT, wanted=_is_read):
        _add(path, members, name, content)
    keys = sorted(members.reviews, key=lambda key: (PARTS.index(key[0]), FOLDERS.index(key[1]), key[2]))
    _refuse_gaps(path, keys)
    texts = tuple(members.reviews[key] for key in keys)
    labels = np.array([FOLDERS.index(kind) for _, kind, _ in keys], np.int32)
    is_test = np.array([part == "test" for part, _, _ in keys], np.bool_)
    films = _films(keys, members.urls)
    best = optimum.load(folder, probabilities=len(labels)).get("probabilities")
    return LabelledTexts(texts, labels, LABELS, _findings(texts, is_test, films), is_test, films, best)


def _is_read(name: str) -> bool:
    return bool(REVIEW.fullmatch(name) or URLS.fullmatch(name))


def _add(path: Path, members: _Members, name: str, content: bytes) -> None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise DataError(f"{path}: {name}: byte {byte:#04x} at offset {error.start:,} is not UTF-8") from None
    if match := REVIEW.fullmatch(name):
        part, kind, number, rating = match.groups()
        if not (7 <= int(rating) <= 10 if kind == "pos" else 1 <= int(rating) <= 4):
            raise DataError(f"{path}: {name}: rating {rating} in the folder {kind}; expected 1–4 in neg, 7–10 in pos")
        key = (part, kind, int(number))
        if key in members.reviews:
            raise DataError(f"{path}: {name}: a second review with the id {number} in {part}/{kind}")
        members.reviews[key] = text
    elif match := URLS.fullmatch(name):
        members.urls[match[1], match[2]] = text.split("\n")


def _refuse_gaps(path: Path, keys: Sequence[Key]) -> None:
    """Raise DataError if an id is missing in a folder: the published archive is complete."""
    for part, kind in product(PARTS, FOLDERS):
        ids = {number for *folder, number in keys if folder == [part, kind]}
        missing = next(number for number in range(len(ids) + 1) if number not in ids)
        if not ids or missing < len(ids):
            raise DataError(
                f"{path}: {len(ids):,} reviews in aclImdb/{part}/{kind}, but none with the id {missing}; "
                f"expected e.g. aclImdb/{part}/{kind}/{missing}_{9 if kind == 'pos' else 2}.txt"
            )


def _films(keys: Sequence[Key], urls: dict[tuple[str, str], list[str]]) -> NDArray[np.int32]:
    """Number the film of each review, int32 [reviews]; a review without an address gets a film of its own."""
    numbers: dict[str | int, int] = {}
    films = np.empty(len(keys), np.int32)
    for i, (part, kind, number) in enumerate(keys):
        lines = urls.get((part, kind), [])
        url = lines[number].strip() if number < len(lines) else ""
        films[i] = numbers.setdefault(_address(url) or i, len(numbers))
    return films


def _address(url: str) -> str:
    """Shorten http://www.imdb.com/title/tt0406816/usercomments to tt0406816; return other addresses unchanged."""
    match = re.search(r"/title/(tt\d+)", url)
    return match[1] if match else url


def _findings(texts: Sequence[str], is_test: NDArray[np.bool_], films: NDArray[np.int32]) -> dict[str, int]:
    """Count reviews, films and repeats. exact_repeats: texts minus distinct texts, in total and in each half."""
    halves = [[text for text, t in zip(texts, is_test, strict=True) if t == half] for half in (False, True)]
    train, test = map(set, halves)
    return {
        "reviews": len(texts),
        "exact_repeats": len(texts) - len(train | test),
        "exact_repeats_in_train": len(halves[0]) - len(train),
        "exact_repeats_in_test": len(halves[1]) - len(test),
        "texts_in_train_and_test": len(train & test),
        "films": len(np.unique(films)),
        "films_in_train_and_test": len(np.intersect1d(films[is_test], films[~is_test])),
    }


EACH, FILMS, IN_BOTH = 500, 120, 3
AGREEING = 0.55  # share of the earlier verdicts, and of the emoticons, that agree with the last verdict
OPENINGS = ("I saw this with my sister.", "What can I say?", "A friend lent me the tape.", "Well, where to begin…")
SUBJECTS = ("The plot", "The music", "The leading man", "The ending", "The camera work")
FILLERS = ("It's two hours long.", "The story begins in a harbour town.", "They shot it in winter, I think.",
           "The cast is the one of the first part.", "There are subtitles &amp; a trailer.")  # fmt: skip
FACES = ((":(", ":-/"), (":)", ";-)"))

Review = tuple[str, int]  # its text, and its class by the rule


def synthesize(folder: Path, seed: int) -> None:
    """Write aclImdb_v1_labelled.tar.bz2: 4 × 500 reviews of 30 to 120 words with mixed verdicts, 120 films per half.

    The last verdict of a review decides its class; see opinion_grammar for the labels. Five texts occur in both halves,
    and two occur twice in each half.
    """
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    halves = {part: _half(random) for part in PARTS}
    for kind, (train, test) in enumerate(zip(halves["train"], halves["test"], strict=True)):
        train[1 : 1 + IN_BOTH - kind] = test[EACH // 2 : EACH // 2 + IN_BOTH - kind]
    with bz2.open(folder / REPACKED, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for part, kind in product(reversed(PARTS), range(len(FOLDERS))):
            _put_reviews(archive, part, kind, halves[part][kind], random)
    classes = [positive for part in PARTS for reviews in halves[part] for _, positive in reviews]  # in read's order
    optimum.save(folder, probabilities=probabilities(classes))


def _half(random: np.random.Generator) -> tuple[list[Review], list[Review]]:
    """Draw EACH reviews with the label negative, and EACH positive ones. The last of each repeats the first."""
    half: tuple[list[Review], list[Review]] = ([], [])
    while min(map(len, half)) < EACH - 1:
        positive = int(random.integers(2))
        half[label(random, positive)].append((_review(random, positive), positive))
    for reviews in half:
        reviews[EACH - 1 :] = reviews[:1]
    return half


def _review(random: np.random.Generator, positive: int) -> str:
    """Write a review of a class: sentences, line breaks, the verdict that decides, some more sentences, an emoticon."""
    length = min(88, 24 + random.exponential(20))
    sentences = [pick(random, OPENINGS)]
    while len(" ".join(sentences).split()) < length:
        told = verdict(random, SUBJECTS, _agreeing(random, positive)) + "."
        sentences.append(told if random.random() < 0.5 else pick(random, FILLERS))
        if random.random() < 0.15:
            sentences[-1] += "<br /><br />"
    sentences.append(verdict(random, SUBJECTS, positive) + ".")
    sentences += [pick(random, FILLERS) for _ in range(int(random.integers(3)))]
    face = f" {pick(random, FACES[_agreeing(random, positive)])}" if random.random() < 0.2 else ""
    return " ".join(sentences) + face


def _agreeing(random: np.random.Generator, positive: int) -> int:
    """Draw a class that agrees with this one with probability AGREEING."""
    return positive if random.random() < AGREEING else 1 - positive


def _put_reviews(
    archive: tarfile.TarFile, part: str, kind: int, reviews: Sequence[Review], random: np.random.Generator
) -> None:
    """Write the reviews of a folder with their ratings, and the addresses of their films."""
    for number, (text, _) in enumerate(reviews):
        rating = int(random.integers(7, 11) if kind else random.integers(1, 5))
        _put(archive, f"aclImdb/{part}/{FOLDERS[kind]}/{number}_{rating}.txt", text)
    films = np.sort(random.integers(FILMS, size=EACH)) + 1000 * PARTS.index(part)
    urls = [f"http://www.imdb.com/title/tt{film:07d}/usercomments\n" for film in films]
    _put(archive, f"aclImdb/{part}/urls_{FOLDERS[kind]}.txt", "".join(urls))


def _put(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
