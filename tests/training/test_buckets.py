"""Batches of similar length by hand: which sequences are together, and what stands after each."""

import numpy as np

from pipeline.training.buckets import batches, drop_rare, pad


def test_without_a_generator_batches_are_in_the_order_of_the_lengths() -> None:
    found = batches(np.array([5, 1, 4, 1, 3]), 2, None)
    assert [batch.tolist() for batch in found] == [[1, 3], [4, 2], [0]]


def test_a_generator_mixes_batches_of_similar_length() -> None:
    lengths = np.arange(1, 201)
    orders = set()
    for seed in range(3):
        found = batches(lengths, 20, np.random.default_rng(seed))
        assert sorted(np.concatenate(found)) == list(range(200))
        assert max(np.ptp(lengths[batch]) / lengths[batch].max() for batch in found if len(batch) > 1) < 1
        spread = [np.log(lengths[batch]).std() for batch in found if lengths[batch].min() > 20]
        assert 0.02 < np.mean(spread) < 0.3  # a jitter of at most 20 % either way
        orders.add(tuple(int(batch.min()) for batch in found))
    assert len(orders) == 3


def test_the_jitter_multiplies_the_lengths() -> None:
    class Known:
        def uniform(self, low: float, high: float, count: int) -> np.ndarray:
            assert (low, high, count) == (0.8, 1.2, 4)
            return np.array([0.8, 1.0, 1.2, 1.0])

        def shuffle(self, groups: list[np.ndarray]) -> None:
            groups.reverse()

    found = batches(np.array([100, 90, 80, 1]), 2, Known())  # type: ignore[arg-type]  # 80, 90, 96 and 1
    assert [batch.tolist() for batch in found] == [[1, 2], [3, 0]]


def test_rows_are_filled_up_to_a_multiple_of_eight() -> None:
    rows = [np.array([1, 2, 3], np.int16), np.arange(4, 13).astype(np.int16), np.array([], np.int16)]
    found = pad(rows, fill=-1)
    assert found.dtype == np.int16 and found.shape == (3, 16)
    assert found[0].tolist() == [1, 2, 3, *[-1] * 13]
    assert found[1].tolist() == [*range(4, 13), *[-1] * 7]
    assert found[2].tolist() == [-1] * 16
    assert rows[0].tolist() == [1, 2, 3], "the rows stay as they are"
    assert pad([np.ones((8, 2))]).shape == (1, 8, 2), "a multiple of eight stays"


def test_a_word_is_hidden_by_how_rare_it_is() -> None:
    ids = np.tile(np.arange(4, dtype=np.int32), (20_000, 1))
    counts = np.array([0, 1, 3, 9], np.int32)
    hidden = drop_rare(ids, counts, 1.0, np.random.default_rng(0)).mean(axis=0)
    np.testing.assert_allclose(hidden, [1 / 2, 1 / 2, 1 / 4, 1 / 10], atol=0.01)  # a / (a + n), n at least 1
    never = drop_rare(ids, counts, np.array([0.0, 3.0, 0.0, 0.0]), np.random.default_rng(0)).mean(axis=0)
    np.testing.assert_allclose(never, [0, 3 / 4, 0, 0], atol=0.01)
