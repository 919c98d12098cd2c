"""A folder that a stage wrote is compared with the checksums written with it: every kind of damage is named."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifacts import change_json, new_folder, save_bytes
from pipeline.errors import DataError
from pipeline.integrity import checksums

CONTENT = {"arrays.npz": b"numbers", "deep/weights.npz": b"weights"}


def written(folder: Path) -> Path:
    with new_folder(folder, listed=True) as fresh:
        for name, content in CONTENT.items():
            save_bytes(fresh / name, content)
    return folder


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_the_list_has_the_sha256_of_each_file_and_the_name_of_the_folder(tmp_path: Path) -> None:
    folder = written(tmp_path / "data" / "prepared" / "umich")
    assert json.loads((folder / "sha256.json").read_text()) == {
        "folder": "data/prepared/umich",
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()},
    }
    checksums.check(folder)


def test_a_folder_moved_with_its_checkout_is_still_whole(tmp_path: Path) -> None:
    written(tmp_path / "here" / "data" / "models" / "a")
    (tmp_path / "here").rename(tmp_path / "there")
    checksums.check(tmp_path / "there" / "data" / "models" / "a")


def test_a_file_that_no_stage_wrote_does_not_count(tmp_path: Path) -> None:
    folder = written(tmp_path / "data" / "prepared" / "a")
    (folder / ".DS_Store").write_bytes(b"Finder")
    checksums.check(folder)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (lambda folder: flip(folder / "arrays.npz"), r"arrays\.npz has sha256 \w{16}…, written was \w{16}…"),
    "changed below": (lambda folder: flip(folder / "deep" / "weights.npz"), r"deep/weights\.npz has sha256"),
    "cut": (lambda folder: (folder / "arrays.npz").write_bytes(b"num"), r"arrays\.npz has sha256"),
    "empty": (lambda folder: (folder / "arrays.npz").write_bytes(b""), r"arrays\.npz has sha256"),
    "missing": (lambda folder: (folder / "deep" / "weights.npz").unlink(), r"deep/weights\.npz is missing"),
    "a folder": (lambda f: ((f / "arrays.npz").unlink(), (f / "arrays.npz").mkdir()), r"arrays\.npz is a folder"),
    "cut list": (lambda folder: (folder / "sha256.json").write_text('{"fol'), "the list of its checksums, cannot"),
    "odd list": (lambda folder: (folder / "sha256.json").write_text("[1]"), "the list of its checksums, cannot"),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_damage_is_named_with_the_way_out(how: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "data" / "prepared" / "a")
    damage, said = DAMAGES[how]
    damage(folder)
    with pytest.raises(
        DataError, match=rf"prepared/a: damaged, so it is not used: .*{said}.*python -m pipeline verify"
    ):
        checksums.check(folder)


def test_swapped_folders_are_named(tmp_path: Path) -> None:
    one, other = (written(tmp_path / "data" / "prepared" / name) for name in ("a", "b"))
    shutil.move(one, tmp_path / "x")
    shutil.move(other, one)
    with pytest.raises(DataError, match=r"prepared/a: damaged.* it holds the files of data/prepared/b;"):
        checksums.check(one)


def test_a_file_can_be_changed_with_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path / "data" / "models" / "a")
    change_json(folder, "run.json", {"id": 1})
    with monkeypatch.context() as patch:
        patch.setattr(checksums, "listed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            change_json(folder, "run.json", {"id": 2})
    checksums.check(folder)
    assert json.loads((folder / "run.json").read_text()) == {"id": 1}
    assert (folder / "deep" / "weights.npz").read_bytes() == b"weights"


def test_a_folder_that_was_not_completed_is_not_called_damaged(tmp_path: Path) -> None:
    folder = written(tmp_path / "data" / "raw" / "a")
    (folder / "sha256.json").unlink()
    with pytest.raises(DataError, match=r"raw/a: incomplete: sha256\.json.* is missing; run `dvc repro` to make it"):
        checksums.check(folder)


def test_a_missing_folder_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: not found; run `dvc repro` to make it"):
        checksums.check(tmp_path / "nowhere")
