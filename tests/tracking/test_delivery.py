"""Journals arrive in MLflow completely and once, even if the store fails in between."""

import contextlib
import http.server
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import __main__ as command_line
from pipeline.artifacts import Project
from pipeline.errors import UserError
from pipeline.serving.served import Served
from pipeline.tracking import child, store
from pipeline.tracking.delivery import LATER, Delivered, deliver, spool, spooled, sync, waiting
from pipeline.tracking.trace import trace
from tests.conftest import settings
from tests.tasks import case

from .conftest import assert_whole, client_of, interrupted, journal, runs_of, training

# mlflow and what it imports warn about each other; none of it is ours
pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def closed_port() -> Iterator[str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


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


def test_what_waits_is_counted_with_the_command_that_sends_it(tables: Project) -> None:
    spool(training(tables), tables)
    assert waiting(tables).startswith("tracking: 1 journal waits in data/spool")
    spool(training(tables), tables)
    assert waiting(tables).startswith("tracking: 2 journals wait") and "`python -m pipeline sync`" in waiting(tables)


def test_later_stages_log_into_the_same_run(tables: Project) -> None:
    first = training(tables)
    found = deliver(first, tables)
    later = journal("evaluate", first.content.run_key)
    later.metrics({"test_accuracy": 0.5})
    assert deliver(later, tables) == found
    assert assert_whole(tables).data.metrics["test_accuracy"] == 0.5


@pytest.mark.fault("mlflow-down")
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
    """Start a server that answers its health check with a given code, and all else with 503; yield host and port."""

    class Failing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(health if self.path == "/health" else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{made.server_port}"
        made.shutdown()


@pytest.mark.fault("mlflow-down")
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


@pytest.mark.fault("mlflow-dies")
@pytest.mark.parametrize(
    "point", ["log_text", "log_model_artifacts", "finalize_logged_model", "log_outputs", "set_tag"]
)
def test_killed_on_the_way_and_repeated(tables: Project, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    from mlflow import MlflowClient

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, point, interrupted)
        assert deliver(training(tables), tables) == Delivered(None, None)
    assert sync(tables) == 1
    assert_whole(tables)


@pytest.mark.fault("mlflow-dies")
def test_killed_after_the_last_word(tables: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda path, to: path.replace(to) if path.name[0] == "." else interrupted())
        assert deliver(training(tables), tables) == Delivered(None, None)
    assert (sync(tables), sync(tables)) == (1, 0)
    assert_whole(tables)


HOLD = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("begin exclusive")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextlib.contextmanager
def hold(path: Path, seconds: float) -> Iterator[None]:
    """Lock a sqlite file in another process, for some seconds but no longer than the block."""
    command = [sys.executable, "-c", HOLD, str(path), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"locked\n"
        yield
        process.kill()


@pytest.mark.fault("sqlite-locked")
def test_lock_of_three_seconds_is_waited_for(tables: Project, capfd: pytest.CaptureFixture[str]) -> None:
    with hold(tables.root / "mlflow.db", 3):
        deliver(training(tables), tables)
    assert_whole(tables)
    assert capfd.readouterr().err == ""


@pytest.mark.fault("sqlite-damaged")
@pytest.mark.parametrize("content", [b"junk " * 100, b"SQLite format 3\0" + b"\xff" * 200])
def test_unreadable_database_costs_a_warning(
    project: Project, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (project.root / "mlflow.db").write_bytes(content)
    assert deliver(journal(), project) == Delivered(None, None)
    (line,) = capfd.readouterr().err.splitlines()
    assert "mlflow.db" in line and "database" in line and len(spooled(project)) == 1
    assert (project.root / "mlflow.db").read_bytes() == content


@pytest.mark.fault("mlflow-dies")
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
    for process in started:
        assert process.stderr is not None
        # on a busy machine, the one that waits for the other's new tables says so
        assert all(b"waiting for MLflow" in line for line in process.stderr) and process.wait() == 0
    assert len(runs_of(project)) == 2 and [*copies[0].iterdir(), *copies[1].iterdir()] == []


def test_deleted_experiment_and_run_come_back(tables: Project) -> None:
    first = training(tables)
    found = deliver(first, tables)
    client = client_of(tables)
    client.delete_run(found.run_id)
    client.delete_experiment(client.get_experiment_by_name("alice").experiment_id)
    assert deliver(journal("evaluate", first.content.run_key), tables) == found
    assert_whole(tables)


@pytest.mark.fault("two-syncs")
def test_journals_that_another_process_sends_meanwhile_are_no_failure(
    tables: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        spool(training(tables), tables)
    within = child.within

    def after_another(*given: Any) -> Any:
        monkeypatch.setattr(child, "within", within)
        assert sync(tables) == 3
        return within(*given)

    monkeypatch.setattr(child, "within", after_another)
    assert sync(tables) == 0
    assert len(runs_of(tables)) == 3 and spooled(tables) == []


@contextlib.contextmanager
def silent() -> Iterator[tuple[str, threading.Event]]:
    """Start a server that is healthy and answers nothing else; yield its address, and what is set by a request."""
    asked, over = threading.Event(), threading.Event()

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/health":
                asked.set()
                while not over.wait(0.5):  # a byte now and then, so that no request times out
                    with contextlib.suppress(OSError):
                        self.wfile.write(b"H")
                return
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}", asked
        over.set()
        made.shutdown()


@pytest.mark.fault("mlflow-slow")
def test_a_server_that_never_answers_is_given_up_at_the_deadline(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "SAY_AFTER", 1.0)
    with silent() as (place, asked):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
        assert deliver(journal(), project, seconds=3) == Delivered(None, None)
        assert asked.is_set()
        with pytest.raises(UserError, match="1 of 1 journals stay"):
            sync(project, seconds=3)
    first, second, third = capfd.readouterr().err.splitlines()
    assert first == third == f"tracking: waiting for MLflow at {place}, up to 3 s"
    assert f"{place} is given up: no complete answer within 3 s" in second and "python -m pipeline sync" in second


@pytest.mark.fault("mlflow-slow")
@pytest.mark.long
def test_a_stage_waits_a_minute_in_all_and_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    call = MlflowClient.log_batch
    monkeypatch.setattr(child, "SAY_AFTER", 5.0)
    monkeypatch.setattr(MlflowClient, "log_batch", lambda *a, **k: (time.sleep(30), call(*a, **k)))
    begin = time.monotonic()
    made = training(project)
    assert deliver(made, project) == Delivered(None, None)
    assert 60 <= time.monotonic() - begin < 110  # of which the new tables take some on a busy machine
    assert "up to 60 s" in capfd.readouterr().err
    monkeypatch.setattr(MlflowClient, "log_batch", call)
    assert sync(project) == 1
    assert_whole(project)


@pytest.mark.long
@pytest.mark.fault("mlflow-dies")
@pytest.mark.parametrize("point", ["log_batch", "log_artifact", "create_logged_model", "set_terminated"])
def test_given_up_in_the_middle_and_sent_once(tables: Project, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    from mlflow import MlflowClient

    with monkeypatch.context() as patch:
        call = getattr(MlflowClient, point)
        patch.setattr(MlflowClient, point, lambda *a, **k: (call(*a, **k), time.sleep(600)))
        assert deliver(training(tables), tables, seconds=6) == Delivered(None, None)
    assert (sync(tables), sync(tables)) == (1, 0)
    assert_whole(tables)


@pytest.mark.fault("mlflow-upload-fails")
def test_an_upload_that_breaks_off_is_repeated_whole(
    tables: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    with monkeypatch.context() as patch:
        copied = LocalArtifactRepository.log_artifacts

        def most(self: Any, folder: str, into: str | None = None) -> None:
            files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            if len(files) > 10:  # the model, not the attachments
                for path in files[-len(files) // 10 :]:
                    path.unlink()
                copied(self, folder, into)
                raise ConnectionResetError("the server has closed the connection")
            copied(self, folder, into)

        patch.setattr(LocalArtifactRepository, "log_artifacts", most)
        assert deliver(training(tables), tables) == Delivered(None, None)
    assert "ConnectionResetError" in capfd.readouterr().err
    (model,) = client_of(tables).search_logged_models([runs_of(tables)[0].info.experiment_id])
    assert model.status != "READY", "promotion takes no such model"
    assert sync(tables) == 1
    run = assert_whole(tables)
    import mlflow

    place = client_of(tables).get_logged_model(run.data.tags["model_id"]).artifact_location
    assert mlflow.pyfunc.load_model(place).predict(["good"])[0]["label"] == "positive"


@pytest.mark.fault("sqlite-locked")
@pytest.mark.long
def test_lock_of_25_seconds_costs_a_warning(
    tables: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "SAY_AFTER", 5.0)
    with hold(tables.root / "mlflow.db", 60):
        begin = time.monotonic()
        assert deliver(training(tables), tables) == Delivered(None, None)
        assert time.monotonic() - begin < 60
    waiting, line = capfd.readouterr().err.splitlines()
    assert "waiting for MLflow" in waiting and "locked" in line
    assert sync(tables) == 1
    assert_whole(tables)


@pytest.mark.fault("trained-model-kept")
@pytest.mark.long
def test_a_training_killed_while_it_waits_for_mlflow_has_its_model(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = settings()
    row = case.CASES["image_rows"].trained
    for table in ("sources", "datasets", "experiments"):
        made[table] = {row.name: made[table][row.name]}
    (project.root / "params.yaml").write_text(yaml.safe_dump(made, sort_keys=False))
    monkeypatch.chdir(project.root)
    for stage, name in (("download", row.name), ("preprocess", row.name), ("baseline", row.name)):
        assert command_line.main([stage, name]) == 0
    command = [sys.executable, "-m", "pipeline", "train", row.name]
    with silent() as (place, asked):
        environment = {**os.environ, "MLFLOW_TRACKING_URI": place, "PYTHONPATH": str(ROOT), "PIPELINE_WARM": "0"}
        with subprocess.Popen(command, env=environment) as process:
            assert asked.wait(200)
            process.kill()
    folder = project.model(row.name)
    assert (folder / "model" / "weights" / "0.npz").is_file()
    record = json.loads((folder / "run.json").read_text())
    assert record["run_id"] is None and (folder / "fit.json").is_file()
    assert [entry.name.split("-")[:2] for entry in spooled(project)] == [[record["run_key"], "train"]]
    assert Served(folder / "model").answer([row.fine], {})
    assert sync(project) == 1
    client = client_of(project)
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.data.tags["run_key"]) == ("FINISHED", record["run_key"])
    assert f"run         {run.info.run_id}" in trace(project, record["run_key"])


@pytest.mark.fault("spool-damaged")
def test_a_damaged_journal_blocks_no_other_run_and_the_advice_works(tables: Project) -> None:
    entry = spool(journal(), tables)
    (entry / "journal.json").write_text('{"stage": "tra')
    spool(training(tables), tables)
    with pytest.raises(UserError, match="1 of 2 journals stay") as refused:
        sync(tables)
    assert_whole(tables)
    shutil.rmtree(str(refused.value).rpartition("delete ")[2])
    assert sync(tables) == 0


def test_the_journals_of_a_worker_wait_for_whoever_started_it(
    empty_store: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(LATER, "1")
    assert deliver(journal(), empty_store) == Delivered()
    assert sync(empty_store) == 0 and len(spooled(empty_store)) == 1
    assert capsys.readouterr().err == ""
