"""No file of a logged model is executed unless the tracking store vouches for it: altered, foreign and old models."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.serving import launch, vouched
from pipeline.tracking import store
from pipeline.tracking.fingerprint import TAG, fingerprint

pytestmark = pytest.mark.filterwarnings("ignore")
NAME = "opinions-sentiment"
PWNED = "pwned"


class Logged:
    """A model in a real store: its id, its version and the folder of its files in the artifact store."""

    def __init__(self, client: Any, root: Path, tags: dict[str, str] | None) -> None:
        source = root / "source"
        (source / "code" / "pipeline").mkdir(parents=True)
        (source / "artifacts").mkdir()
        for path in ("served.py", "code/pipeline/served.py"):
            (source / path).write_text("loaded = True\n")
        place = client.create_experiment("opinions", artifact_location=(root / "mlartifacts").as_uri())
        made = client.create_logged_model(place, "opinions")
        self.id = made.model_id
        (source / "MLmodel").write_text(f"flavors: {{}}\nmodel_id: {self.id}\n")
        self.digest = fingerprint(source)
        tags = {TAG: self.digest} if tags is None else tags
        client.set_logged_model_tags(self.id, tags)
        client.log_model_artifacts(self.id, str(source))
        client.finalize_logged_model(self.id, "READY")
        location = client.get_logged_model(self.id).artifact_location
        client.create_registered_model(NAME)
        client.create_model_version(NAME, location, tags=tags, model_id=self.id)
        client.create_model_version(NAME, location, tags=tags)  # the files alone
        client.set_registered_model_alias(NAME, "champion", "1")
        self.folder = Path(location.removeprefix("file://"))


@pytest.fixture
def log(empty_store: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Logged]:
    monkeypatch.chdir(empty_store.root)

    def make(tags: dict[str, str] | None = None) -> Logged:
        with store.connected(empty_store) as client:
            return Logged(client, empty_store.root, tags)

    return make


def test_what_was_logged_is_copied_whole(empty_store: Project, log: Callable[..., Logged], tmp_path: Path) -> None:
    logged = log()
    names = [f"models:/{NAME}{end}" for end in ("@champion", "/1", "/2")]
    names += [f"models:/{logged.id}", logged.id, str(logged.folder)]
    for i, name in enumerate(names):
        got = vouched.copy(empty_store, name, tmp_path / f"copy{i}")
        assert fingerprint(got) == logged.digest == fingerprint(logged.folder)
        assert (got / "code/pipeline/served.py").read_text() == "loaded = True\n"


ALTERED: dict[str, Callable[[Path], Any]] = {
    "code": lambda folder: (folder / "served.py").write_text(f"open({PWNED!r}, 'w')\n"),
    "package": lambda folder: (folder / "code/pipeline/served.py").write_text(f"open({PWNED!r}, 'w')\n"),
    "a further module": lambda folder: (folder / "code/sitecustomize.py").write_text(f"open({PWNED!r}, 'w')\n"),
    "renamed": lambda folder: (folder / "served.py").rename(folder / "numpy.py"),
    "missing": lambda folder: (folder / "served.py").unlink(),
    "a pickle": lambda folder: (folder / "python_model.pkl").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR."),
    "the card": lambda folder: (folder / "MLmodel").open("a").write("flavors: {keras: {}}\n"),
}


@pytest.mark.fault("artifact-altered")
@pytest.mark.parametrize("change", ALTERED)
def test_an_altered_file_is_not_executed_by_any_command(
    change: str, log: Callable[..., Logged], empty_store: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = log()
    ALTERED[change](logged.folder)
    for name in (f"models:/{NAME}@champion", str(logged.folder)):
        assert main(["serve", name]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {name}: its files are not those that were logged (files_sha256 ")
    assert not list(empty_store.root.rglob(PWNED))


@pytest.mark.fault("artifact-altered")
def test_compiled_modules_that_loading_left_are_not_taken_along(
    empty_store: Project, log: Callable[..., Logged], tmp_path: Path
) -> None:
    logged = log()
    hidden = logged.folder / "code" / "pipeline" / "__pycache__"
    hidden.mkdir()
    (hidden / "served.cpython-311.pyc").write_bytes(b"not what served.py says")
    got = vouched.copy(empty_store, f"models:/{NAME}/1", tmp_path / "copy")
    assert not list(got.rglob("*.pyc")) and list(logged.folder.rglob("*.pyc"))


@pytest.mark.fault("artifact-altered")
def test_a_link_is_copied_as_the_file_that_it_leads_to(
    empty_store: Project, log: Callable[..., Logged], tmp_path: Path
) -> None:
    """The file may change after it was compared."""
    logged = log()
    (logged.folder / "served.py").rename(tmp_path / "elsewhere.py")
    (logged.folder / "served.py").symlink_to(tmp_path / "elsewhere.py")
    got = vouched.copy(empty_store, str(logged.folder), tmp_path / "copy")
    (tmp_path / "elsewhere.py").write_text("changed = True\n")
    assert (got / "served.py").read_text() == "loaded = True\n"


@pytest.mark.fault("foreign-model")
@pytest.mark.parametrize("tags", [{}, {"made_by": "another program"}])
def test_a_model_of_another_program_or_of_before_is_refused_with_what_to_do(
    tags: dict[str, str], log: Callable[..., Logged], capsys: pytest.CaptureFixture[str]
) -> None:
    logged = log(tags)
    for name in (f"models:/{NAME}/1", f"models:/{logged.id}", str(logged.folder)):
        assert main(["serve", name]) == 2
        error = capsys.readouterr().err
        assert "the tracking store has no files_sha256 of it, so its files are not executed" in error
        assert "dvc repro -f -s train@<experiment>" in error


@pytest.mark.fault("foreign-model")
def test_a_folder_that_no_store_knows_is_refused(
    log: Callable[..., Logged], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = log()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    assert main(["serve", str(foreign)]) == 2
    assert "names no logged model, so nothing vouches for this folder" in capsys.readouterr().err
    (foreign / "MLmodel").write_text(f"model_id: m-{'0' * 32}\n")
    assert main(["serve", str(foreign)]) == 2
    assert "the tracking store has no such model" in capsys.readouterr().err
    shutil.copytree(logged.folder, foreign, dirs_exist_ok=True)
    (foreign / "served.py").write_text("other = True\n")
    assert main(["serve", str(foreign)]) == 2
    assert "not those that were logged" in capsys.readouterr().err


MISSING = {
    f"models:/{NAME}@nobody": "the tracking store has no such model; `python -m pipeline champions` lists them",
    f"models:/{NAME}/7": "the tracking store has no such model",
    "models:/nobody@champion": "the tracking store has no such model",
    "runs:/abc/model": "no trained experiment, no folder, and not models:/<name>@champion",
    "nobody": "no trained experiment, no folder, and not models:/<name>@champion; trained: none; run `dvc repro`",
    "models:/": "give models:/<name>@champion, models:/<name>/<version>",
}


@pytest.mark.parametrize("name", MISSING)
def test_what_does_not_exist_is_named(
    name: str, log: Callable[..., Logged], capsys: pytest.CaptureFixture[str]
) -> None:
    log()
    assert main(["serve", name]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {name}: ") and MISSING[name] in error


def test_a_fingerprint_depends_on_names_and_content_alone(tmp_path: Path) -> None:
    """Its form is that of `sha256sum`, so that people can check it: files sorted by path, then the list itself."""
    folders = [tmp_path / name for name in "abc"]
    for folder, names in zip(folders, (("x", "y"), ("y", "x"), ("x", "z")), strict=True):
        (folder / "in").mkdir(parents=True)
        for name in names:
            (folder / "in" / name).write_bytes(b"1")
    os.utime(folders[1] / "in" / "x", (0, 0))
    first, second, third = map(fingerprint, folders)
    assert first == second != third
    one = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    import hashlib

    assert first == hashlib.sha256(f"{one}  in/x\n{one}  in/y\n".encode()).hexdigest()


def test_a_port_that_cannot_be_had_is_named(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.root)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match=rf"^127\.0\.0\.1, port {port}: .*; choose another with --host and --port$"):
            launch.serve(trained, "umich", "127.0.0.1", port)
