"""Bits of PPMd against the length of its compressed text."""

import numpy as np
import pyppmd
import pytest

from pipeline.baselines import ppm

LETTERS = np.random.default_rng(0).permutation(np.repeat(np.arange(20), np.arange(1, 21) ** 2))
WORDS = np.random.default_rng(1).choice(LETTERS, (60, 5))


def text(words: int, seed: int) -> np.ndarray:
    """Words of five letters, in random order."""
    return WORDS[np.random.default_rng(seed).integers(0, 60, words)].reshape(-1).astype(np.int16)


def length(ids: np.ndarray, order: int) -> int:
    """Bits of the compressed text, in whole bytes."""
    encoder = pyppmd.Ppmd7Encoder(order, 2**24)
    return 8 * len(encoder.encode(ids.astype(np.uint8).tobytes()) + encoder.flush())


@pytest.mark.parametrize("order", [2, 5])
def test_a_block_costs_what_it_adds_to_the_compressed_text_without_the_rounding(order: int) -> None:
    before, after = text(1_000, 2), text(61, 3)
    bits = ppm.bits_of_blocks(before, after, 22, order)
    assert bits.shape == (305,) and [len(np.unique(bits[i : i + 100])) for i in (0, 100, 200, 300)] == [1, 1, 1, 1]
    whole, off = np.concatenate([before, after]), []
    for start in range(0, 300, 100):
        # Each block from the state after `before`, with 50 characters of context.
        context = whole[4_950 + start : 5_000 + start]
        read = np.concatenate([before, context, after[start : start + 100]])
        off.append(bits[start : start + 100].sum() - length(read, order) + length(read[:-100], order))
    assert np.abs(off).max() < 8


def test_blocks_add_up_to_the_length_of_the_whole_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the context of a block is all that is before it."""
    before, after = text(400, 2), text(61, 3)
    monkeypatch.setattr(ppm, "CONTEXT", 400)
    bits = ppm.bits_of_blocks(before[:-400], np.concatenate([before[-400:], after]), 22, 4)[400:]
    assert bits.sum() == pytest.approx(length(np.concatenate([before, after]), 4) - length(before, 4), abs=8)


def test_the_probabilities_of_all_symbols_sum_to_one_but_for_what_bytes_without_a_symbol_get() -> None:
    before = text(300, 2)
    after_none, *after_one = ppm._widths(ppm._bytes(before, 22), [b"", *(bytes([c]) for c in range(22))], 4)
    assert 0.94 < np.sum(2 ** (np.array(after_one) - after_none)) < 1.0


def test_the_text_after_a_block_changes_nothing_before_it() -> None:
    before, after = text(300, 2), text(60, 3)
    changed = np.append(after[:200], after[:199:-1])
    bits, others = (ppm.bits_of_blocks(before, x, 22, 4) for x in (after, changed))
    np.testing.assert_array_equal(bits[:200], others[:200])
    assert bits[200] != others[200]


def test_adaptive_bits_are_those_of_the_whole_text() -> None:
    before, after = text(1_000, 2), text(400, 3)
    assert ppm.added_bits(before, after, 22, 4) == length(np.concatenate([before, after]), 4) - length(before, 4)


def test_large_alphabets_pay_for_a_character_not_for_its_bytes() -> None:
    before, after = text(400, 2), text(60, 3)
    few, many = (ppm.bits_of_blocks(before, after, size, 4).sum() for size in (22, 3_000))
    scattered = ppm.bits_of_blocks(before * 140, after * 140, 3_000, 4).sum()
    assert few < many < 1.3 * few and few < scattered < 2 * few


def test_the_order_is_chosen_on_validation() -> None:
    """Words of five letters need an order that holds one."""
    assert ppm.best_order(text(2_000, 2), text(300, 3), 22) >= 4
    noise = np.random.default_rng(4).integers(0, 20, 3_000).astype(np.int16)
    assert ppm.best_order(noise[:2_700], noise[2_700:], 22) == ppm.ORDERS[0]
