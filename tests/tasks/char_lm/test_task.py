"""Character language models: the split, the figures, and the baselines."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.baselines.kneser_ney import kneser_ney_bits
from pipeline.config.schema.datasets import CharLmData
from pipeline.encoding.dropped import Dropped
from pipeline.encoding.records import Encoded, TextCorpus
from pipeline.encoding.text_cleaning import prepare
from pipeline.encoding.vocabulary import UNKNOWN, as_symbols
from pipeline.errors import DataError
from pipeline.tasks.char_lm.baselines import baselines
from pipeline.tasks.char_lm.prepare import encode
from pipeline.tasks.char_lm.score import losses, score


def row(**changes: object) -> CharLmData:
    return CharLmData.model_validate({"source": "book", "task": "char_lm", **changes})


def text(length: int, alphabet: str = "ab c", seed: int = 0) -> str:
    return "".join(np.random.default_rng(seed).choice(list(alphabet), length))


def ids(length: int, size: int, seed: int) -> np.ndarray:
    """Symbols that depend on those before them."""
    rng = np.random.default_rng(seed)
    out = [0, 1]
    for _ in range(length):
        out.append(int((out[-1] + out[-2] * 2 + rng.integers(3)) % size))
    return np.array(out[2:], np.int16)


def test_bits_are_the_mean_over_the_characters() -> None:
    encoded = encode(TextCorpus(text(2_000)), row(), 0)
    bits = np.linspace(0, 4, len(encoded.arrays["test"]))
    assert score(encoded, "test", bits) == {"bits_per_char": pytest.approx(2.0)}
    np.testing.assert_array_equal(losses(encoded, bits), bits)


def test_the_split_is_contiguous_and_nothing_is_lost() -> None:
    content = text(3_000, "abcdefgh")
    encoded = encode(TextCorpus(content), row(validation=0.2, test=0.1), 0)
    symbols = encoded.encoder["symbols"]
    parts = ["".join(symbols[i] for i in encoded.arrays[split]) for split in ("train", "validation", "test")]
    assert "".join(parts) == content
    assert [len(part) for part in parts] == [2_100, 600, 300]
    assert dict(encoded.examples) == {"train": 2_100, "validation": 600, "test": 300}


def test_symbols_come_from_the_training_part_alone() -> None:
    encoded = encode(TextCorpus("ab" * 900 + "zz" * 100), row(), 0)
    symbols = encoded.encoder["symbols"]
    assert "z" not in symbols
    assert set(encoded.arrays["test"]) == {symbols.index(UNKNOWN)}
    assert encoded.summary["unknown_in_test"] == 200


def test_how_a_text_is_prepared() -> None:
    options = {"lowercase": True, "ascii_only": True, "line_ends": "space"}
    assert prepare(" Süß?\n\n  “No” \n", options) == "s? no"
    kept = {"lowercase": False, "ascii_only": False, "line_ends": "keep"}
    assert prepare(" Süß?\n\n  “No” \n", kept) == " Süß?\n\n  “No” \n"


def test_a_text_that_is_too_short_is_refused() -> None:
    with pytest.raises(DataError, match=r"book: 999 usable characters; at least 1000 are needed$"):
        encode(TextCorpus("a" * 999), row(), 0)
    with pytest.raises(DataError, match="ascii_only: false keeps"):
        encode(TextCorpus("ä" * 2_000), row(ascii_only=True), 0)


RUSSIAN = "Все счастливые семьи похожи друг на друга, а каждая несчастливая несчастлива по-своему.\n"


def own(text: str, limit: float = 0.01) -> TextCorpus:
    return TextCorpus(text, {"characters": len(text)}, dropped=Dropped(Path("my/book.txt"), limit, "characters"))


def test_by_default_no_letter_is_left_out() -> None:
    encoded = encode(own(RUSSIAN * 50), row(), 0)
    assert {*RUSSIAN.lower()} - {"\n"} == {*encoded.encoder["symbols"]} - {"<pad>", "<unk>"}
    assert encoded.summary["findings"]["characters_beyond_ascii_left_out"] == 0


@pytest.mark.fault("left-out-letters")
def test_what_ascii_only_leaves_out_of_an_own_text_is_counted_and_limited() -> None:
    text = ("a straight line of ordinary words. " * 10 + "né\n") * 30
    assert encode(own(text), row(ascii_only=True), 0).summary["findings"]["characters_beyond_ascii_left_out"] == 30
    with pytest.raises(
        DataError, match=r"30 of 10,590 characters would be dropped .*line 1: 'é'; line 2: 'é'.*27 more"
    ):
        encode(own(text, 0.002), row(ascii_only=True), 0)
    with pytest.raises(DataError, match="ascii_only: false` in the row of `datasets`"):
        encode(own(RUSSIAN * 50 + "x" * 2_000), row(ascii_only=True), 0)


@pytest.mark.fault("end-unlike-the-rest")
def test_a_test_part_that_is_unlike_the_rest_is_warned_of() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 4)) for _ in range(100)]
    text = " ".join(rng.choice(words, 5_000))
    licence = "".join(rng.choice(list("abcdefgh"), 1_000))
    assert "warnings" not in encode(own(text), row(), 0).summary
    assert "warnings" not in encode(TextCorpus(text + licence), row(), 0).summary, "published texts are known"
    (warning,) = encode(own(text + licence), row(), 0).summary["warnings"]
    assert "unlike the rest" in warning and "cut it off" in warning


def test_symbols_are_what_a_reader_takes_for_characters() -> None:
    text = "हिन्दी में जीत 👍🏽 cafe\u0301 " * 100
    encoded = encode(own(text), row(), 0)
    symbols = encoded.encoder["symbols"]
    assert {"हि", "न्दी", "में", "जी", "👍🏽", "é", " "} <= {*symbols} and "ि" not in symbols and "\u0301" not in symbols
    assert len(encoded.arrays["train"]) == round(0.8 * 1499)


def test_served_text_is_split_into_the_same_symbols() -> None:
    assert as_symbols("हिन्दी", ["<pad>", "<unk>", "हि", "न्दी"]) == ["हि", "न्दी"]
    assert as_symbols("हिन्दी", ["<pad>", "<unk>", "a"]) == "हिन्दी"


def encoded_from(train: np.ndarray, validation: np.ndarray, test: np.ndarray, size: int) -> Encoded:
    arrays = {"train": train, "validation": validation, "test": test}
    return Encoded(arrays, {"symbols": [str(i) for i in range(size)]}, {}, {})


def test_orders_are_chosen_on_validation_without_the_test() -> None:
    train, validation, test = ids(2_000, 5, 5), ids(200, 5, 6), ids(200, 5, 7)
    found = baselines(encoded_from(train, validation, test, 7))
    shuffled = np.random.default_rng(8).permutation(test)
    (name,) = (name for name in found if name.endswith("-gram"))
    assert name in baselines(encoded_from(train, validation, shuffled, 7))
    order = int(name.partition("-")[0])
    assert order == 1 + int(np.argmin([bits.mean() for bits in kneser_ney_bits(train, validation, 7)]))
    expected = list(kneser_ney_bits(np.concatenate([train, validation]), test, 7))[order - 1]
    np.testing.assert_array_equal(found[name].predictions[0], expected)
    assert found[name].metrics["bits_per_char"] == pytest.approx(expected.mean())


def test_compressors_pay_for_the_test_alone_and_do_not_compete() -> None:
    part = np.random.default_rng(9).integers(0, 250, 3_000).astype(np.int16)
    found = baselines(encoded_from(part[:2_400], part[2_400:2_700], part[2_700:], 250))
    for name in ("bz2", "xz"):
        assert 7.5 < found[name].metrics["bits_per_char"] < 9.5, "random bytes cannot be compressed"
        assert not found[name].predictions and "bits_per_char_adaptive" not in found[name].metrics
    assert all(len(found[name].predictions[0]) == 300 for name in found if name not in ("bz2", "xz"))


def test_adaptive_reading_learns_from_the_test_and_static_reading_does_not() -> None:
    """The test text has words of its own."""
    rng = np.random.default_rng(1)
    before, test = (rng.integers(0, 9, (30, 5))[rng.integers(0, 30, n)].reshape(-1).astype(np.int16) for n in (600, 99))
    found = baselines(encoded_from(before[:2_500], before[2_500:], test, 11))
    for baseline in (baseline for baseline in found.values() if baseline.predictions):
        static = baseline.metrics["bits_per_char"]
        assert static == pytest.approx(baseline.predictions[0].mean())
        assert baseline.metrics["bits_per_char_adaptive"] < static - 0.5


def test_the_adaptive_n_gram_scores_a_piece_before_it_counts_it() -> None:
    train, validation, test = ids(1_000, 5, 5), ids(200, 5, 6), ids(320, 5, 7)
    found = baselines(encoded_from(train, validation, test, 7))
    (name,) = (name for name in found if name.endswith("-gram"))
    whole, order = np.concatenate([train, validation, test]), int(name.partition("-")[0])
    by_hand = [list(kneser_ney_bits(whole[:i], whole[i : i + 10], 7))[order - 1] for i in range(1_200, 1_520, 10)]
    assert found[name].metrics["bits_per_char_adaptive"] == pytest.approx(np.concatenate(by_hand).mean())


def test_an_alphabet_of_thousands_of_symbols() -> None:
    many = np.arange(6_000, dtype=np.int16) % 3_000
    found = baselines(encoded_from(many[:4_500], many[4_500:5_000], many[5_000:], 3_000))
    assert found["PPMd"].metrics["bits_per_char"] < 8 < np.log2(3_000)
    assert all(np.isfinite(b.metrics["bits_per_char"]) for b in found.values())
