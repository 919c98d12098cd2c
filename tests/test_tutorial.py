"""docs/tutorial.md: every command is typed in a fresh clone, in order, and prints what the page says, numbers apart."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.clone import clone, git
from tests.commands import environment
from tests.shipped import needs_rows

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Typed differently here. A training of alice that takes seconds; targets of make that other tests run.
INSTEAD = {
    "git clone <this repository> recurrent-pipeline": None,
    "cd recurrent-pipeline": None,
    "make repro": "make -n repro",  # .ci/run
    "make setup": None,
    "make ui": "make -n ui",  # tests/test_mlflow_ui.py
    ".venv/bin/dvc repro evaluate@digits evaluate@alice": ".venv/bin/dvc repro evaluate@digits train@alice",
}
KEPT = ("digits", "alice")
SMALL = {"units": 8, "embedding": 4, "epochs": 1, "ensemble": 1, "refit": False, "synthetic": {}}


SECTIONS = dict(re.findall(r"^## (\d\. [^\n]*)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL))


class Step(NamedTuple):
    """The commands of a block, and the lines that the page shows of what they print."""

    commands: list[str]
    shown: list[str]


def _steps(page: str) -> list[Step]:
    steps: list[Step] = []
    for kind, text in BLOCK.findall(page):
        if kind == "bash":
            steps.append(Step(text.splitlines(), []))
        else:
            steps[-1].shown.extend(text.splitlines())
    return steps


def _masked(text: str) -> str:
    """Without numbers, which depend on the processor, and with one space between words."""
    return re.sub(r"-?\d[\d.]*(e-\d+)?", "#", re.sub(r"[ \t]+", " ", text))


def _missing(step: Step, printed: str) -> list[str]:
    return [line for line in step.shown if _masked(line) not in _masked(printed)]


class Reader:
    """Somebody who types the commands of the page in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = environment(MPLBACKEND="agg")
        self.printed: dict[str, str] = {}  # by section
        self.port = _free_port()
        self.server: subprocess.Popen[bytes] | None = None

    def types(self, command: str) -> str:
        command = command.replace("5001", self.port)
        if "pipeline serve" in command:
            return self.starts(command)
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def starts(self, command: str) -> str:
        self.server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        address = f"http://127.0.0.1:{command.split()[-1]}/health"
        end = time.monotonic() + 120
        while time.monotonic() < end and self.server.poll() is None:
            try:
                urllib.request.urlopen(address, timeout=5).close()
            except OSError:
                time.sleep(0.3)
            else:
                return ""
        raise AssertionError(f"{command} did not start")

    def ends(self) -> None:
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGTERM)
            self.server.wait(30)


def _shrink(folder: Path) -> None:
    """Leave the two experiments of the page, alice with a tiny network."""
    path = folder / "params.yaml"
    params: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for table in ("sources", "datasets", "experiments"):
        params[table] = {name: params[table][name] for name in KEPT}
    params["experiments"]["alice"] |= SMALL | {"recipe": "none"}
    params["recipes"] = {name: params["recipes"][name] for name in ("none", "digits")}
    path.write_text(yaml.safe_dump(params | {"studies": {}, "tunings": {}}, sort_keys=False), encoding="utf-8")
    git(folder, "rm", "-rqf", "textbook", "--ignore-unmatch")
    git(folder, "commit", "-qam", "the tutorial's rows")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = clone(tmp_path_factory.mktemp("tutorial"))
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    _shrink(folder)
    made = Reader(folder)
    yield made
    made.ends()


def _free_port() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return str(unused.getsockname()[1])


@needs_rows(*KEPT)
@pytest.mark.slow
@pytest.mark.parametrize("title", SECTIONS)
def test_the_commands_print_what_the_page_shows(title: str, reader: Reader) -> None:
    """The sections are typed in order; one of them alone finds nothing to work with."""
    before = list(SECTIONS)[: list(SECTIONS).index(title)]
    assert list(reader.printed) == before, "a section before this one failed or did not run"
    said = ""
    for step in _steps(SECTIONS[title]):
        typed = [INSTEAD.get(command, command) for command in step.commands]
        said_now = "".join(map(reader.types, filter(None, typed)))
        assert _missing(step, said_now) == [], said_now
        said += said_now
    CLAIMS.get(title, lambda _: None)(said)
    reader.printed[title] = said


def _a_baseline_wins(said: str) -> None:
    score, baseline = map(float, re.findall(r"test top1_accuracy ([\d.]+); k-means patches ([\d.]+)", said)[0])
    assert score == pytest.approx(0.95, abs=0.015) and baseline == pytest.approx(0.98, abs=0.005)


def _it_writes(said: str) -> None:
    (told,) = re.findall("^alice .*", said, re.MULTILINE)
    assert len(told) > 80 and "tensorflow" not in said.lower()


def _a_third_more_weights_and_nothing_trained_again(said: str) -> None:
    before, after = map(int, re.findall(r"parameters +(\d+) +(\d+)", said)[0])
    assert after / before == pytest.approx(4 / 3, abs=0.06)
    assert said.count("epoch 12/12") == 1


def _longer_is_better(said: str) -> None:
    assert "epoch 40/40" in said
    assert float(re.findall(r"p (0\.\d+)", said)[0]) < 0.05


CLAIMS: dict[str, Callable[[str], None]] = {
    "1. Run everything": _a_baseline_wins,
    "3. Ask the networks": _it_writes,
    "5. Change the cell": _a_third_more_weights_and_nothing_trained_again,
    "7. Train longer, promote again": _longer_is_better,
}


@needs_rows(*KEPT)
@pytest.mark.slow
def test_what_is_left_at_the_end(reader: Reader) -> None:
    assert list(reader.printed) == list(SECTIONS)
    assert CLAIMS.keys() <= reader.printed.keys()
    assert len(list((reader.folder / "reports/decisions/digits-image_rows").glob("*.json"))) == 4
    assert git(reader.folder, "status", "--porcelain", "params.yaml") == ""


def test_a_line_that_nothing_prints_is_missed() -> None:
    page = "```bash\necho a\n```\n\n```text\nscore  0.5\n```\n\n```bash\ncurl x\n```\n"
    first, second = _steps(page)
    assert (first.commands, first.shown, second) == (["echo a"], ["score  0.5"], Step(["curl x"], []))
    assert _missing(first, "the score 0.7 of") == []
    assert _missing(first, "skill 0.5") == ["score  0.5"]


def test_the_pictures_are_small() -> None:
    named = re.findall(r"!\[[^]]+\]\((images/[^)]+)\)", PAGE)
    assert len(named) >= 3
    for name in named:
        assert 500 < (ROOT / "docs" / name).stat().st_size < 102_400, name
