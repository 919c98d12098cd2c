"""`fan-out` on a tiny project: the result is that of `dvc repro`, whatever stops or delays a worker."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reproduce.fan_out.tiny import NAMES, OTHER, STAGES, Tiny, make
from tests.reproduce.test_warm import until


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project before its first run."""
    return make(tmp_path_factory.mktemp("fan-out") / "new").root


@pytest.fixture(scope="module")
def plain(new: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The project after `dvc repro`."""
    tiny = Tiny(Path(shutil.copytree(new, tmp_path_factory.mktemp("plain") / "p", symlinks=True)))
    tiny.run("dvc", "repro", "--all-pipelines")
    return tiny


@pytest.fixture(scope="module")
def done(new: Path, tmp_path_factory: pytest.TempPathFactory) -> "tuple[Tiny, str]":
    """The project after fan-out, and what that printed."""
    folder = tmp_path_factory.mktemp("done")
    tiny = copied(new, folder)
    return tiny, tiny.fan_out("--workers", "2")[0]


def copied(new: Path, folder: Path) -> Tiny:
    """A copy of the project, with a DVC remote of its own."""
    tiny = Tiny(Path(shutil.copytree(new, folder / "p", symlinks=True)))
    tiny.run("dvc", "remote", "modify", "--local", "storage", "url", str(folder / "remote"))
    return tiny


@pytest.fixture
def fresh(new: Path, tmp_path: Path) -> Tiny:
    return copied(new, tmp_path)


def stages(out: str) -> "list[str]":
    """The stages that have a line in the output."""
    return re.findall(r"^\[ *\d+/\d+\] (\S+) … ", out, re.MULTILINE)


def test_it_leaves_what_dvc_repro_leaves(done: "tuple[Tiny, str]", plain: Tiny) -> None:
    tiny, out = done
    assert tiny.state() == plain.state(), "outputs and lock files, byte for byte"
    assert sorted(stages(out)) == sorted(NAMES) and out.endswith("5 stages ran, 0 came from DVC's cache, 0 were up to date\n")
    assert json.loads(tiny.run("dvc", "status", "--json")[0]) == {}


def test_a_second_one_finds_nothing_to_run(done: "tuple[Tiny, str]") -> None:
    assert done[0].fan_out()[0] == "5 stages up to date\n"


def test_the_worker_command_works_without_a_driver(done: "tuple[Tiny, str]", new: Path, tmp_path: Path) -> None:
    """Two clones, as two jobs of CI: the second gets the first one's result as a file, and its data from the remote."""
    remote = tmp_path / "remote"
    for number, name in enumerate(["raw", "half@a"]):
        clone = tmp_path / str(number)
        subprocess.run(["git", "clone", "--quiet", new, clone], check=True)
        one = Tiny(clone)
        one.run("dvc", "remote", "modify", "--local", "storage", "url", str(remote))
        if number:
            shutil.copytree(tmp_path / "0" / "results" / "new", clone / "results")
        said, _ = one.fan_out("--worker", name, "--results", "results")
        assert f"Running stage '{name}'" in said
    (stored,) = (tmp_path / "1" / "results" / "new").iterdir()
    assert (stored.name, json.loads(stored.read_text())["stage"]) == ("half@a.json", "half@a")
    assert (tmp_path / "1" / "half-a" / "x").read_text() == "1\na\n"
