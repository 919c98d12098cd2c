"""Journals reach MLflow whole and once, whatever the store does meanwhile."""

import contextlib
import http.server
import json
import math
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Project
from pipeline.errors import UserError
from pipeline.tracking import store
from pipeline.tracking.delivery import Delivered, deliver, spooled, sync
from pipeline.tracking.record import Journal, SystemMonitor, environment_tags, load, now

# mlflow and what it imports warn about each other; none of it is ours
pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).parents[2]
DIGEST = "0123456789abcdef0123456789abcdef.dir"
SERVED = """
import json
from pathlib import Path

import mlflow


class Served(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.labels = json.loads((Path(context.artifacts["model"]) / "labels.json").read_text())
        (Path(context.artifacts["model"]).parent / "loaded").touch()

    def predict(self, context, model_input: list[str], params=None) -> list[dict]:
        heat = (params or {}).get("temperature")
        return [{"label": self.labels[text], "temperature": heat} for text in model_input]


mlflow.models.set_model(Served())
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    root = tmp_path / "a project"
    (root / "model").mkdir(parents=True)
    (root / "model" / "labels.json").write_text('{"good": "positive", "bad": "negative"}')
    (root / "served.py").write_text(SERVED)
    return Project(root)


@pytest.fixture
def tables(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, project: Project) -> Project:
    """A project whose store has its tables already: making them takes MLflow seconds."""
    made = request.config.stash.get(TABLES, None)
    if made is None:
        blank = Project(tmp_path_factory.mktemp("tables"))
        deliver(journal(), blank)
        made = request.config.stash[TABLES] = blank.root / "mlflow.db"
        with sqlite3.connect(made) as database:  # the experiment points to the other folder
            for table in ("runs", "tags", "experiment_tags"):
                database.execute(f"delete from {table}")
            database.execute("delete from experiments where name = 'alice'")
    (project.root / "mlflow.db").write_bytes(made.read_bytes())
    return project


TABLES = pytest.StashKey[Path]()


def journal(stage: str = "train", run_key: str | None = None) -> Journal:
    return Journal(stage, run_key or uuid.uuid4().hex, "alice", "alice · gru 512", start=1_000)


def training(project: Project, run_key: str | None = None) -> Journal:
    made = journal("train", run_key)
    made.params({"units": 512, "cell": "gru"})
    made.tags({"task": "char_lm", "absent": None})
    made.note("a note")
    for epoch in range(3):
        made.metrics({"loss": 3.0 - epoch, "val_loss": 4.0 - epoch}, step=epoch, timestamp=2_000 + epoch)
    made.dataset("alice", "https://example.org/alice.txt", DIGEST, "training")
    made.text("samples/hello.txt", "hello")
    made.artifact(project.root / "served.py", "code")
    made.artifact(project.root / "model", "labels")
    made.model(
        project.root / "model",
        "alice-gru",
        served_by=project.root / "served.py",
        example=["good", "bad"],
        output=[{"label": "positive", "temperature": 1.0}],
        parameters={"temperature": 1.0},
        requirements=["mlflow==3.17.2"],
    )
    made.finish("FINISHED", end=9_000)
    return made


def client_of(project: Project) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.address(project))


def runs_of(project: Project) -> list[Any]:
    client = client_of(project)
    experiment = client.get_experiment_by_name("alice")
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def assert_whole(project: Project) -> Any:
    """Exactly one run, with all that `training` holds; the run."""
    client, (run,) = client_of(project), runs_of(project)
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", 1_000, 9_000)
    assert run.info.run_name == "alice · gru 512"
    assert run.data.params == {"units": "512", "cell": "gru"}
    assert run.data.tags["mlflow.note.content"] == "a note" and "absent" not in run.data.tags
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(row.step, row.value, row.timestamp) for row in history] == [(0, 3, 2000), (1, 2, 2001), (2, 1, 2002)]
    (given,) = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest, given.tags[0].value) == ("alice", DIGEST, "training")
    artifacts = Path(project.root / "mlartifacts" / "alice" / run.info.run_id / "artifacts")
    files = {str(path.relative_to(artifacts)) for path in artifacts.rglob("*") if path.is_file()}
    assert files == {"samples/hello.txt", "code/served.py", "labels/labels.json"}
    (model,) = client.search_logged_models([run.info.experiment_id])
    (output,) = client.get_run(run.info.run_id).outputs.model_outputs
    assert run.data.tags["model_id"] == model.model_id == output.model_id and model.status == "READY"
    return run


@pytest.fixture
def closed_port() -> Iterator[str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def interrupted(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_delivery_is_whole_and_the_model_answers(tables: Project, capfd: pytest.CaptureFixture[str]) -> None:
    imported = "tensorflow" in sys.modules  # by another test
    found = deliver(training(tables), tables)
    run = assert_whole(tables)
    assert found == Delivered(run.info.run_id, run.data.tags["model_id"], run.info.experiment_id)
    assert capfd.readouterr() == ("", "") and spooled(tables) == []
    assert not list((tables.root / "mlartifacts").rglob("loaded")), "logging must not load the model"
    import mlflow

    model = mlflow.pyfunc.load_model(client_of(tables).get_logged_model(found.model_id).artifact_location)
    assert [row["label"] for row in model.predict(["good", "bad"])] == ["positive", "negative"]
    assert model.predict(["bad"], params={"temperature": 0.5})[0]["temperature"] == 0.5
    signature = model.metadata.signature
    assert signature.inputs and set(signature.outputs.input_names()) == {"label", "temperature"} and signature.params
    assert list(model.input_example) == ["good", "bad"]
    assert ("tensorflow" in sys.modules) == imported


def test_later_stages_log_into_the_same_run(tables: Project) -> None:
    first = training(tables)
    found = deliver(first, tables)
    later = journal("evaluate", first.content.run_key)
    later.metrics({"test_accuracy": 0.5})
    assert deliver(later, tables) == found
    assert assert_whole(tables).data.metrics["test_accuracy"] == 0.5


def test_closed_port_costs_a_warning_and_sync_sends_once(
    tables: Project, closed_port: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = training(tables)
    later = journal("evaluate", first.content.run_key)
    later.metrics({"test_accuracy": 0.5}, timestamp=8_000)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_port)
    begin = time.monotonic()
    assert deliver(first, tables) == Delivered(None, None)
    assert time.monotonic() - begin < 5
    (line,) = capfd.readouterr().err.splitlines()
    assert closed_port in line and "python -m pipeline sync" in line and str(spooled(tables)[0]) in line
    deliver(later, tables)
    assert [entry.name.split("-")[1] for entry in spooled(tables)] == ["train", "evaluate"]
    with pytest.raises(UserError, match="2 of 2 journals stay"):
        sync(tables)
    (tables.root / "model" / "labels.json").write_text("a rerun has overwritten it")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert (sync(tables), sync(tables)) == (2, 0)
    run = assert_whole(tables)
    assert run.data.metrics["test_accuracy"] == 0.5 and spooled(tables) == []
    labels = tables.root / "mlartifacts" / "alice" / run.info.run_id / "artifacts" / "labels" / "labels.json"
    assert "positive" in labels.read_text()


@contextlib.contextmanager
def server(health: int) -> Iterator[str]:
    """A server that answers its health check with that code, and all else with 503; its host and port."""

    class Failing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(health if self.path == "/health" else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{made.server_port}"
        made.shutdown()


def test_server_that_answers_only_its_health_check(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with server(health=200) as place:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{place}")
        begin = time.monotonic()
        assert deliver(journal(), project) == Delivered(None, None)
        assert time.monotonic() - begin < 5
    assert len(capfd.readouterr().err.splitlines()) == 1 and len(spooled(project)) == 1


def test_a_password_in_the_address_is_no_part_of_the_host_and_not_shown(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with server(health=503) as place:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:s3cr3t-w0rd@{place}")
        assert deliver(journal(), project) == Delivered(None, None)
    (line,) = capfd.readouterr().err.splitlines()
    assert f"http://{place} answers 503" in line and "s3cr3t" not in line


@pytest.mark.parametrize(
    "point", ["log_text", "log_model_artifacts", "finalize_logged_model", "log_outputs", "set_tag"]
)
def test_killed_on_the_way_and_repeated(tables: Project, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    from mlflow import MlflowClient

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, point, interrupted)
        with pytest.raises(KeyboardInterrupt):
            deliver(training(tables), tables)
    assert sync(tables) == 1
    assert_whole(tables)


def test_killed_after_the_last_word(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda path, to: path.replace(to) if path.name[0] == "." else interrupted())
        with pytest.raises(KeyboardInterrupt):
            deliver(training(tables), tables)
    assert (sync(tables), sync(tables)) == (1, 0)
    assert_whole(tables)


def hold(path: Path, seconds: float) -> threading.Thread:
    """Locks a sqlite file in a thread, and returns when it is locked."""
    locked = threading.Event()

    def run() -> None:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("begin immediate")
        locked.set()
        time.sleep(seconds)
        database.close()

    thread = threading.Thread(target=run)
    thread.start()
    locked.wait()
    return thread


def test_lock_of_three_seconds_is_waited_for(tables: Project, capfd: pytest.CaptureFixture[str]) -> None:
    thread = hold(tables.root / "mlflow.db", 3)
    deliver(training(tables), tables)
    thread.join()
    assert_whole(tables)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"junk " * 100, b"SQLite format 3\0" + b"\xff" * 200])
def test_unreadable_database_costs_a_warning(
    project: Project, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (project.root / "mlflow.db").write_bytes(content)
    assert deliver(journal(), project) == Delivered(None, None)
    (line,) = capfd.readouterr().err.splitlines()
    assert "mlflow.db" in line and "database" in line and len(spooled(project)) == 1
    assert (project.root / "mlflow.db").read_bytes() == content


def test_store_that_refuses_a_run_costs_one_line(tables: Project, capfd: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(tables.root / "mlflow.db") as database:
        database.execute("create trigger full before insert on runs begin select raise(abort, 'no room'); end")
    assert deliver(training(tables), tables) == Delivered(None, None)
    (line,) = capfd.readouterr().err.splitlines()
    assert "no room" in line and "alice · gru 512" in line
    with sqlite3.connect(tables.root / "mlflow.db") as database:
        database.execute("drop trigger full")
    assert sync(tables) == 1
    assert_whole(tables)


def test_another_process_that_sends_for_too_long(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TURN_SECONDS", 0.2)
    (tables.root / "data" / "spool").mkdir(parents=True)
    with store.one_at_a_time(tables):
        assert deliver(journal(), tables) == Delivered(None, None)
    assert sync(tables) == 1


def test_two_processes_on_a_fresh_store_under_dvc_root(project: Project, tmp_path: Path) -> None:
    code = (
        "import uuid; from pipeline import artifacts; from pipeline.tracking.delivery import deliver\n"
        "from pipeline.tracking.record import Journal\n"
        "made = Journal('train', uuid.uuid4().hex, 'alice', 'a run', 1); made.params({'units': 1}); made.finish()\n"
        "assert deliver(made, artifacts.here()).run_id"
    )
    environment = {**os.environ, "DVC_ROOT": str(project.root), "PYTHONPATH": str(ROOT)}
    copies = [tmp_path / "copy1", tmp_path / "copy2"]
    for copy in copies:
        copy.mkdir()
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, cwd=copy, env=environment, stderr=subprocess.PIPE) for copy in copies]
    assert [(process.communicate()[1], process.returncode) for process in started] == [(b"", 0)] * 2
    assert len(runs_of(project)) == 2 and [*copies[0].iterdir(), *copies[1].iterdir()] == []


def test_deleted_experiment_and_run_come_back(tables: Project) -> None:
    first = training(tables)
    found = deliver(first, tables)
    client = client_of(tables)
    client.delete_run(found.run_id)
    client.delete_experiment(client.get_experiment_by_name("alice").experiment_id)
    assert deliver(journal("evaluate", first.content.run_key), tables) == found
    assert_whole(tables)


def test_address(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.address(project) == f"sqlite:///{project.root}/mlflow.db"
    monkeypatch.setenv("DVC_ROOT", "/checkout")
    assert store.address(project) == "sqlite:////checkout/mlflow.db"
    for given, expected in [
        ("sqlite:///other.db", "sqlite:////checkout/other.db"),
        ("sqlite:////else/where.db", "sqlite:////else/where.db"),
        ("http://server:5000", "http://server:5000"),
    ]:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
        assert store.address(project) == expected


def test_reason_names_no_password() -> None:
    shown = store.reason(OSError("postgresql://me:se@cret@host/db is down\nand more"))
    assert shown == "OSError: postgresql://host/db is down"


def scored(run_key: str, name: str = "alice · gru 512", value: float = 0.5) -> Journal:
    """What evaluate tells of a run that `training` has opened."""
    made = Journal("evaluate", run_key, "alice", name, start=1_000)
    made.metrics({"score": value}, timestamp=8_000, dataset="alice")
    made.metrics({"baseline_score": 0.4}, timestamp=8_000)
    return made


def small(run_key: str, source: str = "alice") -> Journal:
    """A run that is nothing but there."""
    return Journal("train", run_key, source, run_key[:4], start=1_000)


def above(children: list[str], note: str = "") -> Journal:
    """A run that compares `children`, its key made of theirs."""
    key = uuid.uuid5(uuid.NAMESPACE_OID, "".join(sorted(children))).hex
    made = Journal("report", key, "alice", f"comparison of {len(children)}", start=2_000)
    made.metrics({"best_score": 0.9}, timestamp=9_000)
    for child in children:
        made.child(child)
    made.note(note)
    made.finish(end=9_000)
    return made


def parents(project: Project) -> dict[str, str | None]:
    """By key, the name of the run that a run stands under."""
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
        made.experiment(f"about {text}", "Result", {"orderByKey": text})
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
        with pytest.raises(KeyboardInterrupt):
            deliver(made[1], tables)
    made[1].note("third")
    assert sync(tables) == 1 and deliver(made[1], tables).run_id
    assert runs_of(tables)[0].data.tags["mlflow.note.content"] == "third"


def test_the_saved_view_is_one_that_the_ui_lists_and_a_changed_one_stays(tables: Project) -> None:
    def send(columns: list[str]) -> dict[str, Any]:
        made = small(uuid.uuid4().hex)
        made.experiment("about", "Result", {"selectedColumns": columns})
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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda made: made.metric("loss", math.nan, 3), "loss at step 3"),
        (lambda made: made.metric("loss", math.inf), "finite"),
        (lambda made: made.dataset("alice", "x", "0" * 37, "training"), "36 characters"),
        (lambda made: journal(run_key="x"), "32 hex digits"),
        (lambda made: journal(stage="no-stage"), "lower-case word"),
    ],
)
def test_what_cannot_be_logged_is_refused_at_once(wrong: Callable[[Journal], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong(journal())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        journal().artifact(Path("nowhere"))


def test_journal_survives_saving(project: Project, tmp_path: Path) -> None:
    made = training(project)
    (tmp_path / "saved").mkdir()
    made.save(tmp_path / "saved")
    found, kept = load(tmp_path / "saved"), made.content
    assert (found.metrics, found.datasets, found.params, found.texts) == (
        kept.metrics,
        kept.datasets,
        kept.params,
        kept.texts,
    )
    assert found.model is not None and (Path(found.model.package) / "serving" / "served.py").is_file()
    assert not list((tmp_path / "saved").rglob("__pycache__"))


def test_environment_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@alice")
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    assert "git_dirty" not in environment_tags(Project(tmp_path))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "dvc.lock").touch()
    clean = environment_tags(Project(tmp_path))
    assert clean["git_dirty"] == "false" and len(clean["mlflow.source.git.commit"]) == 40
    assert clean["dvc_stage"] == "train@alice" and "dvc_experiment" not in clean and clean["mlflow_version"]
    (tmp_path / "params.yaml").touch()
    assert environment_tags(Project(tmp_path))["git_dirty"] == "true"


def test_system_monitor() -> None:
    begin = now()
    with SystemMonitor(every=0.05) as monitor:
        time.sleep(0.2)
    names = {row.key for row in monitor.rows}
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= names
    assert len(monitor.rows) >= 2 * len(names) and {row.step for row in monitor.rows} >= {0, 1}
    assert all(begin <= row.timestamp <= now() and math.isfinite(row.value) for row in monitor.rows)
