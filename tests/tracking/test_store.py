"""Stores that cannot be used: what is said within seconds, and the way out that is named works."""

import re
import shlex
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.artifacts import Project
from pipeline.tracking import store
from pipeline.tracking.delivery import Delivered, deliver, spooled, sync

from .conftest import assert_whole, journal, training

pytestmark = pytest.mark.filterwarnings("ignore")


def test_reason_names_no_password() -> None:
    shown = store.reason(OSError("postgresql://me:se@cret@host/db is down\nand more"))
    assert shown == "OSError: postgresql://host/db is down"


@pytest.mark.fault("sqlite-cannot-be-made")
@pytest.mark.parametrize("place", ["/proc/nope/mlflow.db", "/proc/mlflow.db", "folder", "file/mlflow.db"])
def test_a_store_that_cannot_be_made_costs_seconds(
    project: Project, place: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (project.root / "folder").mkdir()
    (project.root / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}")
    begin = time.monotonic()
    assert deliver(journal(), project) == Delivered(None, None)
    assert time.monotonic() - begin < 20, "MLflow's own ten attempts take 104 s"
    (line,) = capfd.readouterr().err.splitlines()
    assert place in line and len(spooled(project)) == 1


@pytest.mark.long
@pytest.mark.fault("sqlite-empty")
def test_an_empty_store_is_said(tables: Project, capfd: pytest.CaptureFixture[str]) -> None:
    deliver(training(tables), tables)
    (tables.root / "mlflow.db").write_bytes(b"")
    assert deliver(journal(), tables).run_id
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "waiting" not in line]
    assert "mlflow.db was empty (0 bytes), so a new store begins" in line
    (tables.root / "mlflow.db").unlink()
    assert deliver(journal(), tables).run_id
    assert "mlflow.db was not there, so a new store begins" in capfd.readouterr().err


@pytest.mark.long
@pytest.mark.fault("sqlite-half-made")
def test_a_store_has_its_name_only_when_it_is_whole(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.store.db import utils

    def killed(engine: object) -> None:
        utils.InitialBase.metadata.create_all(engine)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(utils, "_initialize_tables", killed)
        assert deliver(training(project), project) == Delivered(None, None)
    assert not (project.root / "mlflow.db").exists()
    assert sync(project) == 1
    assert_whole(project)


@pytest.mark.long
@pytest.mark.fault("sqlite-old-tables")
@pytest.mark.parametrize("older", ["fewer tables", "another revision"])
def test_a_store_of_another_mlflow_is_not_changed_and_the_advice_works(
    tables: Project, older: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tables.root / "mlflow.db"
    revisions = _revisions()
    with sqlite3.connect(path) as database:
        if older == "fewer tables":
            path.unlink()
            _downgraded(path, revisions[-20])
        else:
            database.execute("update alembic_version set version_num = ?", (revisions[-2],))
            database.commit()
    before = path.read_bytes()
    assert deliver(training(tables), tables) == Delivered(None, None)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "waiting" not in line]
    assert str(path) in line and path.read_bytes() == before
    if older == "fewer tables":
        command = re.search(r"`(.+? db upgrade .+?)`", line)
        assert command is not None
        words = shlex.split(command[1])
        assert words[0] == ".venv/bin/mlflow"
        subprocess.run([sys.executable, "-m", "mlflow", *words[1:]], check=True, capture_output=True)
        assert sync(tables) == 1
        assert_whole(tables)


def _revisions() -> list[str]:
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    scripts = ScriptDirectory.from_config(_get_alembic_config(""))
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def _downgraded(path: Path, revision: str) -> None:
    """Make the tables as an older MLflow had them."""
    from alembic import command
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.db.utils import _get_alembic_config, create_sqlalchemy_engine
    from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

    assert Base.metadata.tables
    engine = create_sqlalchemy_engine(f"sqlite:///{path}")
    InitialBase.metadata.create_all(engine)
    config = _get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
