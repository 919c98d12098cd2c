"""Output of `trace`: the origin of a run, long settings, and messages for files that no stage makes."""

import json

import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.tracking import provenance
from pipeline.tracking.delivery import deliver, spool, sync
from pipeline.tracking.environment import environment_tags
from pipeline.tracking.trace import trace

from .conftest import head, journal, runs_of


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


@pytest.mark.fault("long-settings")
@pytest.mark.filterwarnings("ignore")
def test_long_settings_come_back_whole_from_mlflow(tables: Project) -> None:
    labels = {f"intent_{i:03d}_ünd": f"what number {i} is about, at some length" for i in range(300)}
    again = "dvc exp run " + " ".join(f"-S datasets.x.labels.{name}=1" for name in labels) + " evaluate@x"
    made = journal()
    made.tags({"params_yaml": json.dumps({"datasets.x": {"labels": labels}}, ensure_ascii=False), "remake": again})
    made.tags({"data_hashes": json.dumps({"data/raw/x": "a.dir"})})
    made.note("reproduce: `{tag:remake}`")
    assert len(made.content.tags["params_yaml"]) > 3 * 4000
    run_id = deliver(made, tables).run_id
    text = trace(tables, str(run_id))
    assert all(f"{name}: {value}" in text.replace("'", "") for name, value in labels.items())
    assert f"remake      {again}" in text.splitlines()
    (run,) = runs_of(tables)
    assert run.data.tags["mlflow.note.content"] == f"reproduce: `python -m pipeline trace {run_id}`"


@pytest.mark.fault("long-settings")
@pytest.mark.filterwarnings("ignore")
def test_settings_that_an_older_version_let_mlflow_cut_are_no_error(tables: Project) -> None:
    made = journal()
    made.tags({"params_yaml": '{"seed": 1, "datasets.x": {"lab'})
    text = trace(tables, str(deliver(made, tables).run_id))
    assert "parameters  unknown: MLflow has cut them" in text.replace("'", "")


@pytest.mark.filterwarnings("ignore")
def test_ids_of_a_run_that_arrived_later_are_found(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    made = journal()
    key = made.content.run_key
    tables.model("x").mkdir(parents=True)
    ids = {"run_id": None, "model_id": None, "experiment_id": None, "run_key": key, "name": "gru"}
    (tables.model("x") / "run.json").write_text(json.dumps(ids))
    spool(made, tables)
    assert "run         not in MLflow yet" in trace(tables, key)
    sync(tables)
    (run,) = runs_of(tables)
    text = trace(tables, key)
    assert f"run         {run.info.run_id}" in text and f"/runs/{run.info.run_id}" in text
