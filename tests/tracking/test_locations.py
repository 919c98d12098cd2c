"""Where artifacts are stored: in this checkout and no other, after copying and moving it too."""

import hashlib
import shutil
from pathlib import Path

import pytest

from pipeline.artifacts import Project
from pipeline.errors import StoreError
from pipeline.tracking import locations, store
from pipeline.tracking.delivery import Delivered, deliver, sync

from .conftest import client_of, journal, runs_of, training

pytestmark = pytest.mark.filterwarnings("ignore")


def everything(folder: Path) -> dict[str, str]:
    """The checksum of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def readable(project: Project) -> int:
    """Check that every run has its files and its model, in this project; return the number of runs."""
    import mlflow

    client, runs = client_of(project), runs_of(project)
    for run in runs:
        model = client.get_logged_model(run.data.tags["model_id"])
        for location in (run.info.artifact_uri, model.artifact_location):
            assert location.startswith(f"{project.root.as_uri()}/mlartifacts/"), location
        path = client.download_artifacts(run.info.run_id, "samples/hello.txt")
        assert Path(path).read_text() == "hello"
        loaded = mlflow.pyfunc.load_model(model.artifact_location)
        assert loaded.predict(["good"])[0]["label"] == "positive"
    return len(runs)


@pytest.mark.fault("copied-checkout")
def test_a_copied_checkout_leaves_the_original_alone(tables: Project) -> None:
    first = training(tables)
    deliver(first, tables)
    with store.connected(tables) as client:
        client.create_registered_model("alice")
        (run,) = runs_of(tables)
        place = client.get_logged_model(run.data.tags["model_id"]).artifact_location
        client.create_model_version("alice", place, run.info.run_id)
    copy = Project(tables.root.with_name("a copy"))
    shutil.copytree(tables.root, copy.root)
    before = everything(tables.root)
    later = journal("evaluate", first.content.run_key)  # a run from before the copy goes on in the copy
    later.text("later.txt", "later")
    assert deliver(later, copy).run_id == run.info.run_id
    assert deliver(training(copy), copy).model_id
    assert everything(tables.root) == before
    assert list(copy.root.rglob("later.txt"))
    assert (readable(tables), readable(copy)) == (1, 2)
    with store.connected(copy) as client:
        assert client.get_model_version("alice", "1").source.startswith(copy.root.as_uri())
    shutil.rmtree(copy.root / "mlartifacts")
    assert readable(tables) == 1


@pytest.mark.long
@pytest.mark.fault("copied-checkout")
def test_a_moved_checkout_has_its_files(tables: Project) -> None:
    deliver(training(tables), tables)
    moved = Project(tables.root.rename(tables.root.with_name("moved")))
    assert deliver(training(moved), moved).run_id and not tables.root.exists()
    assert readable(moved) == 2


@pytest.mark.fault("foreign-artifact-location")
@pytest.mark.parametrize("location", ["file:///etc", "/etc", "{root}/../elsewhere", "https://elsewhere.example/x"])
def test_an_experiment_that_stores_elsewhere_is_refused_and_renaming_it_helps(
    tables: Project, location: str, capfd: pytest.CaptureFixture[str]
) -> None:
    where = location.format(root=tables.root)
    client = client_of(tables)
    made = client.create_experiment("alice", artifact_location=where)
    first = training(tables)
    assert deliver(first, tables) == Delivered(None, None)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "waiting" not in line]
    assert "experiment alice" in line and "rename this experiment" in line
    assert runs_of(tables) == []
    client.rename_experiment(made, "alice of before")
    assert sync(tables) == 1 and readable(tables) == 1


@pytest.mark.parametrize(
    ("location", "uri", "fine"),
    [
        ("mlflow-artifacts:/3", "http://server:5000", True),
        ("mlflow-artifacts://server:5000/3", "http://server:5000", True),
        ("mlflow-artifacts://other/3", "http://server:5000", False),
        ("s3://bucket/3", "http://server:5000", True),
        ("file:///checkout/mlartifacts/alice", "http://127.0.0.1:5000", True),
        ("/elsewhere/keys", "http://server:5000", False),
        ("file:///checkout/../etc", "sqlite:////checkout/mlflow.db", False),
        ("file:///other/mlartifacts/alice", "sqlite:////shared/mlflow.db", True),
        ("file:///shared/mlartifacts/alice", "sqlite:////shared/mlflow.db", True),
        ("file:///etc", "sqlite:////shared/mlflow.db", False),
    ],
)
def test_which_locations_are_refused(location: str, uri: str, fine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    project = Project(Path("/checkout"))
    if fine:
        locations.refuse_foreign(location, "experiment alice", project, uri)
        return
    with pytest.raises(StoreError, match="experiment alice"):
        locations.refuse_foreign(location, "experiment alice", project, uri)


def test_links_to_another_disk_are_the_users_own(tables: Project, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (tables.root / "mlartifacts").symlink_to(disk)
    assert deliver(training(tables), tables).run_id and list(disk.rglob("hello.txt"))
    shared = tmp_path / "shared.db"
    (tables.root / "mlflow.db").rename(shared)
    (tables.root / "mlflow.db").symlink_to(shared)
    before = shared.read_bytes()
    locations.adopt(Project(tables.root), tables.root / "mlflow.db")
    other = Project(tmp_path / "other")
    other.root.mkdir()
    (other.root / "mlflow.db").symlink_to(shared)
    locations.adopt(other, other.root / "mlflow.db")
    assert shared.read_bytes() == before, "two checkouts share it"
