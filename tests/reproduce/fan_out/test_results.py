"""The file with a stage's result: it says what it was made of, and carries journals once."""

import json
from pathlib import Path

import pytest

from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.reproduce.fan_out import results
from pipeline.reproduce.fan_out.results import Result

COMMIT = "1" * 40


def made(stage: str, md5: str, before: "dict[str, str] | None" = None, **files: bytes) -> Result:
    # Not in alphabetical order, as DVC writes them: dvc.lock must keep it.
    entry = {
        "cmd": "x",
        "deps": [],
        "params": {"params.yaml": {"b": 1e-05, "a": None}},
        "outs": [{"path": "o", "md5": md5}],
    }
    return Result(stage, COMMIT, "dvc.lock", stage, entry, files, before or {})


def test_a_result_comes_back_as_it_was() -> None:
    one = made("train@x", "aa", {"prepare": "bb"}, binary=bytes(range(256)))
    back = results.from_bytes(one.to_bytes(), "x.json")
    assert back == one
    assert json.dumps(back.entry) == json.dumps(one.entry), "the order of its keys too"


def test_a_result_fits_what_it_was_made_of_and_nothing_else() -> None:
    first, other = made("first", "aa"), made("first", "bb")
    second = made("second", "cc", {"first": first.digest})
    assert second.fits([first])
    assert not second.fits([other]) and not second.fits([]) and not second.fits([first, made("more", "dd")])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"files": 1}', b'{"files": {}}', made("a", "b").to_bytes()[:-9]]
)
def test_a_damaged_result_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "train@x.json").write_bytes(content)
    with pytest.raises(DataError, match=r"train@x\.json: not a result of a stage \(.*\); delete it"):
        results.in_folder(tmp_path, COMMIT)


def test_results_of_another_commit_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(made("a", "b").to_bytes())
    assert results.in_folder(tmp_path, COMMIT).keys() == {"a"}
    assert results.in_folder(tmp_path, "2" * 40) == {}


@pytest.mark.parametrize("name", ["train@x", "textbook/dvc.yaml:train@x y", "../up", "ä%"])
def test_a_stage_has_a_file_of_its_own_in_the_folder(name: str) -> None:
    file = results.file_name(name)
    assert Path(file).name == file and file.endswith(".json")


def test_a_result_writes_no_file_outside_the_project(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(DataError, match="outside the project"):
        results.write_files(Project(tmp_path / "p"), [made("a", "b", **{"../evil": b""})])
    assert not (tmp_path / "evil").exists()


def test_journals_travel_once(tmp_path: Path) -> None:
    worker, driver = Project(tmp_path / "worker"), Project(tmp_path / "driver")
    for name in ("k-train-1", "k-train-2", ".running-k"):
        (worker.spool / name / "model").mkdir(parents=True)
        (worker.spool / name / "journal.json").write_text(name)
    results.pack_journals(worker, tmp_path / "train@x.tar")
    assert [path.name for path in worker.spool.iterdir()] == [".running-k"]
    (driver.spool / "k-train-1").mkdir(parents=True)
    (driver.spool / "k-train-1" / "journal.json").write_text("there already, as after a kill")
    results.unpack_journals(driver, tmp_path)
    said = {path.name: (path / "journal.json").read_text() for path in driver.spool.iterdir()}
    assert said == {"k-train-1": "there already, as after a kill", "k-train-2": "k-train-2"}
    assert not list(tmp_path.glob("train@x*")), "so they are not unpacked again once MLflow has them"
