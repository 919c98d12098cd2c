"""Folders of the user's own files, with a publisher's test file, from `init` to the test figures."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.stages import baseline, check, download, evaluate, init, preprocess, train
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
