"""Trace a file, run, model or registered version back to everything that it was made from."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import plain_yaml
from pipeline.errors import DataError, StoreError
from pipeline.tracking import provenance, store
from pipeline.tracking.build import AS_JSON
from pipeline.tracking.delivery import spooled
from pipeline.tracking.store import code_of
from pipeline.tracking.upload import find, joined

ID = re.compile(r"(m-)?[0-9a-f]{32}")
LOCAL = "http://127.0.0.1:5000"  # the address of `make ui`


def trace(project: Project, what: str) -> str:
    """Return lines to read: stage, commit, parameters, data, the command to remake it, its address in MLflow.

    what: a path in the project, an MLflow run id, a run_key, a model id, or models:/<name>@<alias> or /<version>.
    Raises DataError if it does not exist, and StoreError if the store has to be asked and fails.
    """
    if what.startswith("models:/") or ID.fullmatch(what):
        return "\n".join(_run_lines(project, _by_id(project, what)))
    name, stage = _stage_of(project, what)
    lines = [f"{'stage':11} {name}", *_stage_lines(name, stage)]
    record = _record_of(project, name, stage)
    if record is not None:
        record |= _later_ids(project, record)
        return "\n".join([*lines, *_run_lines(project, record)])
    return "\n".join([*lines, f"{'remake':11} dvc repro {name}"])


def _stage_of(project: Project, what: str) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the entry in dvc.lock of the stage whose output is the path or contains it."""
    path = Path(what).absolute()
    root = project.root.absolute()
    if not path.is_relative_to(root):
        raise DataError(f"{what}: not a run id (32 hex digits), not models:/<name>@champion, and not in this project")
    relative = path.relative_to(root).as_posix()
    stages = provenance.locked(project)
    for name, stage in stages.items():
        for out in stage.get("outs", []):
            if relative == out["path"] or relative.startswith(out["path"] + "/"):
                return name, stage
    outs = sorted(out["path"] for stage in stages.values() for out in stage.get("outs", []))
    inside = [out for out in outs if out.startswith(relative.rstrip("/") + "/")]
    hint = f"give one of {', '.join(inside[:5])} …" if inside else "give one of the outputs in dvc.lock"
    raise DataError(f"{what}: not an output of a stage; {hint}")


def _stage_lines(name: str, stage: Mapping[str, Any]) -> Iterator[str]:
    # The command of dvc.yaml has no name of a row; typed by hand, it needs one.
    yield f"{'command':11} {stage['cmd']} {name.rpartition(':')[2].partition('@')[2]}".rstrip()
    for kind in ("outs", "deps"):
        for item in stage.get(kind, []):
            if kind == "outs" or item["path"].startswith(("data/", "reports/")):
                yield f"{'output' if kind == 'outs' else 'from':11} {item['path']}  {item.get('md5', '')}"


def _record_of(project: Project, name: str, stage: Mapping[str, Any]) -> dict[str, Any] | None:
    """Load run.json of the training that the stage runs or evaluates; None for all other stages."""
    if not name.rpartition(":")[2].startswith(("train@", "evaluate@")):
        return None
    path = project.model(name.partition("@")[2]) / "run.json"
    return dict(artifacts.load_json(path))


def _by_id(project: Project, what: str) -> dict[str, Any]:
    for path in sorted(project.model("x").parent.glob("*/run.json")):
        record = dict(artifacts.load_json(path))
        if what in (record["run_id"], record["run_key"], record["model_id"]):
            return record | _later_ids(project, record)
    with store.connected(project) as client:
        run = _stored_run(client, what)
    if run is None:
        raise DataError(f"{what}: no such run, model or version in data/models or in the tracking store")
    tags = joined(run.data.tags)
    stored = {key: _from_json(tags.pop(tag)) for tag, key in AS_JSON.items() if tag in tags}
    return {**tags, **stored, **_ids(run), "name": run.info.run_name}


def _later_ids(project: Project, record: Mapping[str, Any]) -> dict[str, Any]:
    """Look up the ids of a run that reached MLflow only after its stage had written run.json; {} if it has not."""
    if record["run_id"] is not None or spooled(project, record["run_key"]):
        return {}
    try:
        with store.connected(project) as client:
            run = _stored_run(client, record["run_key"])
    except StoreError:
        return {}
    return {} if run is None else _ids(run)


def _ids(run: Any) -> dict[str, Any]:
    model_id = run.data.tags.get("model_id")
    return {"run_id": run.info.run_id, "model_id": model_id, "experiment_id": run.info.experiment_id}


def _from_json(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:  # an older version of the pipeline let MLflow cut it
        return {"unknown": "MLflow has cut them; they are in params.yaml of the commit, and in the line `remake`"}


def _stored_run(client: Any, what: str) -> Any:
    """Look up the MLflow run of a run id, run_key, model id or version; None if there is none."""
    try:
        if what.startswith("models:/"):
            return client.get_run(_version_run(client, what.removeprefix("models:/")))
        if what.startswith("m-"):
            return client.get_run(client.get_logged_model(what).source_run_id)
        every = [experiment.experiment_id for experiment in client.search_experiments()]
        return find(client, every, what) or client.get_run(what)
    except Exception as error:
        if code_of(error) in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _version_run(client: Any, name: str) -> str:
    if "@" in name:
        model, _, alias = name.partition("@")
        return str(client.get_model_version_by_alias(model, alias).run_id)
    model, _, number = name.partition("/")
    return str(client.get_model_version(model, number).run_id)


def _run_lines(project: Project, record: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'run':11} {record.get('run_id') or 'not in MLflow yet'}  {record.get('name', '')}"
    commit = record.get("mlflow.source.git.commit")
    changed = (
        f"with uncommitted changes: {record.get('git_changes', 'yes')}" if record.get("git_dirty") == "true" else ""
    )
    yield f"{'commit':11} {commit or 'unknown: not in a git repository'}  {changed}".rstrip()
    made = f"{record.get('dvc_stage') or 'unknown'}"
    if record.get("dvc_experiment"):
        made += f", DVC experiment {record['dvc_experiment']} on {record.get('dvc_baseline', 'unknown')}"
    yield f"{'trained by':11} {made}"
    if record.get("job"):
        yield f"{'job':11} {record['job']}"
    for path, digest in record.get("data", {}).items():
        yield f"{'data':11} {path}  {digest}"
    for key, value in record.get("params", {}).items():
        yield f"{'parameters':11} {key}: {plain_yaml.flow(value)}"
    yield f"{'model':11} {record.get('model_id') or 'not in MLflow yet'}"
    yield f"{'remake':11} {record.get('remake', 'unknown: an older version made this run')}"
    yield f"{'MLflow':11} {_address(project, record)}"


def _address(project: Project, record: Mapping[str, Any]) -> str:
    run, experiment = record.get("run_id"), record.get("experiment_id")
    if run is None or experiment is None:
        return "not there yet: `python -m pipeline sync`"
    uri = store.address(project)
    server = uri.rstrip("/") if uri.startswith("http") else LOCAL
    hint = "" if uri.startswith("http") else "  (after `make ui`)"
    return f"{store.shown(server)}/#/experiments/{experiment}/runs/{run}{hint}"
