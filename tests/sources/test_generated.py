"""cosine and digits: computed or shipped with scikit-learn, the same in both editions."""

import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.sources import cosine, digits


def test_cosine_survives_the_file_bit_for_bit(tmp_path: Path) -> None:
    cosine.synthesize(tmp_path, 0)
    record = cosine.read(tmp_path)
    assert record.values.tolist() == [math.cos(i) for i in range(2000)]
    assert record.valid.all()
    assert (record.start, record.step_seconds) == (None, None)


def test_the_rule_of_the_cosine_is_exact(tmp_path: Path) -> None:
    cosine.synthesize(tmp_path, 0)
    record = cosine.read(tmp_path)
    assert record.optimum is not None and record.optimum_steps == (1,)
    assert np.abs(record.optimum[:, 0] - np.cos(np.arange(1, 2001))).max() < 1e-15


@pytest.mark.fault("malformed-rows")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,y\n0,1\n", "line 1 is 'x,y', expected 'index,value'"),
        ("index,value\n", "no values below the header"),
        ("index,value\n0,1\n1,one\n", "line 3 is '1,one'"),
        ("index,value\n0,1\n2,0.5\n", "line 3 is '2,0.5', expected index 1"),
        ("", "the file is empty"),
        ("\n", "line 1 is '', expected 'index,value'"),
        ("index,value\n0,nan\n", "line 2 is '0,nan', expected e.g. '0,1'"),
        ("index,value\n0,1e300\n", "line 2 is '0,1e300', expected index 0 and a cosine, from -1 to 1"),
        ("index,value\n0,1_0\n", "line 2 is '0,1_0'"),
        ("index,value\n0,1\n1,0.5\udcff\n", "line 3 is '1,0.5\ufffd'"),
        ('index,value\n0,1\n1,"0.5\n', "line 3 is "),
        (f"index,value\n0,{'1' * 140_000}\n", "line 2 is '0,1111"),
        ("index,value\n0\n", "line 2 is '0', expected e.g. '0,1'"),
    ],
)
def test_cosine_names_the_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "cosine.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message):
        cosine.read(tmp_path)


def test_digits_are_those_of_scikit_learn_spread_over_a_byte(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    digits.synthesize(tmp_path, 0)
    record = digits.read(tmp_path)
    assert record.pixels.shape == (1797, 8, 8, 1)
    assert record.is_test is None
    assert (record.pixels.min(), record.pixels.max()) == (0, 255)
    bunch = load_digits()
    assert np.array_equal(np.round(record.pixels[..., 0] / 255 * 16), bunch.images)
    assert np.array_equal(record.labels, bunch.target)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": np.zeros((2, 8, 8), np.uint8)}, "arrays 'pixels' and 'labels'"),
        ({"pixels": np.zeros((2, 8, 7), np.uint8), "labels": np.zeros(2, np.uint8)}, r"found pixels uint8 \[2, 8, 7\]"),
        ({"pixels": np.full((2, 8, 8), 17, np.uint8), "labels": np.zeros(2, np.uint8)}, "ink levels"),
        ({"pixels": np.array([{}], dtype=object), "labels": np.zeros(2, np.uint8)}, "not a complete .npz file"),
    ],
)
def test_digits_refuse_other_arrays(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "digits.npz", **arrays)
    with pytest.raises(DataError, match=message):
        digits.read(tmp_path)


def test_digits_refuse_a_single_array(tmp_path: Path) -> None:
    with (tmp_path / "digits.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(DataError, match=r"not a complete \.npz file"):
        digits.read(tmp_path)
