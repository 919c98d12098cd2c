"""The demo over HTTP: its page, its answers, its bounds, and models that are replaced under it."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.demo import app, models
from pipeline.demo.models import Models
from pipeline.errors import Busy
from pipeline.serving import bounds
from pipeline.serving.served import Served
from pipeline.serving.server import Server
from pipeline.tasks import TASKS
from tests.demo.started import running
from tests.tasks.case import CASES

PAGE = Path(app.__file__).parent / "page"


@pytest.fixture(scope="module")
def url(trained: Project) -> Iterator[str]:
    with running(Models(trained)) as address:
        yield address


def post(url: str, name: str, question: str, given: Any, **params: Any) -> requests.Response:
    body = {"inputs": [given], "params": params}
    return requests.post(f"{url}/models/{name}/{question}", json=body, timeout=60)


def told(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["message"]


# The page


def test_every_response_forbids_requests_elsewhere(url: str) -> None:
    for path in ("/", "/page/app.js", "/models", "/nowhere"):
        headers = requests.get(url + path, timeout=60).headers
        policy = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == "'self'"
        assert "unsafe" not in headers["Content-Security-Policy"] and headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_and_its_files_and_no_others(url: str) -> None:
    page = requests.get(url, timeout=60)
    assert page.ok and "text/html" in page.headers["Content-Type"]
    linked = re.findall(r'(?:src|href)="(page/[^"]+)"', page.text)
    assert {"page/app.js", "page/style.css"} == set(linked)
    for path in PAGE.iterdir():
        assert requests.get(f"{url}/page/{path.name}", timeout=60).text == path.read_text(encoding="utf-8")
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text(encoding="utf-8")) == []
    for path in ("/page/%2e%2e/app.py", "/page/..%2fapp.py", "/docs", "/openapi.json", "/models/%2e%2e%2f%2e%2e"):
        assert not requests.get(url + path, timeout=60).ok, path


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("127.0.0.1:8000", 200), ("localhost:8000", 200), ("[::1]:8000", 200), ("[::1]", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example:80", 421), ("", 421),
    ],
)  # fmt: skip
def test_a_name_that_points_here_is_refused(url: str, host: str, status: int) -> None:
    found = requests.get(f"{url}/models", headers={"Host": host}, timeout=60)
    assert found.status_code == status
    if status == 421:
        assert "open it by its address" in found.json()["message"]


# Models


def test_the_models_are_those_of_the_folder(url: str, trained: Project, experiments: dict[str, str]) -> None:
    found = requests.get(f"{url}/models", timeout=60).json()
    rows = {row["name"]: row for row in found["models"]}
    assert set(rows) == {path.name for path in trained.model("x").parent.iterdir()} and found["faults"] == []
    for task, name in experiments.items():
        assert rows[name]["command"] == TASKS[task].command and rows[name]["edition"] in ("synthetic", "published")
        assert rows[name]["cell"] and rows[name]["parameters"] > 0


def test_what_a_model_can_be_asked(url: str, trained: Project, experiments: dict[str, str]) -> None:
    for task, name in experiments.items():
        found = requests.get(f"{url}/models/{name}", timeout=60).json()
        assert found["options"] == dict(TASKS[task].serving_example.options or {})
        encoder = artifacts.load_json(trained.model(name) / "model" / "encoder.json")
        if TASKS[task].command == "classify":
            assert [found["picture"][key] for key in ("height", "width", "channels")] == encoder["shape"]
        elif TASKS[task].command == "forecast":
            assert set(found["series"]["latest"]) <= set(found["series"]["columns"])
        else:
            assert isinstance(found["example"], str)


def test_the_latest_numbers_come_with_the_time_of_their_first(url: str, experiments: dict[str, str]) -> None:
    """Pasted again with it, they give the forecast that goes on from the end of the series."""
    name = experiments["forecasting"]
    series = requests.get(f"{url}/models/{name}", timeout=60).json()["series"]
    text = "\n".join(map(str, series["latest"]["values"]))
    own = post(url, name, "numbers", text, steps=5, start=series["start"]).json()
    (end,) = post(url, name, "invocations", {}, steps=5).json()["predictions"]
    assert own["start"] == end["start"] and own["given"]["values"] == series["latest"]["values"]
    assert own["upper"] == pytest.approx(end["upper"], rel=0.2)  # the state before them is unknown


def test_an_unknown_model_is_a_sentence(url: str) -> None:
    status, message = told(requests.get(f"{url}/models/nobody", timeout=60))
    assert status == 400 and "nobody: no trained model; trained: " in message
    assert told(requests.get(f"{url}/models/No%20Body", timeout=60)) == (
        400, "'No Body' is not the name of an experiment"
    )  # fmt: skip
    for question in ("invocations", "words", "stream", "numbers"):
        assert told(post(url, "nobody", question, "x"))[0] == 400


def copied(trained: Project, root: Path, *names: str) -> Project:
    project = Project(root)
    for name in names:
        shutil.copytree(trained.model(name), project.model(name))
    return project


def test_a_model_that_is_trained_again_is_replaced(
    trained: Project, experiments: dict[str, str], tmp_path: Path
) -> None:
    name = experiments["sentiment"]
    project = copied(trained, tmp_path, name)
    folder = project.model(name)
    with running(Models(project)) as url:

        def answer() -> Any:
            return post(url, name, "invocations", "I love it").json()["predictions"]

        first = answer()
        shutil.rmtree(folder)  # as DVC does before it trains
        assert answer() == first
        listed = requests.get(f"{url}/models", timeout=60).json()
        assert [row["name"] for row in listed["models"]] == [name] and listed["faults"] == []
        changed(trained.model(name), folder)
        second = answer()
        assert second != first
        (folder / "model" / "network.json").write_text("{}")
        assert answer() == second, "a damaged one is not used"
        shutil.rmtree(folder)
        changed(trained.model(name), folder, 1.0)
        assert answer() == first


def changed(source: Path, target: Path, factor: float = 0.5) -> None:
    """Write the model again with other weights, with its list of checksums, as a training does."""
    with artifacts.new_folder(target, listed=True) as fresh:
        shutil.copytree(source, fresh, dirs_exist_ok=True, ignore=shutil.ignore_patterns("sha256.json"))
        weights = artifacts.load_arrays(fresh / "model" / "weights" / "0.npz")
        scaled = {key: (array * factor).astype(array.dtype) for key, array in weights.items()}
        artifacts.save_arrays(fresh / "model" / "weights" / "0.npz", scaled)


def test_few_models_are_held(
    trained: Project, experiments: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MAX_LOADED", 2)
    names = [experiments[task] for task in ("sentiment", "char_lm", "pos_tagging")]
    known = Models(copied(trained, tmp_path, *names))
    with running(known) as url:
        for name in [*names, names[0]]:
            assert requests.get(f"{url}/models/{name}", timeout=60).ok
    assert [*known.held] == [names[2], names[0]]


def test_a_damaged_model_and_one_for_keras_are_refused(
    trained: Project, experiments: dict[str, str], tmp_path: Path
) -> None:
    damaged, keras, wrong = (experiments[task] for task in ("sentiment", "char_lm", "pos_tagging"))
    project = copied(trained, tmp_path, damaged, keras, wrong)
    (project.model(damaged) / "model" / "weights" / "0.npz").write_bytes(b"x")
    (project.model(keras) / "model" / "graph.json").unlink()
    listing = artifacts.load_json(project.model(keras) / "sha256.json")
    listing["sha256"].pop("model/graph.json")
    artifacts.save_json(project.model(keras) / "sha256.json", listing)
    (project.model(wrong) / "model" / "network.json").write_text("[]")
    with running(Models(project)) as url:
        status, message = told(requests.get(f"{url}/models/{damaged}", timeout=60))
        assert status == 400 and "damaged, so it is not used" in message
        status, message = told(requests.get(f"{url}/models/{keras}", timeout=60))
        assert status == 400 and "only Keras can compute this model" in message
        listed = requests.get(f"{url}/models", timeout=60).json()
        assert {row["name"] for row in listed["models"]} == {damaged, keras}
        assert len(listed["faults"]) == 1 and "network.json: not a complete JSON object" in listed["faults"][0]


# Answers


def test_every_model_answers_as_it_does_elsewhere(url: str, trained: Project, experiments: dict[str, str]) -> None:
    for task, name in experiments.items():
        fine = CASES[task].trained.fine
        expected = Served(trained.model(name) / "model").answer([fine])
        assert post(url, name, "invocations", fine).json() == {"predictions": expected}, task


def test_words_have_contributions(url: str, trained: Project, experiments: dict[str, str]) -> None:
    name, text = experiments["sentiment"], "I love this awesome movie"
    found = post(url, name, "words", text).json()
    assert "".join(part["text"] for part in found["parts"]) == text
    whole, without = Served(trained.model(name) / "model").answer([text, "I  this awesome movie"])
    change = {part["text"]: part.get("contribution") for part in found["parts"]}["love"]
    assert change == pytest.approx(found["probability"] - without["probabilities"][whole["label"]], abs=1e-6)
    assert post(url, name, "words", "so " * 150).json()["label"] in whole["probabilities"], "a large request"
    assert told(post(url, experiments["char_lm"], "words", text))[0] == 400
    assert told(post(url, name, "words", 5)) == (400, "input 0: found int; a text must be a string")
    assert told(post(url, name, "words", "\ud800x"))[0] == 400


def lines(response: requests.Response) -> list[dict[str, Any]]:
    assert response.ok, response.text
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.parametrize("task", ["char_lm", "char_windows"])
def test_a_stream_has_the_characters_of_the_answer(
    task: str, url: str, trained: Project, experiments: dict[str, str]
) -> None:
    options = {"length": 200, "temperature": 0.9, "top_p": 0.9, "seed": 4}
    for prompt in ("the river", ""):
        *parts, last = lines(post(url, experiments[task], "stream", prompt, **options))
        (expected,) = Served(trained.model(experiments[task]) / "model").answer([prompt], options)
        assert "".join(part["text"] for part in parts) == expected["text"] and last == {"done": True}
        assert parts[-1].get("warning") == expected.get("warning")


def test_a_stream_with_wrong_options_is_refused_before_it_begins(url: str, experiments: dict[str, str]) -> None:
    name = experiments["char_lm"]
    for options, message in (
        ({"length": 5_001}, "length: found 5001; it must be a number from 1 to 5000"),
        ({"temperature": -1}, "temperature: found -1"),
        ({"top_p": "all"}, "top_p: found 'all'"),
        ({"speed": 1}, "speed: no such option; known: length"),
    ):
        status, found = told(post(url, name, "stream", "x", **options))
        assert status == 400 and message in found
    status, message = told(post(url, experiments["sentiment"], "stream", "x"))
    assert status == 400 and "an answer has no parts" in message


def test_pasted_numbers_are_forecast(url: str, trained: Project, experiments: dict[str, str]) -> None:
    name = experiments["returns"]
    columns = requests.get(f"{url}/models/{name}", timeout=60).json()["series"]
    rows = zip(*(columns["latest"][key] for key in columns["columns"]), strict=True)
    found = post(url, name, "numbers", "\n".join(" ".join(map(str, row)) for row in rows)).json()
    (expected,) = Served(trained.model(name) / "model").answer([found["given"]])
    assert found["values"] == expected["values"] and found["lower"][0] < found["upper"][0]
    for text, message in (
        ("1 2 3", f"line 1: found 3 of {len(columns['columns'])} numbers"),
        ("one", "line 1: 'one' is not a number"),
        ("", "no numbers"),
        (5, "paste numbers as text"),
    ):
        status, sentence = told(post(url, name, "numbers", text))
        assert status == 400 and message in sentence
    status, sentence = told(post(url, experiments["forecasting"], "numbers", "1 2 3"))
    assert status == 400 and "are needed, in one row" in sentence
    status, sentence = told(post(url, experiments["forecasting"], "numbers", "1 " * 5_000, start="soon"))
    assert status == 400 and "start: found 'soon'" in sentence


# Bounds


def test_requests_of_another_form_are_refused(url: str, experiments: dict[str, str]) -> None:
    for question in ("invocations", "words", "stream", "numbers"):
        at = f"{url}/models/{experiments['sentiment']}/{question}"
        kind = {"Content-Type": "text/plain"}  # a page elsewhere may send this without asking
        assert requests.post(at, data='{"inputs": ["x"]}', headers=kind, timeout=60).status_code == 415
        kind = {"Content-Type": "application/json"}
        assert "not JSON" in told(requests.post(at, data="{", headers=kind, timeout=60))[1]
        line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        line.request("POST", urlsplit(at).path, headers={**kind, "Content-Length": str(bounds.MAX_BODY + 1)})
        assert line.getresponse().status == 413, "and not a byte of it is read"
        line.close()
        if question != "invocations":
            found = requests.post(at, json={"inputs": ["a", "b"]}, timeout=60)
            assert told(found) == (400, "inputs: found 2; give one")
        assert requests.get(at, timeout=60).status_code == 405


class Scripted:
    """A model that streams until somebody stops it, and then fails as its prompt says."""

    task = TASKS["char_lm"]

    def __init__(self) -> None:
        self.closed = threading.Event()

    def stream(self, given: str, options: Mapping[str, Any], seconds: float) -> Iterator[dict[str, str]]:
        try:
            yield {"text": "a"}
            if given == "late":
                raise Busy("no answer within 50 s")
            if given == "odd":
                raise KeyError("nobody expected this")
            while True:
                time.sleep(0.005)
                yield {"text": "a"}
        finally:
            self.closed.set()


class One:
    """In place of Models."""

    def __init__(self, model: Any) -> None:
        self.intake, self.server = bounds.Intake(), Server(model, model)

    async def get(self, name: str) -> Server:
        return self.server


def test_a_stream_ends_when_its_reader_leaves() -> None:
    model = Scripted()
    known = One(model)
    with running(known) as url:
        body = {"inputs": ["on and on"]}
        with requests.post(f"{url}/models/x/stream", json=body, stream=True, timeout=60) as response:
            assert next(response.iter_lines()) == b'{"text": "a"}'
            assert not model.closed.is_set()
        assert model.closed.wait(30)
        until = time.monotonic() + 30
        while known.server.small.lane.waiting and time.monotonic() < until:
            time.sleep(0.01)
        assert known.server.small.lane.waiting == 0


def test_a_stream_that_fails_ends_with_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with running(One(Scripted())) as url:
        *_, last = lines(post(url, "x", "stream", "late"))
        assert last == {"error": "no answer within 50 s"}
        *_, last = lines(post(url, "x", "stream", "odd"))
    assert last == {"error": "the model failed on this input; the server’s log says how"}
    assert "nobody expected this" in capfd.readouterr().err


# The command


def test_without_models_the_command_says_how_to_make_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 2
    error = capsys.readouterr().err
    assert "no trained model in" in error and "run `make repro`" in error


def test_the_command_starts_at_once_and_without_tensorflow(trained: Project, experiments: dict[str, str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "pipeline", "demo", "--port", "0"]
    process = subprocess.Popen(command, cwd=trained.root, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.match(r"\d+ models at (http://127\.0\.0\.1:\d+/) ; Ctrl-C ends it$", process.stdout.readline())
        assert found
        assert post(found[1].rstrip("/"), experiments["sentiment"], "words", "I love it").ok
        assert psutil.Process(process.pid).memory_info().rss < 250 * 2**20, "TensorFlow alone takes more"
        assert sum(psutil.Process(process.pid).cpu_times()[:2]) < 5
        taken = subprocess.run(
            [*command[:-1], found[1].rstrip("/").rpartition(":")[2]],
            cwd=trained.root, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert taken.returncode == 2 and "choose another with --host and --port" in taken.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        with process:
            process.wait(30)
