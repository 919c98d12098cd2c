"""Products with a packed matrix are those of NumPy, for every number of rows and columns."""

import numpy as np
import pytest

from pipeline.layers.loops.products import WIDTH, multiply


def packed(matrix: np.ndarray) -> np.ndarray:
    depth, columns = matrix.shape
    full = np.zeros((depth, -(-columns // WIDTH) * WIDTH), np.float32)
    full[:, :columns] = matrix
    return np.ascontiguousarray(full.reshape(depth, -1, WIDTH).transpose(1, 0, 2))


@pytest.mark.parametrize("columns", [1, 15, 16, 40])
def test_the_product_is_numpys(columns: int) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(13, columns)).astype(np.float32)
    panels = packed(matrix)
    for rows in range(1, 21):
        left = rng.normal(size=(rows, 13)).astype(np.float32)
        out = np.full((rows + 1, panels.shape[0] * WIDTH), 7.0, np.float32)
        multiply(left, panels, out[:rows])
        np.testing.assert_allclose(out[:rows, :columns], left @ matrix, rtol=1e-4, atol=1e-5)
        assert (out[rows] == 7.0).all(), "nothing is written after the last row"


def test_a_row_is_the_same_whatever_the_other_rows_are() -> None:
    rng = np.random.default_rng(0)
    left, panels = rng.normal(size=(17, 64)).astype(np.float32), packed(rng.normal(size=(64, 32)).astype(np.float32))
    whole = np.zeros((17, 32), np.float32)
    multiply(left, panels, whole)
    for rows in range(1, 18):
        part = np.zeros((rows, 32), np.float32)
        multiply(left[:rows], panels, part)
        assert np.array_equal(part, whole[:rows])
