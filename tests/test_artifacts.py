"""Files appear whole or not at all, equal content gives equal bytes, and what cannot be read is named with its cure."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.artifacts import Project, new_folder, save_arrays, save_bytes, save_json
from pipeline.encoding.records import Encoded
from pipeline.errors import DataError
from pipeline.sources import electricity


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_file_is_the_old_one_until_the_new_one_is_whole(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deep" / "file"
    save_bytes(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_bytes(path, b"new")
    assert files(tmp_path) == {"deep/file": b"old"}
    save_bytes(path, b"new")
    assert files(tmp_path) == {"deep/file": b"new"}


def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(artifacts, "_sync", lambda path: seen.append((tmp_path / "file").exists()))
    save_bytes(tmp_path / "file", b"x")
    assert seen == [False]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [{}, {"a": b"old", "sub/b": b"old"}])
def test_a_folder_that_could_not_be_filled_vanishes(
    error: type[BaseException], old: dict[str, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "out"
    for name, content in old.items():
        save_bytes(target / name, content)

    def fill() -> None:
        with new_folder(target) as fresh:
            (fresh / "a").write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fill()
    assert target.exists() is bool(old)
    assert files(tmp_path) == {f"out/{name}": content for name, content in old.items()}
    assert not list(tmp_path.glob(".*"))


def test_a_folder_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "parent" / "out"
    save_bytes(target / "gone", b"old")
    with new_folder(target) as fresh:
        assert not list(fresh.iterdir())
        assert fresh.parent == target.parent, "only within one file system is a rename atomic"
        save_bytes(fresh / "sub" / "new", b"new")
        assert files(target) == {"gone": b"old"}
    assert files(tmp_path) == {"parent/out/sub/new": b"new"}
    assert not list(target.parent.glob(".*"))


def test_the_old_folder_is_never_seen_half_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    save_bytes(target / "old", b"old")
    seen: list[dict[str, bytes]] = []
    monkeypatch.setattr(artifacts.shutil, "rmtree", lambda path, **_: seen.append(files(target)))
    with new_folder(target) as fresh:
        save_bytes(fresh / "new", b"new")
    assert seen
    assert all(state == {"new": b"new"} for state in seen)


def test_temporary_names_are_those_that_git_and_dvc_ignore(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as fresh:
        assert fresh.match(".*.tmp")
    for name in (".gitignore", ".dvcignore"):
        assert ".*.tmp" in (Path(__file__).parents[1] / name).read_text(encoding="utf-8").splitlines()


WRITER = """
import sys
from pathlib import Path
from pipeline import artifacts
with artifacts.new_folder(Path(sys.argv[1])) as fresh, artifacts._temporary(Path(sys.argv[2]), Path.touch):
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.fault("killed-writer")
def test_what_a_killed_process_left_half_written_is_deleted_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    targets = [tmp_path / "data" / "models" / "x", tmp_path / "reports" / "metrics" / "d" / "x.json"]
    targets[1].parent.mkdir(parents=True)
    command = [sys.executable, "-c", WRITER, *map(str, targets)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        (tmp_path / "data" / "models" / ".mine.tmp").mkdir()
        writing = sorted(path for path in tmp_path.rglob(".*.????????.tmp"))
        assert len(writing) == 2
        artifacts.sweep(tmp_path)
        assert all(path.exists() for path in writing)
        writer.kill()
        writer.wait()
        artifacts.sweep(tmp_path)
    assert not any(path.exists() for path in writing)
    assert (tmp_path / "data" / "models" / ".mine.tmp").exists()  # nothing of ours has such a name


def test_equal_arrays_give_equal_bytes_in_whatever_order(tmp_path: Path) -> None:
    arrays = {"b": np.arange(5, dtype=np.int16), "a": np.eye(3), "text": np.array(["ä", "b"])}
    save_arrays(tmp_path / "one.npz", arrays)
    save_arrays(tmp_path / "two.npz", dict(reversed(list(arrays.items()))))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    stored = artifacts.load_arrays(tmp_path / "one.npz")
    assert stored.keys() == arrays.keys()
    for name, array in arrays.items():
        assert stored[name].dtype == array.dtype
        np.testing.assert_array_equal(stored[name], array)


def test_arrays_of_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    pickled: Any = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(path, {"a": pickled})
    assert not path.exists()
    np.savez(path, a=pickled)
    with pytest.raises(DataError, match=r"a\.npz: not a complete \.npz file"):
        artifacts.load_arrays(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_json_holds_no_number_that_json_does_not_have(number: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_json(tmp_path / "a.json", {"value": [number]})
    assert files(tmp_path) == {}


def test_equal_json_gives_equal_bytes(tmp_path: Path) -> None:
    save_json(tmp_path / "one.json", {"b": 1.5, "a": {"ü": None, "c": [1, 2]}})
    save_json(tmp_path / "two.json", {"a": {"c": [1, 2], "ü": None}, "b": 1.5})
    content = (tmp_path / "one.json").read_bytes()
    assert content == (tmp_path / "two.json").read_bytes()
    assert content.endswith(b"}\n")
    assert "ü".encode() in content
    assert artifacts.load_json(tmp_path / "one.json") == json.loads(content)


def test_a_data_set_survives_the_way_through_its_folder(tmp_path: Path) -> None:
    before = Encoded({"x": np.arange(3)}, {"ids": {"a": 1}}, {"train": 2, "test": 1}, {"source": "s", "findings": {}})
    artifacts.save_encoded(tmp_path, before)
    after = artifacts.load_encoded(tmp_path)
    assert (after.encoder, after.examples, after.summary) == (before.encoder, before.examples, before.summary)
    np.testing.assert_array_equal(after.arrays["x"], before.arrays["x"])


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    path.write_bytes(
        {
            "empty": b"",
            "cut": content[: len(content) // 2],
            "a web page": b"<!DOCTYPE html><title>404</title>",
            "zeros": bytes(len(content)),
            "one byte flipped": bytes(flipped),
            "one array alone": b"\x93NUMPY" + content,
        }[how]
    )


@pytest.mark.parametrize("how", ["empty", "cut", "a web page", "zeros", "one byte flipped", "one array alone"])
def test_damaged_arrays_are_named_with_the_cure(how: str, tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    save_arrays(path, {"a": np.arange(1000), "b": np.ones(10)})
    damage(path, how)
    with pytest.raises(DataError, match=r"arrays\.npz: not a complete \.npz file .*; `python -m pipeline verify`"):
        artifacts.load_arrays(path)


HEADERS = {
    "a huge shape": b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }",
    "a negative shape": b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    "a truth value": b"{'descr': '<f8', 'fortran_order': False, 'shape': (True,), }",
    "an open bracket": b"(" * 500,
    "no Python": b"{'descr': '<f8' 'shape'",
    "a list as key": b"{[]: 1}",
    "deep": b"-" * 9000 + b"1",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
}


@pytest.mark.fault("bad-array")
@pytest.mark.parametrize("header", HEADERS)
def test_a_damaged_header_of_an_array_is_named(header: str, tmp_path: Path) -> None:
    content = HEADERS[header] + b"\n"
    array = b"\x93NUMPY\x02\x00" + len(content).to_bytes(4, "little") + content + bytes(160)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", array)
    with pytest.raises(DataError, match=r"a\.npz: not a complete \.npz file"):
        artifacts.load_arrays(tmp_path / "a.npz")
    (tmp_path / "LD_250.npy").write_bytes(array)
    with pytest.raises(DataError, match=r"LD_250\.npy: (not a whole NumPy array|found )"):
        electricity.read(tmp_path)


@pytest.mark.fault("bad-array")
def test_any_byte_of_an_array_file_may_be_wrong(tmp_path: Path) -> None:
    path, array = tmp_path / "a.npz", np.arange(5)
    save_arrays(path, {"a": array})
    whole = path.read_bytes()
    refused = 0
    for i in range(len(whole)):
        for byte in {99, whole[i] ^ 0x80} - {whole[i]}:
            path.write_bytes(whole[:i] + bytes([byte]) + whole[i + 1 :])
            try:
                assert all(np.array_equal(stored, array) for stored in artifacts.load_arrays(path).values())
            except DataError:
                refused += 1
    assert refused > len(whole)


def test_one_array_instead_of_several_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"a\.npz: not a complete \.npz file"):
        artifacts.load_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("how", ["empty", "cut", "a web page", "zeros"])
def test_damaged_json_is_named_with_the_cure(how: str, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    save_json(path, {"a": 1, "b": 2})
    damage(path, how)
    with pytest.raises(DataError, match=r"fit\.json: not a complete JSON file .*; `python -m pipeline verify`"):
        artifacts.load_json(path)


@pytest.mark.parametrize("load", [artifacts.load_json, artifacts.load_arrays, artifacts.load_encoded])
def test_what_is_missing_is_named_with_the_cure(load: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.*: not found; run `dvc repro` to make it"):
        load(tmp_path / "nowhere")


def test_a_summary_without_its_parts_is_named(tmp_path: Path) -> None:
    artifacts.save_encoded(tmp_path, Encoded({"x": np.arange(3)}, {}, {"train": 3}, {}))
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(DataError, match=r"summary\.json: .*`python -m pipeline verify` finds"):
        artifacts.load_encoded(tmp_path)


def test_every_path_is_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    project = Project(tmp_path)
    one = [
        project.raw,
        project.prepared,
        project.baselines,
        project.model,
        project.report,
        project.section,
        project.scores,
    ]
    two = [project.metrics, project.predictions, project.curves]
    paths = [path("a") for path in one] + [path("a", "b") for path in two] + [project.index]
    assert len({*paths}) == len(paths)
    assert all(path.is_relative_to(tmp_path) for path in paths)
    assert project.home == tmp_path
    monkeypatch.setenv("DVC_ROOT", "/somewhere")
    assert project.home == Path("/somewhere")
    assert project.prepared("a").is_relative_to(tmp_path)
