"""Tests of docs/reliability.md: every fault that it names is set off by a test, and the other way round."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _described() -> list[str]:
    return re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE)


def _set_off() -> set[str]:
    tests = [path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")) if path != Path(__file__)]
    marks = [mark for text in tests for mark in re.findall(r"mark\.fault\(([^)]*)\)", text)]
    return {name for mark in marks for name in re.findall(r'"([^"]+)"', mark)}


def test_the_page_names_each_fault_once_and_each_has_a_test() -> None:
    described = _described()
    assert len(described) == len(set(described))
    assert set(described) == _set_off()
