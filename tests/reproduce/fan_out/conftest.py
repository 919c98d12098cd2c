"""The tiny project, made and run once."""

import contextlib
import io
import shutil
from pathlib import Path

import pytest

from tests.reproduce.fan_out import serial
from tests.reproduce.fan_out.tiny import Tiny, make


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project before its first run."""
    return make(tmp_path_factory.mktemp("fan-out") / "new").root


def copied(new: Path, folder: Path) -> Tiny:
    """A copy of the project, with a DVC remote of its own."""
    tiny = Tiny(Path(shutil.copytree(new, folder / "p", symlinks=True)))
    tiny.write(".dvc/config.local", f"['remote \"storage\"']\n    url = {folder}/remote\n")
    return tiny


@pytest.fixture
def fresh(new: Path, tmp_path: Path) -> Tiny:
    return copied(new, tmp_path)


@pytest.fixture(scope="session")
def done(new: Path, tmp_path_factory: pytest.TempPathFactory) -> "tuple[Tiny, str]":
    """The project after fan-out, and what that printed; to be looked at, not changed."""
    tiny = copied(new, tmp_path_factory.mktemp("done"))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        serial.run(tiny)
    return tiny, said.getvalue()


@pytest.fixture(scope="session")
def plain(new: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The project after `dvc repro`."""
    tiny = Tiny(Path(shutil.copytree(new, tmp_path_factory.mktemp("plain") / "p", symlinks=True)))
    tiny.run("dvc", "repro", "--all-pipelines")
    return tiny
