"""Addresses of stores: for project paths with odd characters, and without passwords in any message."""

import base64
import http.server
import os
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from pipeline import __main__ as command_line
from pipeline.artifacts import Project
from pipeline.tracking import address
from pipeline.tracking.delivery import deliver, spooled
from pipeline.tracking.store import DEFAULTS

from .conftest import assert_whole, journal, training

pytestmark = pytest.mark.filterwarnings("ignore")
ODD = ["100%", "feature%2Fx", "%41", "a?b", "a#b", "ü 日本 [x] {y}", "it's;a&b+c=d~$e@f:g"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "sqlite:////home/a b/mlflow.db"),
        ("sqlite:///other.db", "sqlite:////home/a b/other.db"),
        ("sqlite:///other.db?timeout=5", "sqlite:////home/a b/other.db?timeout=5"),
        ("sqlite:////else/where.db", "sqlite:////else/where.db"),
        ("sqlite:////else/c%20d/where.db", "sqlite:////else/c d/where.db"),
        ("http://server:5000", "http://server:5000"),
    ],
)
def test_address(given: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", "/home/a b")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    assert address.address(Project(Path("/queue"))) == expected


@pytest.mark.parametrize("name", ODD)
def test_sqlalchemy_reads_the_path_from_the_address(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.engine import make_url

    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / name).mkdir()
    expected = str(tmp_path / name / "mlflow.db")
    for given in ("", f"sqlite:///{tmp_path}/{name}/mlflow.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
        uri = address.address(Project(tmp_path / name))
        assert make_url(uri).database == expected and address.sqlite_file(uri) == Path(expected)


@pytest.mark.fault("project-path")
@pytest.mark.parametrize("name", ["feature%2Fx 100%41", "a?b#c"])
def test_runs_arrive_in_a_folder_with_an_odd_name(
    name: str, tables: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = Project(tables.root.rename(tmp_path / name))
    assert deliver(training(project), project).model_id and spooled(project) == []
    assert_whole(project)
    assert len(list((project.root / "mlartifacts").rglob("MLmodel"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing outside the project"
    assert capfd.readouterr().err == ""


def test_what_a_command_starts_has_the_password_in_its_variables_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, str] = {}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:sla/sh%41@host/path")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(command_line.COMMANDS, "watch", (lambda *_: seen.update(os.environ), "see"))
    assert command_line.main(["watch"]) == 0
    assert seen["MLFLOW_TRACKING_URI"] == "https://host/path"
    assert (seen["MLFLOW_TRACKING_USERNAME"], seen["MLFLOW_TRACKING_PASSWORD"]) == ("ann", "sla/shA")
    assert os.environ["MLFLOW_TRACKING_URI"].startswith("https://ann:") and "MLFLOW_TRACKING_PASSWORD" not in os.environ


NASTY = ["plain-w0rd", "sla/sh-w0rd", "a@t:co/l0n", "qu?ery#s1gn", "per%2Fcent%41", "bl ank-w0rd", "ü-w0rd"]


@pytest.mark.fault("password-in-address")
@pytest.mark.parametrize("password", NASTY)
@pytest.mark.parametrize("scheme", ["http", "https", "postgresql", "mysql+pymysql"])
def test_no_form_of_a_password_is_shown(password: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"{scheme}://ann:{password}@host:5000/db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    plain = urllib.parse.unquote(password)
    for form in (password, plain, urllib.parse.quote(plain, safe=""), repr(plain)[1:-1]):
        long = "x" * (294 - len(f" {scheme}://ann:")) + f" {uri} "  # it is cut within the password
        assert password[:5] not in address.reason(OSError(long))
        for text in (
            f"cannot reach {uri}",
            f"bad login {form!r} for ann",
            f"{long}",
            f"No connection: ann:{form}@host",
        ):
            said = address.reason(OSError(text))
            assert form not in said and password not in said, said
    assert address.shown(uri).startswith(f"{scheme}://") and address.shown(uri).endswith("host:5000/db")


@pytest.mark.fault("password-in-address")
@pytest.mark.parametrize("password", ["sla/sh-w0rd", "a@t:co/l0n", "per%2Fcent"])
def test_a_password_reaches_the_server_and_no_message(
    password: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 403)
            seen.append(self.headers.get("Authorization", ""))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{password}@127.0.0.1:{server.server_port}")
        monkeypatch.chdir(tmp_path)
        before = dict(os.environ)
        assert command_line.main(["champions"]) == 2
        deliver(journal(), Project(tmp_path))
        assert set(os.environ) - set(before) <= set(DEFAULTS), "no password in the environment of what follows"
        server.shutdown()
    login = "Basic " + base64.b64encode(f"ann:{urllib.parse.unquote(password)}".encode()).decode()
    assert login in seen
    said = "".join(capfd.readouterr())
    assert f"http://127.0.0.1:{server.server_port}" in said and password not in said and "sh-w0rd" not in said


SERVERS = {"http://h:5000": True, "https://h/x": True, "postgresql://h/x": True, "sqlite:///mlflow.db": False,
           "sqlite+pysqlite:////x": False, "file:///x": False, "/x": False, "": False}  # fmt: skip


@pytest.mark.parametrize("uri", SERVERS)
def test_other_machines_reach_servers_and_no_files(uri: str) -> None:
    assert address.is_shared(uri) == SERVERS[uri]
