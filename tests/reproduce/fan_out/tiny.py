"""A tiny project of shell commands, in which every kind of output occurs, and the ways to run it."""

import subprocess
import sys
from pathlib import Path

from tests.clone import git
from tests.commands import environment

ROOT = Path(__file__).parents[3]
STAGES = """\
stages:
  raw:
    cmd: mkdir raw; cat src.txt > raw/x
    deps:
      - src.txt
    outs:
      - raw:
          persist: true
  half:
    foreach: [a, b]
    do:
      cmd: mkdir half-${item}; cat raw/x > half-${item}/x; echo ${item} >> half-${item}/x
      deps:
        - raw
      outs:
        - half-${item}
  score:
    cmd: mkdir -p scores; cat half-a/x half-b/x | wc -c > scores/all.txt
    deps:
      - half-a
      - half-b
    outs:
      - scores/all.txt:
          cache: false
"""
OTHER = """\
stages:
  last:
    wdir: ..
    cmd: cat scores/all.txt half-a/x > last.txt
    deps:
      - scores
      - half-a
    outs:
      - last.txt
"""
PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources: {}
studies: {}
tunings: {}
own: {}
recipes: {}
datasets: {}
experiments: {}
"""
NAMES = ["raw", "half@a", "half@b", "score", "other/dvc.yaml:last"]
FILES = ("half-a/x", "half-b/x", "scores/all.txt", "last.txt", "dvc.lock", "other/dvc.lock")


class Tiny:
    """The project in a folder, with the commands that a user types there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = environment()

    def run(self, *command: str, code: int = 0) -> "tuple[str, str]":
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def fan_out(self, *options: str, code: int = 0) -> "tuple[str, str]":
        return self.run(sys.executable, "-m", "pipeline", "fan-out", *options, code=code)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def commit(self, message: str = "a change") -> None:
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--message", message)

    def state(self) -> "dict[str, str]":
        """The outputs and lock files."""
        return {name: (self.root / name).read_text() for name in FILES}

    def outputs(self) -> "dict[str, str]":
        """The outputs alone."""
        return {name: text for name, text in self.state().items() if not name.endswith(".lock")}


def make(root: Path) -> Tiny:
    """Make the project, committed and with an empty DVC remote next to it."""
    tiny = Tiny(root)
    tiny.write("dvc.yaml", STAGES)
    tiny.write("other/dvc.yaml", OTHER)
    tiny.write("params.yaml", PARAMS)
    tiny.write("src.txt", "1\n")
    tiny.write(".gitignore", "/raw\n/half-*\n/last.txt\n")
    (root / "pipeline").symlink_to(ROOT / "pipeline")  # a clone has it too
    git(root, "init", "--quiet")
    tiny.run("dvc", "init", "--quiet")
    tiny.write(".dvc/config", f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {root.parent}/remote\n")
    tiny.commit("the project")
    return tiny
