"""imdb: both forms of one layout, order, films, repeats, incomplete archives."""

import io
import re
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema.datasets import SentimentData
from pipeline.encoding.records import LabelledTexts, unpack
from pipeline.errors import DataError
from pipeline.sources import imdb
from pipeline.tasks.sentiment.prepare import encode
from pipeline.tasks.sentiment.score import optimum, score
from tests.synthesis.test_opinion_grammar import PLAIN, class_of

FILM = "http://www.imdb.com/title/tt{:07d}/usercomments"
REVIEWS = {
    "train/pos/0_9.txt": "Great.<br /><br />Really :)",
    "train/pos/10_8.txt": "Good, ten.",
    **{f"train/pos/{i}_7.txt": f"Good, {i}." for i in range(1, 10)},
    "train/neg/0_1.txt": "Bad.",
    "train/neg/1_4.txt": "Bad.",
    "test/pos/0_10.txt": "Très bon &amp; more",
    "test/neg/0_2.txt": "Bad.",
}


def write(folder: Path, members: dict[str, str | bytes], name: str = imdb.REPACKED, root: str = "aclImdb/") -> Path:
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / name, "w:bz2" if name == imdb.REPACKED else "w:gz") as archive:
        for path, text in members.items():
            content = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(root + path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return folder


def urls(*films: int) -> str:
    return "".join(FILM.format(film) + "\n" for film in films)


def test_both_forms_give_the_same_record_whatever_their_order(tmp_path: Path) -> None:
    lists = {"train/urls_pos.txt": urls(*range(11)), "train/urls_neg.txt": urls(3, 3), "test/urls_pos.txt": urls(5)}
    unread: dict[str, str | bytes] = {
        "README": "x" * 2_000_000,  # more than the limit of a review
        "train/unsup/0_0.txt": b"\xff not text",
        "train/urls_unsup.txt": urls(8, 9),
        "train/labeledBow.feat": "9 0:9 1:1",
    }
    repacked = imdb.read(write(tmp_path / "a", {**lists, **REVIEWS}))
    published = imdb.read(write(tmp_path / "b", {**unread, **dict(reversed(REVIEWS.items())), **lists}, imdb.PUBLISHED))
    assert repacked.texts == published.texts
    assert repacked.texts[:2] == ("Bad.", "Bad.")
    assert repacked.texts[2] == "Great.<br /><br />Really :)", "HTML stays"
    assert repacked.texts[-3:] == ("Good, ten.", "Bad.", "Très bon &amp; more"), "by id, not by its spelling"
    for record in (repacked, published):
        assert record.labels.tolist() == [0, 0, *[1] * 11, 0, 1]
        assert record.is_test is not None
        assert record.is_test.tolist() == [False] * 13 + [True] * 2
        assert record.label_names == ("negative", "positive")
        assert record.findings == repacked.findings


def test_films_are_those_of_the_lists(tmp_path: Path) -> None:
    lists = {"train/urls_pos.txt": urls(*range(11)), "train/urls_neg.txt": urls(3, 3), "test/urls_pos.txt": urls(5)}
    record = imdb.read(write(tmp_path, {**REVIEWS, **lists}))
    assert record.groups is not None
    neg0, neg1, *pos, test_neg, test_pos = record.groups.tolist()
    assert neg0 == neg1 == pos[3], "one film, liked and disliked"
    assert len(set(pos)) == 11
    assert test_pos == pos[5]
    assert Counter(record.groups.tolist())[test_neg] == 1, "a review without a list is the only one of its film"
    assert record.findings["films"] == 12
    assert record.findings["films_in_train_and_test"] == 1


def test_without_lists_each_review_is_a_film(tmp_path: Path) -> None:
    record = imdb.read(write(tmp_path, REVIEWS))
    assert record.groups is not None
    assert sorted(record.groups.tolist()) == list(range(15))


def test_repeats_are_counted_in_each_half_and_across(tmp_path: Path) -> None:
    record = imdb.read(write(tmp_path, REVIEWS))
    expected = {"reviews": 15, "exact_repeats": 2, "exact_repeats_in_train": 1, "exact_repeats_in_test": 0}
    assert record.findings.items() >= {**expected, "texts_in_train_and_test": 1}.items()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train/pos/0_9.txt": None}, r"10 reviews in aclImdb/train/pos, but none with the id 0; .*train/pos/0_9.txt"),
        ({"train/pos/4_7.txt": None}, "none with the id 4"),
        ({"test/neg/0_2.txt": None}, "0 reviews in aclImdb/test/neg, but none with the id 0"),
        ({"test/neg/0_3.txt": "twice"}, "test/neg/0_[23].txt: a second review with the id 0 in test/neg"),
        ({"test/neg/1_5.txt": "neither"}, "test/neg/1_5.txt: rating 5 in the folder neg; expected 1–4 in neg, 7–10"),
        ({"test/pos/1_11.txt": "more"}, "rating 11 in the folder pos"),
        ({"test/neg/1_1.txt": b"caf\xe9"}, "aclImdb/test/neg/1_1.txt: byte 0xe9 at offset 3 is not UTF-8"),
        ({"test/neg/1_1.txt": "x" * 1_000_001}, "declares 1,000,001 bytes"),
    ],
)
def test_other_archives_are_refused(changes: dict[str, str | bytes | None], message: str, tmp_path: Path) -> None:
    members = {name: text for name, text in {**REVIEWS, **changes}.items() if text is not None}
    with pytest.raises(DataError, match=message):
        imdb.read(write(tmp_path, members))


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 reviews in aclImdb/train/neg"):
        imdb.read(write(tmp_path, REVIEWS, root="reviews/"))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> LabelledTexts:
    folder = tmp_path_factory.mktemp("imdb")
    imdb.synthesize(folder, 42)
    return imdb.read(folder)


def test_the_synthetic_file_looks_like_the_real_reviews(synthetic: LabelledTexts) -> None:
    record = synthetic
    assert record.is_test is not None
    assert record.groups is not None
    assert record.labels[record.is_test].sum() == record.labels[~record.is_test].sum() == 500
    assert len(record.texts) == 2000
    lengths = [len(text.split()) for text in record.texts]
    assert min(lengths) >= 30
    assert 90 < max(lengths) <= 120
    for mark in ("<br />", ":)", ":(", "&amp;", "'"):
        assert any(mark in text for text in record.texts)
    found = record.findings
    assert found["texts_in_train_and_test"] == 5
    assert found["exact_repeats_in_train"] == found["exact_repeats_in_test"] == 2
    assert 200 < found["films"] <= 240
    assert found["films_in_train_and_test"] == 0
    assert 5 < Counter(record.groups.tolist()).most_common(1)[0][1] <= 30


def last_verdict(review: str) -> int:
    """1 for positive: the class of the last sentence with a verdict."""
    sentences = [s for s in re.split(r"[.?…]", review) if any(phrase in s for phrase in PLAIN)]
    return class_of(sentences[-1].replace("<br />", " "))


def test_the_last_verdict_decides(synthetic: LabelledTexts) -> None:
    assert synthetic.optimum is not None
    assert synthetic.optimum.argmax(axis=1).tolist() == [last_verdict(text) for text in synthetic.texts]
    for label in (0, 1):
        right = np.mean(synthetic.optimum.argmax(axis=1)[synthetic.labels == label] == label)
        assert abs(right - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 1000)


def test_repeats_have_one_label_and_one_probability(synthetic: LabelledTexts) -> None:
    assert synthetic.optimum is not None
    seen: dict[str, tuple[int, float]] = {}
    for text, label, p in zip(synthetic.texts, synthetic.labels.tolist(), synthetic.optimum[:, 1], strict=True):
        assert seen.setdefault(text, (label, float(p))) == (label, float(p))


def test_the_optimum_stays_with_its_review_through_the_preparation(synthetic: LabelledTexts) -> None:
    encoded = encode(synthetic, SentimentData(source="imdb", task="sentiment"), 3)
    texts = unpack(encoded.arrays, np.arange(len(encoded.arrays["labels"])))
    assert len(texts) == 2000 - 2 - 5, "the published test part keeps its repeats"
    assert encoded.arrays["optimum"].argmax(axis=1).tolist() == [last_verdict(text) for text in texts]
    best = optimum(encoded)
    assert best is not None
    assert len(best) == 1000
    assert abs(score(encoded, "test", best)["accuracy"] - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 1000)
