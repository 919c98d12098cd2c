"""The parts of a batch: every row is in one of them, and their gradients add up to those of the whole."""

import numpy as np
import pytest

from pipeline.training.shards import rows_of, together


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 5, 42])
def test_every_row_has_one_worker_and_the_first_worker_has_some(count: int, workers: int) -> None:
    parts = [list(range(count))[rows_of(count, worker, workers)] for worker in range(workers)]
    assert [row for part in parts for row in part] == list(range(count))
    assert parts[0] and max(map(len, parts)) - min(map(len, parts)) <= 1


def test_streams_stay_with_their_worker() -> None:
    assert [rows_of(12, worker, 3) for worker in range(3)] == [slice(0, 4), slice(4, 8), slice(8, 12)]


def test_parts_count_by_their_weight() -> None:
    """By hand: 3 known targets in the first part and 1 in the second; a table's rows follow each other."""
    first = [np.float32(2.0), np.float32(3.0), np.float32([4.0, 8.0]), np.float32([[1.0]]), np.int64([7])]
    second = [np.float32(6.0), np.float32(1.0), np.float32([0.0, 4.0]), np.float32([[2.0], [4.0]]), np.int64([7, 9])]
    loss, (dense, values, places) = together([first, second], [False, True])
    assert loss == 3.0
    np.testing.assert_array_equal(dense, [3.0, 7.0])
    np.testing.assert_array_equal(values, [[0.75], [0.5], [1.0]])
    np.testing.assert_array_equal(places, [7, 7, 9])


def test_a_batch_without_a_known_target_moves_nothing() -> None:
    part = [np.float32(0.0), np.float32(0.0), np.float32([0.0])]
    loss, (gradient,) = together([part, part], [False])
    assert (loss, gradient[0]) == (0.0, 0.0)
