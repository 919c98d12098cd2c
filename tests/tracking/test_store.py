"""The address of the store, and messages for its errors."""

import pytest

from pipeline.artifacts import Project
from pipeline.tracking import store


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
