"""Content of a journal is in MLflow once: figures on data, notes with addresses, the saved view, comparisons."""

import json
import os
import re
import urllib.parse
import uuid
from typing import Any

import pytest

from pipeline.artifacts import Project
from pipeline.tracking.delivery import Delivered, deliver, sync
from pipeline.tracking.record import Journal, View

from .conftest import DIGEST, assert_whole, client_of, interrupted, runs_of, small, training

# mlflow and what it imports warn about each other; none of it is ours
pytestmark = pytest.mark.filterwarnings("ignore")


def scored(run_key: str, name: str = "alice · gru 512", value: float = 0.5) -> Journal:
    """Make the journal of the evaluate stage for a run that `training` has opened."""
    made = Journal("evaluate", run_key, "alice", name, start=1_000)
    made.metrics({"score": value}, timestamp=8_000, dataset="alice")
    made.metrics({"baseline_score": 0.4}, timestamp=8_000)
    return made


def above(children: list[str], note: str = "") -> Journal:
    """Make the journal of a run that compares `children`; its key is made from theirs."""
    key = uuid.uuid5(uuid.NAMESPACE_OID, "".join(sorted(children))).hex
    made = Journal("report", key, "alice", f"comparison of {len(children)}", start=2_000)
    made.metrics({"best_score": 0.9}, timestamp=9_000)
    for child in children:
        made.child(child)
    made.note(note)
    made.finish(end=9_000)
    return made


def parents(project: Project) -> dict[str, str | None]:
    """Map the key of each run to the name of its parent run."""
    runs = {run.info.run_id: run for run in runs_of(project)}
    found = {run.data.tags["run_key"]: run.data.tags.get("mlflow.parentRunId") for run in runs.values()}
    return {key: runs[parent].info.run_name if parent else None for key, parent in found.items()}


def test_a_figure_on_data_belongs_to_the_model_and_to_what_the_run_has_seen(tables: Project) -> None:
    first = training(tables)
    found = deliver(first, tables)
    for _ in range(2):
        deliver(scored(first.content.run_key), tables)
    client, run = client_of(tables), assert_whole(tables)
    kept = [(m.key, m.value, m.dataset_name, m.dataset_digest) for m in client.get_logged_model(found.model_id).metrics]
    assert kept == [("score", 0.5, "alice", DIGEST)]
    better = client.search_logged_models([run.info.experiment_id], "metrics.score > 0.4", [{"dataset_name": "alice"}])
    assert [model.model_id for model in better] == [found.model_id]
    assert not client.search_logged_models([run.info.experiment_id], "metrics.score > 0.6")
    assert run.data.metrics["baseline_score"] == 0.4 and len(client.get_metric_history(run.info.run_id, "score")) == 1


def test_the_files_of_installed_packages_are_not_listed(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.utils import requirements_utils

    def listed() -> dict[str, list[str]]:
        os._exit(1)  # of the process that sends

    monkeypatch.setattr(requirements_utils, "_MODULES_TO_PACKAGES", None)
    monkeypatch.setattr(requirements_utils.importlib_metadata, "packages_distributions", listed)
    assert deliver(training(tables), tables).model_id is not None


def test_a_note_has_addresses_that_the_store_knows(tables: Project) -> None:
    first, second = training(tables), small(uuid.uuid4().hex)
    keys = [made.content.run_key for made in (first, second)]
    first.note(
        f"[report](run:{keys[0]}/artifacts/labels) [model](model:{keys[0]}) [both](compare:{','.join(keys)}) "
        "[all](experiment:/runs) {tag:task} {param:units} {tag:absent}"
    )
    other = deliver(second, tables)
    found = deliver(first, tables)
    client, run_id = client_of(tables), found.run_id
    run = client.get_run(run_id)
    experiment = run.info.experiment_id
    said = run.data.tags["mlflow.note.content"]
    report, model, both, everything = re.findall(r"\]\((.+?)\)", said)
    assert report == f"#/experiments/{experiment}/runs/{run_id}/artifacts/labels"
    assert [file.path for file in client.list_artifacts(run_id, report.rpartition("/")[2])] == ["labels/labels.json"]
    assert model == f"#/experiments/{experiment}/models/{found.model_id}"
    query = urllib.parse.parse_qs(both.partition("?")[2])
    assert json.loads(query["runs"][0]) == [run_id, other.run_id] and json.loads(query["experiments"][0]) == [
        experiment
    ]
    assert everything == f"#/experiments/{experiment}/runs" and said.endswith(" char_lm 512 –")
    assert client.get_logged_model(found.model_id).tags["mlflow.note.content"] == said


def test_a_note_that_a_person_has_written_stays(tables: Project) -> None:
    key, client = uuid.uuid4().hex, client_of(tables)

    def say(text: str) -> str:
        made = small(key)
        made.note(text)
        made.experiment(f"about {text}", [View("result", "Result", {"orderByKey": text})])
        run = client.get_run(deliver(made, tables).run_id)
        tags = client.get_experiment(run.info.experiment_id).tags
        assert tags["mlflow.note.content"] == f"about {run.data.tags['mlflow.note.content']}"
        return str(run.data.tags["mlflow.note.content"])

    assert (say("first"), say("second")) == ("first", "second")
    (run,) = runs_of(tables)
    client.set_tag(run.info.run_id, "mlflow.note.content", "mine")
    client.set_experiment_tag(run.info.experiment_id, "mlflow.note.content", "about mine")
    assert say("third") == "mine"


def test_killed_while_a_note_is_renewed(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    key, set_tag = uuid.uuid4().hex, MlflowClient.set_tag
    made = [small(key), small(key)]
    for text, one in zip(("first", "second " * 2_000), made, strict=True):
        one.note(text)
    deliver(made[0], tables)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_tag", lambda *a: interrupted() if a[2].endswith("content") else set_tag(*a))
        assert deliver(made[1], tables) == Delivered(None, None)
    made[1].note("third")
    assert sync(tables) == 1 and deliver(made[1], tables).run_id
    assert runs_of(tables)[0].data.tags["mlflow.note.content"] == "third"


def test_the_saved_view_is_one_that_the_ui_lists_and_a_changed_one_stays(tables: Project) -> None:
    def send(columns: list[str]) -> dict[str, Any]:
        made = small(uuid.uuid4().hex)
        made.experiment("about", [View("result", "Result", {"selectedColumns": columns}), View("more", "More", {})])
        run = client_of(tables).get_run(deliver(made, tables).run_id)
        found = json.loads(
            client_of(tables).get_experiment(run.info.experiment_id).tags["mlflow.sharedViewState.result"]
        )
        client_of(tables).set_experiment_tag(run.info.experiment_id, "experiment", run.info.experiment_id)
        return dict(found)

    first = send(["a"])
    assert first["name"] == "Result" and type(first["createdAt"]) is type(first["updatedAt"]) is int
    assert json.loads(first["state"]) == {"selectedColumns": ["a"]}
    second = send(["b"])
    assert json.loads(second["state"]) == {"selectedColumns": ["b"]} and second["createdAt"] == first["createdAt"]
    changed = json.dumps({**second, "updatedAt": second["updatedAt"] + 1})
    client_of(tables).set_experiment_tag(
        runs_of(tables)[0].info.experiment_id, "mlflow.sharedViewState.result", changed
    )
    assert send(["c"])["state"] == second["state"]


def test_children_stand_under_their_comparison_and_move_when_one_is_retrained(tables: Project) -> None:
    a, b, retrained = (uuid.uuid4().hex for _ in range(3))
    for key in (a, b):
        deliver(small(key), tables)
    for _ in range(2):
        deliver(above([a, b]), tables)
    assert {key: name for key, name in parents(tables).items() if key in (a, b)} == dict.fromkeys(
        (a, b), "comparison of 2"
    )
    assert len(runs_of(tables)) == 3, "the same trainings have one comparison"
    deliver(small(retrained), tables)
    deliver(above([retrained, b], f"[best](run:{retrained})"), tables)
    ids = {run.data.tags["run_key"]: run.info.run_id for run in runs_of(tables)}
    under = {run.data.tags["run_key"]: run.data.tags.get("mlflow.parentRunId") for run in runs_of(tables)}
    first, second = (ids[above(pair).content.run_key] for pair in ([a, b], [b, retrained]))
    assert len(ids) == 5 and (under[a], under[b], under[retrained]) == (first, second, second)
    assert client_of(tables).get_run(second).data.tags["mlflow.note.content"].endswith(f"/runs/{ids[retrained]})")


def test_a_comparison_waits_for_its_runs(tables: Project, capfd: pytest.CaptureFixture[str]) -> None:
    keys = [uuid.uuid4().hex, uuid.uuid4().hex]
    deliver(small(keys[0]), tables)
    made = above(keys)
    assert deliver(made, tables) == Delivered(None, None)
    (line,) = capfd.readouterr().err.splitlines()
    assert keys[1] in line and "not in the store yet" in line
    deliver(small(keys[1]), tables)
    assert (sync(tables), sync(tables)) == (1, 0)
    assert [parents(tables)[key] for key in keys] == ["comparison of 2"] * 2
