"""The layout holds: few files at the root, few layers, small functions and modules, and CONTRIBUTING shows the same."""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline"
LINT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
LAYERS = LINT["importlinter"]["contracts"][0]["layers"]


def _functions() -> Iterator[tuple[int, str]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}: {node.name}"


def test_the_package_has_few_files_at_its_root() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 6


def test_every_room_has_its_layer_and_there_are_few() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert len(LAYERS) <= 12
    assert {room for layer in LAYERS for room in layer.split(" | ")} == rooms | files


def test_contributing_shows_the_layers() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"^```[a-z]*\n(__main__\n.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block, "CONTRIBUTING.md has no block of layers that begins with __main__"
    assert block[1].splitlines() == LAYERS


def test_functions_are_short() -> None:
    lengths = sorted(_functions())
    sizes = [length for length, _ in lengths]
    assert statistics.median(sizes) <= 8
    assert sizes[int(0.9 * len(sizes))] <= 20
    assert lengths[-1][0] <= 60, lengths[-1]


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert len(lengths) > 100
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > 300} == {}


def _words(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci" / "words.py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("line", "fault"), [("Return the mean.", ""), ("See what stands in it.", "what stands")])
def test_the_lint_step_for_words_finds_them(line: str, fault: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, timeout=60)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (tmp_path / "page.md").write_text(f"# Page\n\n{line}\n")
    done = _words(tmp_path)
    assert done.returncode == bool(fault)
    assert (f"page.md:3: {fault!r}" in done.stdout) == bool(fault)
