"""Machine code is compiled once for all checkouts of a user, and again for other loops."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.layers.loops import machine_code

ROOT = Path(__file__).parents[3]
MULTIPLY = """
import numpy as np
from pipeline.layers.loops.gates import tanh
print(float(tanh(np.float32(0.5))), len(tanh.stats.cache_hits))
"""


def run(root: Path, cache: Path) -> tuple[float, int]:
    """The tanh of ½, and how often the machine code was found."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", MULTIPLY],
        cwd=root, env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    value, hits = done.stdout.split()
    return float(value), int(hits)


def checkout(to: Path) -> Path:
    shutil.copytree(ROOT / "pipeline", to / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    return to


def test_another_checkout_compiles_nothing_and_other_loops_are_compiled(tmp_path: Path) -> None:
    one, other = checkout(tmp_path / "one"), checkout(tmp_path / "other")
    expected = pytest.approx(0.46211716, abs=1e-6)
    assert run(one, tmp_path / "cache") == (expected, 0)
    assert run(other, tmp_path / "cache") == (expected, 1)
    gates = other / "pipeline" / "layers" / "loops" / "gates.py"
    gates.write_text(gates.read_text().replace("return near if", "return -near if").replace("else far", "else -far"))
    value, hits = run(other, tmp_path / "cache")
    assert (value, hits) == (pytest.approx(-0.46211716, abs=1e-6), 0)


def test_without_a_folder_it_is_compiled_in_each_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert run(ROOT, tmp_path / "file") == (pytest.approx(0.46211716, abs=1e-6), 0)


def test_the_folder_is_private_and_named_after_the_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    locator = machine_code.ByContent.from_function(run, __file__)
    assert locator is not None
    path = Path(locator.get_cache_path())
    assert path.parent.parent == tmp_path and path.name == locator.get_source_stamp()
    assert path.stat().st_mode & 0o077 == 0
