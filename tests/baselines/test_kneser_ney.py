"""Modified Kneser–Ney against numbers by hand and against plain loops."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from pipeline.baselines.kneser_ney import discounts, kneser_ney_bits

Gram = tuple[int, ...]


def ids(length: int, size: int, seed: int) -> np.ndarray:
    """Symbols that depend on those before them."""
    rng, out = np.random.default_rng(seed), [0, 1]
    for _ in range(length):
        out.append(int((out[-1] + out[-2] * 2 + rng.integers(3)) % size))
    return np.array(out[2:], np.int16)


def test_a_bigram_model_by_hand() -> None:
    """The text abracadabra over the alphabet abcdr and one more symbol, where every discount is one half.

    Different symbols before: a 3 (r, c and d; nothing before the first a), b 1, c 1, d 1, r 1, together 7.
    p_1(b) = (1 - 1/2 + 5/2 · 1/6) / 7 = 11/84; p_1(x) = 5/2 · 1/6 / 7 = 5/84.
    After a, which comes four times with a follower: b twice, c and d once. p(b|a) = (2 - 1/2 + 3/2 · 11/84) / 4.
    """
    before = np.array(["abcdrx".index(c) for c in "abracadabra"], np.int16)
    one, two = list(kneser_ney_bits(before, np.array([1, 5], np.int16), 6))[:2]
    # Of order 1, by occurrences: a 5, b 2, c 1, d 1, r 2 of 11. x follows b, after which only r came.
    assert 2**-one == pytest.approx([(2 - 1 / 2 + 5 / 2 / 6) / 11, 5 / 2 / 6 / 11])
    assert 2**-two == pytest.approx([(3 / 2 + 3 / 2 * 11 / 84) / 4, 1 / 2 * 5 / 84 / 2])


def test_discounts_by_hand() -> None:
    """Of 10 counts of one, 4 of two, 2 of three and 1 of four: Y = 10 / 18."""
    counts = np.repeat([1, 2, 3, 4, 9], [10, 4, 2, 1, 3])
    y = 10 / 18
    assert discounts(counts) == pytest.approx([0, 1 - 2 * y * 4 / 10, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2])


def test_no_discount_is_so_low_that_something_becomes_impossible() -> None:
    """Of 4 counts of one, 1 of two, 4 of three and 9 of four, D(2) and D(3) would be negative."""
    y = 4 / 6
    assert discounts(np.repeat([1, 2, 3, 4], [4, 1, 4, 9])) == pytest.approx([0, *[1 - 2 * y / 4] * 3])


def plain(before: list[int], context: list[int], size: int, order: int) -> list[float]:
    """p of every symbol after `context`, by the definition."""
    p = [1.0 / size] * size
    for k in range(1, order + 1):
        runs = [tuple(before[i : i + k]) for i in range(len(before) - k + 1)]
        counts = Counter(runs)
        if k < order:
            left: dict[Gram, set[int]] = defaultdict(set)
            for i in range(len(before) - k):
                left[tuple(before[i + 1 : i + 1 + k])].add(before[i])
            counts = Counter({run: max(1, len(left[run])) for run in set(runs)})
        n = [sum(c == wanted for c in counts.values()) for wanted in (1, 2, 3, 4)]
        d = [0.0, 0.5, 0.5, 0.5]
        if all(n):
            y = n[0] / (n[0] + 2 * n[1])
            d = [0.0, *(i - (i + 1) * y * n[i] / n[i - 1] for i in (1, 2, 3))]
            d = [0.0, *(min(max(d[i], d[1]), i) for i in (1, 2, 3))]
        head = tuple(context[len(context) - k + 1 :])
        after = {run[-1]: count for run, count in counts.items() if run[:-1] == head}
        if after and len(head) == k - 1:
            freed = sum(d[min(c, 3)] for c in after.values())
            p = [
                (max(after.get(c, 0) - d[min(after.get(c, 0), 3)], 0) + freed * p[c]) / sum(after.values())
                for c in range(size)
            ]
    return p


@pytest.mark.parametrize("order", [1, 2, 3, 6, 12])
def test_it_is_the_plain_definition(order: int) -> None:
    before, following = ids(400, 6, 1), ids(40, 6, 2)
    following[7] = 6  # a symbol that the text before lacks
    bits = list(kneser_ney_bits(before, following, 7))[order - 1]
    for i in range(0, len(following), 3):
        context = [*before.tolist(), *following[:i].tolist()]
        assert 2 ** -bits[i] == pytest.approx(plain(before.tolist(), context, 7, order)[following[i]])


def test_probabilities_of_all_symbols_sum_to_one() -> None:
    before, rng = ids(500, 9, 3), np.random.default_rng(4)
    for _ in range(5):
        context = rng.integers(0, 11, 8).astype(np.int16)  # contexts that were never seen among them
        p = [
            [2 ** -b[-1] for b in kneser_ney_bits(before, np.append(context, [c]).astype(np.int16), 11)]
            for c in range(11)
        ]
        assert np.sum(p, axis=0) == pytest.approx(1.0, abs=1e-12)
        assert np.min(p) > 0


def test_a_longer_context_helps_where_the_text_has_one() -> None:
    cycle = np.tile(np.array([0, 1, 0, 2], np.int16), 100)  # after 0 comes 1 or 2, by what stood before it
    _, short, long, *_ = (bits.mean() for bits in kneser_ney_bits(cycle, cycle[:40], 3))
    assert long < 0.05 < 0.4 < short


def test_a_text_of_one_character() -> None:
    one = np.array([1], np.int16)
    assert all(np.isfinite(bits).all() for bits in kneser_ney_bits(one, np.array([1, 0], np.int16), 3))


def test_the_text_after_a_character_changes_nothing_before_it() -> None:
    before, text = ids(600, 6, 5), ids(100, 6, 6)
    changed = np.append(text[:60], text[:59:-1])
    for bits, other in zip(kneser_ney_bits(before, text, 7), kneser_ney_bits(before, changed, 7), strict=True):
        np.testing.assert_array_equal(bits[:60], other[:60])
