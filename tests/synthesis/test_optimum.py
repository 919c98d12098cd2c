"""What is stored next to synthetic files: the same bytes again, nothing for published ones, a text that fits."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.sources import sonnets
from pipeline.synthesis import optimum


def test_arrays_come_back_and_equal_ones_give_equal_bytes(tmp_path: Path) -> None:
    arrays = {"bits": np.array([0.1, 1 / 3]), "agreements": np.array([[3, 9]], np.int32)}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        optimum.save(tmp_path / name, **arrays)
    assert (tmp_path / "a" / optimum.FILE).read_bytes() == (tmp_path / "b" / optimum.FILE).read_bytes()
    stored = optimum.load(tmp_path / "a")
    assert stored.keys() == arrays.keys()
    assert all(
        np.array_equal(stored[name], arrays[name]) and stored[name].dtype == arrays[name].dtype for name in arrays
    )


def test_published_data_have_none(tmp_path: Path) -> None:
    assert optimum.load(tmp_path) == {}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    optimum.save(tmp_path, bits=np.arange(9.0))
    content = (tmp_path / optimum.FILE).read_bytes()
    (tmp_path / optimum.FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"optimum\.npz: not a complete \.npz file"):
        optimum.load(tmp_path)


def test_the_optimum_of_another_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sonnets, "SYNTHETIC_CHARACTERS", 2_000)
    sonnets.synthesize(tmp_path, 1)
    with (tmp_path / sonnets.FILE).open("a") as file:
        file.write("One line more\n")
    with pytest.raises(DataError, match=r"optimum.npz: bits of 2,\d+ rows, the data have 2,\d+; run the download"):
        sonnets.read(tmp_path)
