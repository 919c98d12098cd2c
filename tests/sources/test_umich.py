"""umich: both forms, repeats, and malformed lines below and above the tolerated share."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema.datasets import SentimentData
from pipeline.encoding.records import LabelledTexts, unpack
from pipeline.errors import DataError
from pipeline.sources import umich
from pipeline.tasks.sentiment.prepare import encode
from pipeline.tasks.sentiment.score import optimum, score
from tests.synthesis.test_opinion_grammar import class_of

GOOD = b"1\tI love it.\n0\tI hate it.\n" * 200  # 400 lines


def _write(folder: Path, content: bytes, name: str = "training.txt") -> Path:
    (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> LabelledTexts:
    folder = tmp_path_factory.mktemp("umich")
    umich.synthesize(folder, 42)
    return umich.read(folder)


def test_the_synthetic_file_has_repeats_one_conflict_and_other_line_separators(synthetic: LabelledTexts) -> None:
    assert len(synthetic.texts) == synthetic.findings["lines"] == 2201
    assert synthetic.findings["distinct_sentences"] == 1000
    assert synthetic.findings["sentences_with_both_labels"] == 1
    assert Counter(synthetic.texts).most_common(1)[0][1] > 30
    assert any("\x85" in text for text in synthetic.texts)
    assert any("’" in text for text in synthetic.texts)
    assert synthetic.label_names == ("negative", "positive")


def test_each_line_has_the_probability_that_the_rule_gives(synthetic: LabelledTexts) -> None:
    assert synthetic.optimum is not None
    assert synthetic.optimum.argmax(axis=1).tolist() == [class_of(text) for text in synthetic.texts]
    assert np.unique(synthetic.optimum).tolist() == pytest.approx([0.05, 0.95])


def test_the_best_possible_classifier_is_right_as_often_as_it_expects(synthetic: LabelledTexts) -> None:
    """After repeats are folded, in every fold, and for each text that is left."""
    encoded = encode(synthetic, SentimentData(source="umich", task="sentiment", folds=5), 1)
    assert len(encoded.arrays["labels"]) == 1000
    texts = unpack(encoded.arrays, np.arange(1000))
    assert encoded.arrays["optimum"].argmax(axis=1).tolist() == [class_of(text) for text in texts]
    best = [optimum(encoded, fold) for fold in range(5)]
    right = [score(encoded, "test", p, fold)["accuracy"] for fold, p in enumerate(best) if p is not None]
    assert len(right) == 5
    assert abs(np.mean(right) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 1000)


def test_an_optimum_of_other_lines_is_refused(tmp_path: Path) -> None:
    umich.synthesize(tmp_path, 1)
    path = tmp_path / "training.txt"
    path.write_bytes(path.read_bytes() + b"1\tone more\n")
    with pytest.raises(DataError, match=r"optimum.npz: probabilities of 2,201 rows, the data have 2,202; run the down"):
        umich.read(tmp_path)


def test_separators_inside_a_sentence_do_not_cut_it(tmp_path: Path) -> None:
    odd = "one\x85two\u2028three\x0bfour\x1cfive\rsix"
    record = umich.read(_write(tmp_path, GOOD + f"1\t{odd}\r\n0\tlast, without a line end".encode()))
    assert record.texts[-2:] == (odd, "last, without a line end")
    assert record.labels[-2:].tolist() == [1, 0]


def test_a_few_malformed_lines_are_dropped_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = b"no tab here\n2\tneither\n1\tcaf\xe9\n1\ta\tb\n"
    with caplog.at_level(logging.WARNING):
        record = umich.read(_write(tmp_path, bad + GOOD))
    assert len(record.texts) == 400
    assert record.findings["malformed_lines_dropped"] == 4
    assert "4 of 404 lines" in caplog.text
    assert "(line 1: no tab; line 2: label '2'; line 3: byte 0xe9 is not UTF-8); dropped" in caplog.text


def test_many_malformed_lines_are_refused_with_the_first_three(tmp_path: Path) -> None:
    bad = b"no tab\n\n1\t \n1\ta\tb\n2\tx\n"
    with pytest.raises(DataError) as caught:
        umich.read(_write(tmp_path, GOOD + bad))
    message = str(caught.value)
    assert "training.txt: 5 of 405 lines" in message
    assert "line 401: no tab; line 402: no tab; line 403: no sentence)" in message
    assert "at most 1% are tolerated. Expected: 1<TAB>I love it." in message


def test_twice_encoded_lines_are_mended_in_that_form_only(tmp_path: Path) -> None:
    sentences = ["it ’ s “ great ”", "caf\xe9", "\xa0 two", "plain", "a \ufffd b"]
    twice = [s.encode().decode("windows-1252", "replace") if s == "caf\xe9" else _twice(s) for s in sentences]
    content = "".join(f"1\t{s}\n" for s in twice).encode()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    mended = umich.read(_write(tmp_path / "a", content, "umich-sentiment-train.txt"))
    assert mended.texts == tuple(sentences)
    assert mended.findings["mojibake_lines_repaired"] == 4
    assert umich.read(_write(tmp_path / "b", content)).texts == tuple(twice)


def _twice(sentence: str) -> str:
    """Read UTF-8 as Windows-1252; keep undefined codes, make a non-breaking space a plain one, as in the real file."""
    parts = [bytes([byte]) for byte in sentence.encode()]
    decoded = "".join(p.decode("latin-1") if p in (b"\x9d", b"\x81") else p.decode("windows-1252") for p in parts)
    return decoded.replace("Â\xa0", "Â ")


@pytest.mark.parametrize("text", ["plain", "it ’ s", "Ã © lie", "£ 5", "日本"])
def test_correct_text_is_not_mended(text: str) -> None:
    assert umich.mend(text) == text


def test_the_published_form_goes_before_the_other(tmp_path: Path) -> None:
    _write(tmp_path, b"0\tpublished\n")
    _write(tmp_path, b"1\tother\n", "umich-sentiment-train.txt")
    assert umich.read(tmp_path).texts == ("published",)
