"""Folders of the user's own files, with a publisher's test file, from `init` to the test figures."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.stages import baseline, check, download, evaluate, init, preprocess, train
from tests.clone import clone
from tests.commands import FEW_STAGES, environment
from tests.proposals import files
from tests.stages.test_init import PARAMS

TINY = {"units": 4, "epochs": 1, "batch_size": 4, "ema_momentum": 0.0, "refit": False}
KINDS: dict[str, tuple[Callable[[int, int], list[str]], int, int, dict[str, Any]]] = {
    "text": (files.book, 90, 120, {"embedding": 4, "time_steps": 10}),
    "labelled": (files.reviews, 200, 240, {"embedding": 4}),
    "tagged": (files.sentences, 120, 150, {"embedding": 4}),
    "series": (files.consumption, 1_000, 1_200, {"time_steps": 10}),
    "prices": (files.closes, 700, 900, {}),
}
TESTED = {"text": None, "labelled": 40, "tagged": 30, "series": 200, "prices": 200}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_with_a_test_file_through_all_stages(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, start, end, tiny = KINDS[kind]
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my" / kind
    folder.mkdir(parents=True)
    (tmp_path / "params.yaml").write_text(PARAMS)
    shutil.copy(Path(__file__).parents[1] / "dvc.yaml", tmp_path)
    for name, lines in {"b1.csv": make(0, 30), "b2.csv": make(30, start), "a-test.csv": make(start, end)}.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    project = Project(tmp_path)
    init.run(project, f"my/{kind}", None, None, only=False, confirmed=True)
    said = capsys.readouterr().out
    assert f"kind: {kind}: " in said and "test_files: a-test.csv: by the name" in said
    _make_tiny(project, kind, {**TINY, **tiny})
    check.run(project)
    for run, name in ((download.run_import, kind), (preprocess.run, kind), (baseline.run, kind), (train.run, kind)):
        run(project, name)
    evaluate.run(project, kind)
    assert {path.name for path in (project.raw(kind) / kind).iterdir()} == {"b1.csv", "b2.csv", "a-test.csv"}
    metrics = artifacts.load_json(project.metrics(kind, kind))
    assert np.isfinite(list(metrics["test"].values())).all() and metrics["baselines"]
    examples = artifacts.load_encoded(project.prepared(kind)).examples
    expected = len("\n".join(make(start, end))) + 1 if kind == "text" else TESTED[kind]
    assert examples["test"] == pytest.approx(expected, abs=1), "the test file and nothing else"


def _make_tiny(project: Project, name: str, settings: dict[str, Any]) -> None:
    path = project.root / "params.yaml"
    written = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    written["experiments"][name] |= settings
    with path.open("w", encoding="utf-8") as stream:
        YAML().dump(written, stream)


@pytest.mark.slow
def test_dvc_tracks_the_files_of_a_folder(tmp_path: Path) -> None:
    root = clone(tmp_path / "project")
    (root / ".venv").symlink_to(Path(sys.prefix))
    folder = root / "my" / "reviews"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text("\n".join(files.reviews(0, 200)) + "\n")
    (folder / "test.csv").write_text("\n".join(files.reviews(200, 240)) + "\n")
    said = _run(root, "python", "-m", "pipeline", "init", "my/reviews", "--only", "--yes")
    command = re.search(r"Next: \.venv/bin/(dvc repro report@reviews)\n", said)
    assert command and not (root / "textbook").exists()
    assert "Running stage 'import@reviews'" in _run(root, "dvc", "repro", "preprocess@reviews")
    (folder / "more.csv").write_text("\n".join([*files.reviews(0, 0), '01.01.2026;1;"another one, awful"']) + "\n")
    said = _run(root, "dvc", "repro", "preprocess@reviews")
    assert all(f"Running stage '{stage}@reviews'" in said for stage in ("import", "preprocess"))
    summary = artifacts.load_encoded(Project(root).prepared("reviews")).summary
    assert summary["texts"] == 241 and summary["findings"]["files"] == 3
    (folder / "test.csv").unlink()
    said = _run(root, "python", "-m", "pipeline", "check", code=2)
    assert "own.reviews.test_files: no file of 'my/reviews' fits" in said


def _run(root: Path, *command: str, code: int = 0) -> str:
    done = subprocess.run(
        command, cwd=root, env=environment(**FEW_STAGES), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == code, f"{done.args}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout + done.stderr
