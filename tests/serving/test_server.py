"""The HTTP server over real sockets: bounds on work, time and waiting, and an answer or a sentence for everything."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
import requests
import uvicorn
from uvicorn.protocols.http import auto

from pipeline import artifacts, raw_input
from pipeline.artifacts import Project
from pipeline.errors import Busy
from pipeline.serving import bounds
from pipeline.serving import server as module
from pipeline.serving.bounds import MAX_BODY
from pipeline.serving.served import Served
from pipeline.serving.server import LARGE_WAIT, SMALL_WAIT, Server
from pipeline.tasks import TASKS

JSON = {"Content-Type": "application/json"}
HEAD = "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LARGE = {"inputs": ["long"] * 4, "params": {"length": 5_000}}
SMALL = {"inputs": ["short"], "params": {"length": 5}}


class Slow:
    """A model that repeats its prompts, and waits with `long` ones until it may answer."""

    task = TASKS["char_lm"]

    def __init__(self) -> None:
        self.may_answer, self.asked = threading.Event(), threading.Semaphore(0)

    def try_out(self) -> None:
        """It can answer."""

    def answer(self, inputs: Sequence[Any], options: dict[str, Any], seconds: float) -> list[Any]:
        self.asked.release()
        assert 0 < seconds <= module.SECONDS
        if "long" in inputs:
            self.may_answer.wait(60)
        if "odd" in inputs:
            raise KeyError("nobody expected this")
        if "huge" in inputs:
            raise MemoryError
        if "no number" in inputs:
            return [{"value": float("nan")}]
        return [{"text": text} for text in inputs]


@contextlib.contextmanager
def running(small: Any, large: Any) -> Iterator[str]:
    """The address of a server of two models in a thread, which ends with the block."""
    place = socket.create_server(("127.0.0.1", 0))
    made = Server(cast(Served, small), cast(Served, large))
    served = uvicorn.Server(uvicorn.Config(made.app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=served.run, kwargs={"sockets": [place]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
    finally:
        for model in (small, large):
            model.may_answer.set()
        served.should_exit = True
        thread.join(30)


@pytest.fixture
def models() -> tuple[Slow, Slow]:
    return Slow(), Slow()


@pytest.fixture
def url(models: tuple[Slow, Slow]) -> Iterator[str]:
    with running(*models) as address:
        yield address


def post(url: str, body: Any) -> requests.Response:
    return requests.post(f"{url}/invocations", json=body, timeout=60)


MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not JSON in UTF-8"),
    "not JSON": (b'{"inputs": [', "not JSON in UTF-8"),
    "brackets": (b'{"inputs": ' + b"[" * 50_000, "too many nested brackets"),
    "objects": (b'{"inputs": [' + b'{"a":' * 50_000, "too many nested brackets"),
    "digits": (b'{"inputs": [' + b"9" * 5_000 + b"]}", "not JSON in UTF-8: Exceeds the limit"),
    "NaN": (b'{"inputs": [NaN]}', "NaN is no number"),
    "infinite": (b'{"inputs": [-Infinity]}', "-Infinity is no number"),
    "Latin-1": ('{"inputs": ["é"]}'.encode("latin-1"), "not JSON in UTF-8"),
    "UTF-16": ('{"inputs": ["e"]}'.encode("utf-16"), "not JSON in UTF-8"),
    "list": (b'["short"]', 'the body must be {"inputs": '),
    "string": (b'{"inputs": "short"}', 'the body must be {"inputs": '),
    "no inputs": (b'{"params": {}}', 'the body must be {"inputs": '),
    "other form": (b'{"instances": ["short"]}', 'the body must be {"inputs": '),
    "unknown key": (b'{"inputs": ["short"], "parms": {}}', "'parms': no such key; known: inputs, params"),
    "options": (b'{"inputs": ["short"], "params": [1]}', "params: must be an object"),
}


@pytest.mark.fault("malformed-request")
def test_a_malformed_request_gets_400_and_a_sentence(url: str) -> None:
    for name, (body, message) in MALFORMED.items():
        found = requests.post(f"{url}/invocations", data=body, headers=JSON, timeout=60)
        assert (found.status_code, found.json()["error_code"]) == (400, "BAD_REQUEST"), name
        assert message in found.json()["message"], name
    assert post(url, {"inputs": []}).json() == {"predictions": []}
    assert post(url, SMALL).json() == {"predictions": [{"text": "short"}]}


@pytest.mark.fault("malformed-request")
def test_other_content_other_methods_and_other_addresses(url: str) -> None:
    for kind in ("text/csv", "application/json; charset=latin-1", "application/x-www-form-urlencoded", ""):
        found = requests.post(f"{url}/invocations", data=b"{}", headers={"Content-Type": kind}, timeout=60)
        assert found.status_code == 415 and "send application/json in UTF-8" in found.json()["message"], kind
    kind = {"Content-Type": "Application/JSON; charset=UTF-8"}
    assert requests.post(f"{url}/invocations", data=json.dumps(SMALL), headers=kind, timeout=60).ok
    assert requests.get(f"{url}/invocations", timeout=60).status_code == 405
    assert requests.get(f"{url}/nowhere", timeout=60).status_code == 404
    assert requests.get(f"{url}/ping", timeout=60).ok and requests.get(f"{url}/health", timeout=60).ok
    assert re.fullmatch(r"3\.\d+\.\d+", requests.get(f"{url}/version", timeout=60).text)


@pytest.mark.fault("request-too-large")
def test_a_body_over_the_limit_is_not_read(url: str, models: tuple[Slow, Slow]) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 60) as line:
        line.sendall(f"{HEAD}Content-Length: {MAX_BODY + 1}\r\n\r\n".encode())  # and not a byte of the body
        assert line.recv(12) == b"HTTP/1.1 413"
    with socket.create_connection((host, int(port)), 60) as line:
        line.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(OSError):  # the server hangs up
            for _ in range(MAX_BODY // 2**20 + 1):
                line.sendall(b"100000\r\n" + b" " * 2**20 + b"\r\n")
        assert line.recv(12) == b"HTTP/1.1 413"
    assert not models[0].asked.acquire(blocking=False)


@pytest.mark.fault("slow-client")
def test_a_body_that_does_not_arrive_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "READ_SECONDS", 0.05)
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 60) as line:
        line.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert line.recv(12) == b"HTTP/1.1 408"


@pytest.mark.fault("large-request")
def test_a_small_request_is_answered_while_a_large_one_runs(url: str, models: tuple[Slow, Slow]) -> None:
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(post, url, LARGE)
        assert models[1].asked.acquire(timeout=60)  # it has begun
        for _ in range(3):
            assert post(url, SMALL).json() == {"predictions": [{"text": "short"}]}
        assert not large.done()
        models[1].may_answer.set()
        assert large.result().json() == {"predictions": [{"text": "long"}] * 4}


SIZES = {
    "one short text": (SMALL, "small"),
    "the default length": ({"inputs": ["short"]}, "small"),
    "a long text": ({"inputs": ["short"], "params": {"length": 1_000}}, "large"),
    "many short texts": ({"inputs": ["short"] * 100, "params": {"length": 5}}, "large"),
    "a long body": ({"inputs": ["x" * 70_000], "params": {"length": 1}}, "large"),
}


@pytest.mark.parametrize("name", SIZES)
def test_work_decides_which_network_answers(name: str, url: str, models: tuple[Slow, Slow]) -> None:
    body, size = SIZES[name]
    assert post(url, body).ok
    asked = [model.asked.acquire(blocking=False) for model in models]
    assert asked == [size == "small", size == "large"]


@pytest.mark.fault("server-busy")
@pytest.mark.parametrize(
    ("body", "room", "after"), [(LARGE, LARGE_WAIT, "10"), ({"inputs": ["long"]}, SMALL_WAIT, "1")]
)
def test_who_cannot_wait_gets_503_with_retry_after(
    url: str, models: tuple[Slow, Slow], body: Any, room: int, after: str
) -> None:
    answered: list[requests.Response] = []
    asking = [threading.Thread(target=lambda: answered.append(post(url, body))) for _ in range(room + 8)]
    for thread in asking:
        thread.start()
    deadline = time.monotonic() + 60
    while len(answered) < 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    refused = [*answered]
    for model in models:
        model.may_answer.set()
    for thread in asking:
        thread.join(60)
    assert [r.status_code for r in refused] == [503] * 8
    for response in refused:
        assert response.headers["Retry-After"] == after
        assert response.json() == {
            "error_code": "TEMPORARILY_UNAVAILABLE", "message": f"{room} requests wait already; try again later",
        }  # fmt: skip
    rest = [r for r in answered if r not in refused]
    assert len(rest) == room and all(r.json()["predictions"][0] == {"text": "long"} for r in rest)


@pytest.mark.fault("server-busy")
def test_too_many_bytes_at_once_get_503(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_HELD", 100)
    assert post(url, {"inputs": ["x" * 100]}).status_code == 503
    assert post(url, {"inputs": ["short"]}).ok


@pytest.mark.fault("server-busy")
def test_who_waited_too_long_gets_503(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", -1.0)
    found = post(url, SMALL)
    assert found.status_code == 503 and "too many requests wait; try again later" in found.json()["message"]


def test_an_error_that_nobody_expected_is_logged_and_not_shown(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = post(url, {"inputs": ["odd"]})
    assert found.status_code == 500 and "the server’s log says how" in found.json()["message"]
    assert "nobody expected" not in found.text and "nobody expected this" in capfd.readouterr().err
    huge = post(url, {"inputs": ["huge"]})
    assert huge.status_code == 503 and "not enough memory at present" in huge.json()["message"]
    assert post(url, {"inputs": ["no number"]}).status_code == 500, "NaN is not JSON"
    assert post(url, SMALL).ok


@pytest.mark.fault("deadline")
def test_an_answer_ends_at_its_deadline_in_the_middle_of_a_text(
    trained: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, passed = Served(trained.model("alice") / "model"), iter(range(10**6))
    monkeypatch.setattr(raw_input.time, "monotonic", lambda: next(passed))  # a second for each character
    with pytest.raises(Busy, match=r"no answer within 50 s; ask for less at once"):
        served.answer(["alice"], {"length": 5_000}, 50.0)
    assert 50 < next(passed) < 60
    assert served.answer(["alice"], {"length": 100})[0]["text"]  # without a limit


class Ended(BaseException):
    """In place of the end of the process."""


def test_a_server_that_is_told_to_end_does_not_wait_for_a_large_answer(
    models: tuple[Slow, Slow], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    status: list[int | None] = []

    def ask() -> None:
        with contextlib.suppress(requests.ConnectionError):
            status.append(post(f"http://127.0.0.1:{port}", LARGE).status_code)

    def tell() -> None:
        assert models[1].asked.acquire(timeout=60)  # it has begun
        os.kill(os.getpid(), signal.SIGTERM)

    def end(code: int) -> None:
        raise Ended

    class Announced(uvicorn.Server):
        def run(self, sockets: list[socket.socket] | None = None) -> None:
            for work in (ask, tell):  # the socket accepts connections already
                threading.Thread(target=work).start()
            super().run(sockets)

    monkeypatch.setattr(module, "Served", lambda folder: models[0])
    monkeypatch.setattr(Slow, "twin", lambda self: models[1], raising=False)
    monkeypatch.setattr(module.os, "_exit", end)
    monkeypatch.setattr(uvicorn, "Server", Announced)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # uvicorn repeats the signal when it has ended
    try:
        with pytest.raises(Ended):
            module.run(Path(), "127.0.0.1", port, "x")
        assert not models[1].may_answer.is_set() and 200 not in status, "the answer would have taken a minute"
    finally:
        signal.signal(signal.SIGTERM, before)
        models[1].may_answer.set()


def test_answers_over_a_connection_that_stays_open_leave_at_once(
    models: tuple[Slow, Slow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nagle's algorithm and a client's delayed ACK would hold each of them back for 40 ms."""
    made, seen = Server(cast(Served, models[0]), cast(Served, models[1])), list[int]()
    real = auto.AutoHTTPProtocol.connection_made

    def connection_made(self: Any, transport: Any) -> None:
        seen.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        real(self, transport)

    monkeypatch.setattr(auto.AutoHTTPProtocol, "connection_made", connection_made)
    place = bounds.listening("127.0.0.1", 0)
    served = uvicorn.Server(uvicorn.Config(made.app, log_level="critical"))
    thread = threading.Thread(target=served.run, kwargs={"sockets": [place]})
    place.listen()
    thread.start()
    try:
        assert post(f"http://127.0.0.1:{place.getsockname()[1]}", SMALL).ok
    finally:
        served.should_exit = True
        thread.join(30)
    assert seen and all(seen)


# The command, with a real model


@contextlib.contextmanager
def started(project: Project, model: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of `python -m pipeline serve`, and its process, which ends with the block."""
    kept = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"}
    kept |= {"PYTHONPATH": str(Path(__file__).parents[2]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    kept |= {"MLFLOW_TRACKING_URI": f"sqlite:///{project.root}/mlflow.db", **environment}
    command = [sys.executable, "-m", "pipeline", "serve", model, "--port", "0"]
    process = subprocess.Popen(command, cwd=project.root, env=kept, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r".*: answers at (http://[\d.]+:\d+)/invocations; Ctrl-C ends it$", line)
        assert found, line
        yield found[1], process
    finally:
        process.terminate()
        with process:
            process.wait(30)


@pytest.mark.slow
@pytest.mark.fault("crowd")
@pytest.mark.fault("too-much-at-once")
def test_a_hundred_clients_get_right_answers_or_503_and_too_much_work_is_refused(trained: Project) -> None:
    served = Served(trained.model("alice") / "model")
    prompts = ["the river", "a kettle", "alice was", "said the", "once upon a time"]
    bodies = [{"inputs": [prompts[i % 5]], "params": {"length": 10 + i % 7, "seed": i % 3}} for i in range(100)]
    expected = [served.answer(body["inputs"], body["params"]) for body in bodies]
    with started(trained, "alice") as (url, process):
        at_once = post(url, {"inputs": ["once upon"] * 40, "params": {"length": 5_000}})
        assert at_once.status_code == 400
        assert "200000 characters to write, and at most 20000 are answered at once" in at_once.json()["message"]
        with ThreadPoolExecutor(100) as pool:
            found = list(pool.map(lambda body: post(url, body), bodies))
        assert psutil.Process(process.pid).memory_info().rss < 250 * 2**20, "TensorFlow alone takes more"
    for response, right in zip(found, expected, strict=True):
        if response.status_code == 503:
            assert int(response.headers["Retry-After"]) > 0
        else:
            assert (response.status_code, response.json()) == (200, {"predictions": right})
    assert sum(response.ok for response in found) > 50


@pytest.mark.long
@pytest.mark.fault("server-orphan")
def test_a_server_of_a_logged_model_ends_with_the_process_that_started_it(trained: Project) -> None:
    model_id = artifacts.load_json(trained.model("umich") / "run.json")["model_id"]
    with started(trained, f"models:/{model_id}") as (url, process):
        (server,) = psutil.Process(process.pid).children()
        assert post(url, {"inputs": ["it is awesome"]}).ok
        process.kill()
        server.wait(30)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/ping", timeout=10)
