"""The probe against a local publisher: unchanged, changed, gone, HTML, silent, without HEAD; and accepting changes."""

import dataclasses
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.config import loading, plain_yaml
from pipeline.download import http as http_module
from pipeline.download import probe
from pipeline.errors import ConfigError, DownloadError
from pipeline.sources import SOURCES, alice, electricity, load_source
from pipeline.sources.card import pinned
from pipeline.stages import check, download

ROOT = Path(__file__).parents[2]
BODY = b"\xef\xbb\xbf" + b"Alice was beginning to get very tired. " * 100
NEWER = BODY + b"The end."
DATE = "Mon, 02 Nov 2026 10:00:00 GMT"
PARAMS = """\
# About the project.
seed: 1
edition: published      # the published data
cell: null
sources:
  alice: {reader: alice}   # a book
  umich: {reader: umich}
  digits: {reader: digits}
studies: {}
tunings: {}
own: {}
recipes: {small: {units: 4}}
datasets:
  alice: {source: alice, task: char_lm}
  alice-chapter: {source: alice, task: textbook/char_windows}
  umich: {source: umich, task: sentiment}
  digits: {source: digits, task: image_rows}
experiments:
  alice: {dataset: alice, task: char_lm, recipe: small}
  alice-lstm: {dataset: alice, task: char_lm, recipe: small, cell: lstm}
  alice-chapter: {dataset: alice-chapter, task: textbook/char_windows, recipe: small}
  umich: {dataset: umich, task: sentiment, recipe: small}
  digits: {dataset: digits, task: image_rows, recipe: small}
"""
OF_ALICE = [
    "download@alice",
    *(f"{stage}@{dataset}" for stage in ("preprocess", "baseline") for dataset in ("alice", "alice-chapter")),
    *(f"{stage}@{name}" for stage in ("train", "evaluate") for name in ("alice", "alice-lstm", "alice-chapter")),
    "report@alice",
    "report@alice-chapter",
    "index",
]


@dataclasses.dataclass
class Publisher:
    """The state of the server. how: its answer to a GET; head: its code for a HEAD; asked: the methods it received."""

    url: str = ""
    how: str = "file"
    head: int = 200
    body: bytes = BODY
    etag: str = ""
    asked: list[str] = dataclasses.field(default_factory=list)
    silent: threading.Event = dataclasses.field(default_factory=threading.Event)


class Handler(http.server.BaseHTTPRequestHandler):
    publisher: Publisher

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.publisher.asked.append("HEAD")
        self._begin(self.publisher.head, self.publisher.body)

    def do_GET(self) -> None:
        self.publisher.asked.append("GET")
        if self.publisher.how == "silent":
            self.publisher.silent.wait(10)
        elif self.publisher.how == "gone":
            self._begin(404, b"")
        else:
            body = b"<html>Please log in</html>" if self.publisher.how == "html" else self.publisher.body
            self._begin(200, body)
            self.wfile.write(body)

    def _begin(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", DATE)
        if self.publisher.etag:
            self.send_header("ETag", self.publisher.etag)
        self.end_headers()


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """Start a server at alice's official address; the card of alice pins BODY."""
    state = Publisher()
    handler = type("ThisHandler", (Handler,), {"publisher": state})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/11-0.txt"
    file = dataclasses.replace(alice.CARD.forms[0][0], url=state.url, sha256=_sha256(BODY), size=len(BODY))
    monkeypatch.setattr(alice, "CARD", dataclasses.replace(alice.CARD, forms=((file,),)))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PIPELINE_MIRROR", raising=False)
    yield state
    state.silent.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return Project(tmp_path)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _probe(project: Project, capsys: pytest.CaptureFixture[str], *names: str, accept: bool = False) -> list[str]:
    """Run the probe without waits between tries, and return the lines that it prints."""
    probe.run(project, list(names), accept, sleep=lambda _: None)
    return capsys.readouterr().out.splitlines()


def _stored(project: Project) -> Any:
    return json.loads(project.probe.read_text(encoding="utf-8"))


def test_a_line_for_each_source(project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _probe(project, capsys)
    assert lines[0] == f"alice: unchanged: 11-0.txt, {len(BODY):,} bytes"
    assert lines[1].startswith("umich: by hand: Kaggle gives training.txt to members only")
    assert lines[2] == "digits: computed: nothing is downloaded"
    assert len(lines) == 3
    stored = _stored(project)
    assert (stored["changed"], stored["stages"], stored["experiments"]) == ([], [], [])
    assert {one["source"]: one["state"] for one in stored["findings"]} == {
        "alice": "unchanged",
        "umich": "by hand",
        "digits": "computed",
    }


def test_only_the_named_sources_are_asked(
    project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(_probe(project, capsys, "umich")) == 1
    assert publisher.asked == []
    with pytest.raises(ConfigError, match=r"sources\.alicee: no such row; known: alice, digits, umich"):
        _probe(project, capsys, "alicee")


def test_a_changed_file_is_told_with_what_it_touches(
    project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.body = NEWER
    lines = _probe(project, capsys, "alice")
    assert lines == [
        f"alice: changed: 11-0.txt: pinned sha256 {_sha256(BODY)}, {len(BODY):,} bytes; "
        f"now sha256 {_sha256(NEWER)}, {len(NEWER):,} bytes, {DATE}",
        "To use the changed files: python -m pipeline probe --accept alice",
    ]
    stored = _stored(project)
    assert stored["changed"] == ["alice"]
    assert stored["stages"] == OF_ALICE
    assert stored["experiments"] == ["alice", "alice-lstm"]
    assert (project.root / "params.yaml").read_text() == PARAMS


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("gone", "HTTP 404 Not Found"),
        ("html", "got HTML, expected UTF-8 text with a byte order mark"),
        ("silent", "gave up after 5 tries: "),
    ],
)
def test_unreachable_is_not_changed(
    how: str,
    reason: str,
    project: Project,
    publisher: Publisher,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_module, "TIMEOUT", (0.1, 0.1))
    publisher.how = how
    lines = _probe(project, capsys, "alice", accept=True)
    assert len(lines) == 1 and lines[0].startswith(f"alice: unreachable: 11-0.txt: {reason}")
    assert _stored(project)["changed"] == []
    assert (project.root / "params.yaml").read_text() == PARAMS


def test_nobody_listening_is_not_changed_either(
    project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = dataclasses.replace(alice.CARD.forms[0][0], url="http://127.0.0.1:9/11-0.txt")
    monkeypatch.setattr(alice, "CARD", dataclasses.replace(alice.CARD, forms=((file,),)))
    assert _probe(project, capsys, "alice")[0].startswith("alice: unreachable: 11-0.txt: gave up after 5 tries: Conn")
    assert _stored(project)["stages"] == []


@pytest.mark.parametrize("code", [403, 405, 501])
def test_a_server_without_head_is_asked_for_the_file(
    code: int, project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.head = code
    assert _probe(project, capsys, "alice")[0].startswith("alice: unchanged")
    publisher.body = NEWER
    assert _probe(project, capsys, "alice")[0].endswith(f"now sha256 {_sha256(NEWER)}, {len(NEWER):,} bytes")


def test_what_the_server_calls_by_the_same_name_is_not_fetched_again(
    project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.etag = '"v1"'
    lines = _probe(project, capsys, "alice")
    assert _probe(project, capsys, "alice") == lines
    assert publisher.asked == ["HEAD", "GET", "HEAD"]
    publisher.etag, publisher.body = '"v2"', NEWER
    changed = _probe(project, capsys, "alice")
    assert changed[0].startswith("alice: changed")
    assert _probe(project, capsys, "alice", accept=True)[0] == changed[0]
    assert publisher.asked[3:] == ["HEAD", "GET", "HEAD"]
    assert _probe(project, capsys, "alice")[0].startswith("alice: unchanged"), "the pin is another one now"
    publisher.body = BODY
    assert _probe(project, capsys, "alice")[0].startswith("alice: changed"), "another size under the same name"


@pytest.mark.parametrize("etag", ["", 'W/"v1"'])
def test_without_a_strong_name_the_bytes_decide(
    etag: str, project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.etag = etag
    assert _probe(project, capsys, "alice")[0].startswith("alice: unchanged")
    publisher.body = BODY[:-1] + b"!"
    assert _probe(project, capsys, "alice")[0].startswith("alice: changed")


def test_a_damaged_memory_is_no_loss(
    project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    project.probe.parent.mkdir()
    for text in ("{", '{"findings": [{"of": "another version"}]}', "[]"):
        project.probe.write_text(text)
        assert _probe(project, capsys, "alice")[0].startswith("alice: unchanged")


def test_a_member_decides_where_the_archive_is_not_pinned(
    tmp_path: Path, project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    def archive(text: bytes, compression: int) -> bytes:
        with zipfile.ZipFile(tmp_path / "made.zip", "w", compression) as made:
            made.writestr("LD2011_2014.txt", text)
        return (tmp_path / "made.zip").read_bytes()

    (project.root / "params.yaml").write_text(PARAMS.replace("{reader: alice} ", "{reader: electricity} "))
    own, other = electricity.CARD.forms
    file = dataclasses.replace(other[0], url=publisher.url, member_sha256=_sha256(b"1;2\n"))
    monkeypatch.setattr(electricity, "CARD", dataclasses.replace(electricity.CARD, forms=(own, (file,))))
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        publisher.body = archive(b"1;2\n", compression)
        assert _probe(project, capsys, "alice")[0].startswith("alice: unchanged: LD2011_2014.txt.zip")
    publisher.body = archive(b"1;3\n", zipfile.ZIP_STORED)
    line = _probe(project, capsys, "alice", accept=True)[0]
    assert f"pinned sha256 of LD2011_2014.txt {_sha256(b'1;2' + bytes([10]))}; now sha256" in line
    assert loading.load(project.root, SOURCES).sources["alice"].pins == {"LD2011_2014.txt.zip": _sha256(publisher.body)}
    assert _probe(project, capsys, "alice")[0].startswith("alice: unchanged")
    publisher.body = publisher.body[:-10]
    (project.root / "params.yaml").write_text(PARAMS.replace("{reader: alice} ", "{reader: electricity} "))
    assert "alice: unreachable: LD2011_2014.txt.zip: the archive is truncated" in _probe(project, capsys, "alice")[0]


def test_accepted_is_pinned_in_one_line_and_then_downloaded(
    project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.body = NEWER
    old = project.root / "mirror" / "alice" / "11-0.txt"
    old.parent.mkdir(parents=True)
    old.write_bytes(BODY)
    monkeypatch.setenv("PIPELINE_MIRROR", str(project.root / "mirror"))
    last = _probe(project, capsys, accept=True)[-1]
    assert last == f"params.yaml: pinned alice; with edition: published this reruns {', '.join(OF_ALICE)}"
    row = f'alice: {{reader: alice, pins: {{11-0.txt: "{_sha256(NEWER)}"}}}}'
    after = (project.root / "params.yaml").read_text()
    assert [line.split("#")[0].rstrip() for line in after.splitlines()] == [
        line.split("#")[0].rstrip() for line in PARAMS.replace("alice: {reader: alice}", row).splitlines()
    ]
    assert [line.partition("#")[2] for line in after.splitlines()] == [
        line.partition("#")[2] for line in PARAMS.splitlines()
    ]
    check.run(project)
    assert _probe(project, capsys, "alice") == [f"alice: unchanged: 11-0.txt, {len(NEWER):,} bytes"]
    download.run(project, "alice")
    assert (project.raw("alice") / "11-0.txt").read_bytes() == NEWER
    publisher.body = BODY
    (project.raw("alice") / "11-0.txt").unlink()
    with pytest.raises(DownloadError, match=rf"found sha256 of .* {_sha256(BODY)}, expected {_sha256(NEWER)}"):
        download.run(project, "alice")


def test_an_older_pin_is_replaced_and_other_rows_stay(project: Project) -> None:
    once = plain_yaml.with_pins(PARAMS, {"alice": {"11-0.txt": "1" * 64}, "umich": {"training.txt": "2" * 64}})
    twice = plain_yaml.with_pins(once, {"alice": {"11-0.txt": "3" * 64}})
    (project.root / "params.yaml").write_text(twice)
    sources = loading.load(project.root, SOURCES).sources
    assert sources["alice"].pins == {"11-0.txt": "3" * 64}
    assert sources["umich"].pins == {"training.txt": "2" * 64}
    assert "cell: null\n" in twice
    longer = plain_yaml.with_pins(PARAMS, {"alice": {f"{i}.txt": str(i) * 64 for i in range(5)}})
    assert len(longer.splitlines()) == len(PARAMS.splitlines())


# What people write: comments above, after and between rows, empty lines, rows in one line and in several, quotes, null.
WRITTEN = """\
# What the pipeline runs.
# Two lines about it, and an empty one.

seed: 42
edition: synthetic    # or published
cell: null            # each one's own

gate:                 # before a model is promoted
  margin: 0.02        # a share

sources:              # pins: {file: sha256} takes another version
  cosine: {reader: cosine}
  alice: {reader: alice}
  # a note between two rows
  umich:
    reader: umich     # of several lines

own: {}               # e.g.  mybook: {path: my/book.txt}

recipes:
  none: {}            # shares nothing

  text:               # character models; this comment goes on until the line has more than eighty characters
    epochs: 1
    clip_norm: null

datasets:
  alice: {source: alice, task: char_lm, line_ends: "keep", lowercase: true}
  umich: {source: 'umich', task: sentiment, folds: 5, bigrams: true, char_ngrams: 5, min_count: 2, validation: 0.125}

# The networks.
experiments:
  alice: {dataset: alice, task: char_lm, recipe: text, learning_rate: 0.0001}

  umich:
    dataset: umich    # the same name
    task: sentiment
    recipe: none
# The end.
"""


def test_a_pin_changes_one_line_of_what_people_write() -> None:
    lines = plain_yaml.with_pins(WRITTEN, {"alice": {"11-0.txt": "1" * 64}}).splitlines()
    changed = [after for before, after in zip(WRITTEN.splitlines(), lines, strict=True) if before != after]
    assert changed == ['  alice: {reader: alice, pins: {11-0.txt: "' + "1" * 64 + '"}}']


def test_a_pin_chooses_the_form_that_it_names() -> None:
    card = load_source("imdb").CARD
    left = pinned("imdb", card, {"aclImdb_v1.tar.gz": "1" * 64}).forms
    assert [(file.name, file.sha256, file.size) for form in left for file in form] == [
        ("aclImdb_v1.tar.gz", "1" * 64, None)
    ]
    assert pinned("imdb", card, {}) == card


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("pins: {11-0.txt: abc}", r"sources\.alice\.pins\.11-0\.txt: found 'abc'"),
        ('pins: {11.txt: "' + "1" * 64 + '"}', r"sources\.alice\.pins: found '11\.txt'; known: 11-0\.txt"),
    ],
)
def test_a_wrong_pin_is_told_before_anything_runs(
    row: str, message: str, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / "params.yaml").write_text(PARAMS.replace("{reader: alice}", f"{{reader: alice, {row}}}"))
    with pytest.raises(ConfigError, match=message):
        check.run(project)
    monkeypatch.chdir(project.root)
    assert main(["probe"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


# The outputs of all stages are invented and committed, so that only the pin has changed.
COMMITTED = """
import json
from pathlib import Path
from dvc.repo import Repo
repo = Repo.init(".", no_scm=True)
for out in repo.index.outs:
    path = Path(out.fs_path)
    path = path if path.suffix else path / "made-up"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(path))
repo.commit(force=True)
print(json.dumps(repo.status()))
"""
BRANCH = """
import json
from dvc.repo import Repo
import networkx
repo = Repo(".")
(download,) = repo.stage.collect("download@alice")
below = networkx.ancestors(repo.index.graph, download)
print(json.dumps([repo.status(), sorted(stage.addressing for stage in {download, *below})]))
"""


def test_after_accepting_only_the_branch_of_that_source_has_changed(
    project: Project, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project.root
    for name in ("dvc.yaml", ".dvcignore"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    (root / "pipeline").symlink_to(ROOT / "pipeline")

    def python(code: str) -> Any:
        environment = {**os.environ, "DVC_NO_ANALYTICS": "true"}
        output = subprocess.check_output([sys.executable, "-c", code], cwd=root, env=environment, text=True)
        return json.loads(output.splitlines()[-1])

    assert python(COMMITTED) == {}
    publisher.body = NEWER
    _probe(project, capsys, accept=True)
    status, branch = python(BRANCH)
    assert status == {"download@alice": [{"changed deps": {"params.yaml": {"sources.alice": "modified"}}}]}
    assert branch == sorted(_stored(project)["stages"])


def test_a_source_of_the_textbooks_file_is_pinned_there(project: Project) -> None:
    main = (project.root / "params.yaml").read_bytes()
    path = project.root / "textbook" / "params.yaml"
    path.parent.mkdir()
    path.write_text("sources:\n  msft: {reader: msft}   # a share\ndatasets: {}\nexperiments: {}\n")
    params = loading.load(project.root, SOURCES)
    probe._pin(project, params, {"msft": {"MSFT.csv": "1" * 64}})
    assert (project.root / "params.yaml").read_bytes() == main
    assert loading.load(project.root, SOURCES).sources["msft"].pins == {"MSFT.csv": "1" * 64}
    assert path.read_text().startswith("sources:\n  msft: {reader: msft, pins:")
    assert "# a share" in path.read_text()
