"""Output of `trace` without a store: the origin of a run, and messages for files that no stage makes."""

import json

import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.tracking import provenance
from pipeline.tracking.environment import environment_tags
from pipeline.tracking.trace import trace

from .conftest import head


def test_a_run_of_ci_names_its_job_and_what_was_changed(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SERVER_URL": "https://git.example", "REPOSITORY": "a/b", "RUN_ID": "7"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    tags = environment_tags(repository)
    assert tags["job"] == "https://git.example/a/b/actions/runs/7"
    assert tags["mlflow.source.git.commit"] == head(repository)
    assert (tags["git_dirty"], tags["git_changes"]) == ("true", "params.yaml")
    folder = repository.model("rows")
    folder.mkdir(parents=True)
    ids = {"run_id": None, "model_id": None, "experiment_id": None, "run_key": "a" * 32, "name": "gru 8 · rows"}
    (folder / "run.json").write_text(json.dumps({**tags, **ids, "remake": "dvc repro"}))
    text = trace(repository, "a" * 32)
    assert "job         https://git.example/a/b/actions/runs/7" in text
    assert "run         not in MLflow yet" in text and "python -m pipeline sync" in text
    assert "with uncommitted changes: params.yaml" in text


def test_a_file_that_no_stage_makes(repository: Project) -> None:
    lock = {"stages": {"train@rows": {"cmd": "x", "outs": [{"path": "data/models/rows", "md5": "a.dir"}]}}}
    (repository.root / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert provenance.hashes(repository) == {"data/models/rows": "a.dir"}
    with pytest.raises(DataError, match="not an output of a stage; give one of data/models/rows"):
        trace(repository, str(repository.root / "data" / "models"))
    with pytest.raises(DataError, match=r"not an output of a stage; give one of the outputs in dvc\.lock"):
        trace(repository, str(repository.root / "README.md"))
