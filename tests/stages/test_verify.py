"""No stage uses damaged inputs, and `verify` finds all damage, in the workspace and in DVC's cache, with its repair."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.integrity import checksums
from pipeline.promotion import promote
from pipeline.stages import baseline, evaluate, index, parameters, preprocess, report, train
from tests.commands import environment

Stage = Callable[[Project, str], None]
SETTINGS = """\
seed: 1
edition: synthetic
cell: null
sources:
  digits: {reader: digits}
studies: {}
tunings: {}
own: {}
recipes: {}
datasets:
  rows: {source: digits, task: image_rows}
experiments:
  small: {dataset: rows, task: image_rows, units: 4, epochs: 1}
"""
FILES = (
    "data/raw/digits/digits.csv",
    "data/raw/digits/download.json",
    "data/prepared/rows/arrays.npz",
    "data/prepared/rows/encoder.json",
    "data/baselines/rows/metrics.json",
    "data/models/small/model/weights/0.npz",
    "data/models/small/fit.json",
    "data/models/small/run.json",
    "data/predictions/rows/small/predictions.npz",
    "data/predictions/rows/small/samples.json",
    "reports/sections/rows/metrics.json",
)


def _promote(project: Project, name: str) -> None:
    promote.candidate(project, parameters(project), name)


INPUTS: dict[str, tuple[Stage, str, str]] = {
    "preprocess: raw file": (preprocess.run, "rows", "data/raw/digits/digits.csv"),
    "preprocess: edition": (preprocess.run, "rows", "data/raw/digits/download.json"),
    "baseline": (baseline.run, "rows", "data/prepared/rows/arrays.npz"),
    "train: arrays": (train.run, "small", "data/prepared/rows/arrays.npz"),
    "train: encoder": (train.run, "small", "data/prepared/rows/encoder.json"),
    "evaluate: data": (evaluate.run, "small", "data/prepared/rows/arrays.npz"),
    "evaluate: weights": (evaluate.run, "small", "data/models/small/model/weights/0.npz"),
    "evaluate: predictions": (evaluate.run, "small", "data/predictions/rows/small/predictions.npz"),
    "evaluate: baselines": (evaluate.run, "small", "data/baselines/rows/metrics.json"),
    "report: data": (report.run, "rows", "data/prepared/rows/arrays.npz"),
    "report: baselines": (report.run, "rows", "data/baselines/rows/metrics.json"),
    "report: samples": (report.run, "rows", "data/predictions/rows/small/samples.json"),
    "promote": (_promote, "small", "data/models/small/model/weights/0.npz"),
    "index": (lambda project, _: index.run(project), "", "reports/sections/rows/metrics.json"),
}


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The folders of a project, with lists of checksums as the stages write them; what is in them does not matter."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "params.yaml").write_text(SETTINGS)
    for file in map(Path, FILES):
        depth = 4 if file.parts[1] == "predictions" else 3
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b'{"run_key": "written"}')
        folder = tmp_path.joinpath(*file.parts[:depth])
        (folder / checksums.LIST).write_text(checksums.listed(folder, folder))
    figures = {"protocol": "held_out", "run": {"run_key": "written"}}
    artifacts.save_json(Project(tmp_path).metrics("rows", "small"), figures)
    return Project(tmp_path)


def flip(path: Path) -> None:
    """Change one byte, and neither the size nor the time of change."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.fault("damaged-input")
@pytest.mark.parametrize("case", INPUTS)
def test_a_stage_refuses_a_damaged_input(case: str, outputs: Project) -> None:
    stage, name, path = INPUTS[case]
    flip(outputs.root / path)
    before = {p: p.read_bytes() for p in outputs.root.rglob("*") if p.is_file()}
    folder = next(f for f in (outputs.root / path).parents if (f / checksums.LIST).is_file())
    with pytest.raises(DataError, match=rf"{folder}: damaged, so it is not used: \S+ has sha256 .*pipeline verify"):
        stage(outputs, name)
    assert {p: p.read_bytes() for p in outputs.root.rglob("*") if p.is_file()} == before


# `verify`, on a project of DVC whose stages copy what the project's stages would have written.

STAGES = """\
stages:
  prepare:
    foreach: [a, b]
    do:
      cmd: mkdir -p data/prepared && cp -r made/${item} data/prepared/${item}
      deps:
        - made/${item}
      outs:
        - data/prepared/${item}
  figures:
    cmd: mkdir -p reports/metrics && cp made/figures.json reports/metrics/a.json
    deps:
      - data/prepared/a
    outs:
      - reports/metrics/a.json:
          cache: false
"""


def dvc(folder: Path, *command: str) -> None:
    subprocess.run(
        ["dvc", *command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=True
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after `dvc repro`."""
    root = tmp_path_factory.mktemp("verify") / "kept"
    for name in ("a", "b"):
        folder = root / "made" / name
        folder.mkdir(parents=True)
        (folder / "arrays.npz").write_bytes(f"the arrays of {name}".encode())
        (folder / "encoder.json").write_bytes(f'"{name}"'.encode())
        place = root / "data" / "prepared" / name
        (folder / checksums.LIST).write_text(checksums.listed(folder, place))
    (root / "made" / "figures.json").write_text('{"accuracy": 0.5}')
    (root / "dvc.yaml").write_text(STAGES)
    (root / "params.yaml").write_text(SETTINGS)
    dvc(root, "init", "--no-scm", "--quiet")
    dvc(root, "repro", "--quiet")
    return root


@pytest.fixture
def project(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(kept, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return Path("")


ARRAYS = Path("data/prepared/a/arrays.npz")


def cached(content: bytes) -> Path:
    md5 = hashlib.md5(content).hexdigest()
    return Path(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")


def in_cache(file: Path, content: bytes) -> None:
    """Change a file of the cache, which is read-only, and leave it read-only."""
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(0o444)


def linked() -> None:
    """The labels of the cache are changed, and `dvc checkout` brings them into the workspace."""
    in_cache(cached(ARRAYS.read_bytes()), b"other numbers")
    shutil.rmtree(ARRAYS.parent)
    dvc(Path(), "checkout")
    assert ARRAYS.read_bytes() == b"other numbers", "this is what DVC does"


def swapped() -> None:
    Path("data/prepared/a").rename("x")
    Path("data/prepared/b").rename("data/prepared/a")
    Path("x").rename("data/prepared/b")


def cut_lock() -> None:
    text = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(text[: text.rindex("outs") + 2])


def folder_list() -> Path:
    (found,) = (
        p for p in Path(".dvc/cache").rglob("*.dir") if hashlib.md5(ARRAYS.read_bytes()).hexdigest() in p.read_text()
    )
    return found


DAMAGES: dict[str, tuple[Callable[[], object], str]] = {
    "byte": (lambda: flip(ARRAYS), "data/prepared/a: arrays.npz has sha256"),
    "cut": (lambda: ARRAYS.write_bytes(b"the arr"), "data/prepared/a: arrays.npz has sha256"),
    "child": (ARRAYS.unlink, "data/prepared/a: arrays.npz is missing"),
    "swapped": (swapped, "data/prepared/a: it holds the files of data/prepared/b"),
    "figures": (lambda: flip(Path("reports/metrics/a.json")), "reports/metrics/a.json: differs from what was recorded"),
    "cache": (lambda: in_cache(cached(ARRAYS.read_bytes()), b"other"), "content is not that of its name; of prepare@a"),
    "cached list": (lambda: in_cache(folder_list(), b"[]"), ".dir: its content is not that of its name; of prepare@a"),
    "checked out": (linked, "data/prepared/a: arrays.npz has sha256"),
    "lock": (cut_lock, "dvc.lock: not a complete lock file"),
}  # fmt: skip


def test_nothing_is_said_of_whole_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("data/prepared/a", "data/previous/a")  # the copy of a model has the list of its original
    assert main(["verify"]) == 0
    # Seven files and two lists in the cache, six in the workspace, and the figures.
    assert capsys.readouterr().out == "15 files are as they were written: 3 stages, and DVC's cache\n"


@pytest.mark.fault("damaged-cache")
@pytest.mark.parametrize("how", DAMAGES)
def test_damage_is_found(how: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage, said = DAMAGES[how]
    damage()
    assert main(["verify"]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "to repair it, run:" in shown


@pytest.mark.fault("damaged-cache")
@pytest.mark.long
@pytest.mark.parametrize("how", DAMAGES)
def test_the_commands_that_are_printed_repair_it(
    how: str, kept: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DAMAGES[how][0]()
    assert main(["verify"]) == 2
    _, _, commands = capsys.readouterr().err.partition("to repair it, run:\n")
    subprocess.run(["bash", "-ec", commands], env=environment(), capture_output=True, timeout=120, check=True)
    assert main(["verify"]) == 0
    for path in (ARRAYS, Path("reports/metrics/a.json"), cached((kept / ARRAYS).read_bytes())):
        original = kept / (ARRAYS if ".dvc" in str(path) else path)
        assert path.read_bytes() == original.read_bytes()


@pytest.mark.fault("damaged-cache")
def test_with_a_remote_the_repair_fetches_first(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".dvc/config.local").write_text("[core]\n    remote = shared\n['remote \"shared\"']\n    url = /nowhere\n")
    flip(ARRAYS)
    assert main(["verify"]) == 2
    assert "  rm -rf data/prepared/a\n  dvc fetch prepare@a\n  dvc repro prepare@a\n" in capsys.readouterr().err
