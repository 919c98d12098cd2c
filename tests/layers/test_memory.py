"""Memory that a training step frees stays in the process for the next step."""

import os
import platform
import subprocess
import sys

import pytest

from pipeline.layers import memory

# Prints the pages that a step gets from the system, in the main thread and in another one.
STEPS = """
import resource, threading
import numpy as np

def step():
    arrays = [np.ones(size, np.float32) for size in (40_000, 400_000, 4_000_000, 12_000_000)]
    return sum(float(array[-1]) for array in arrays)

def steps():
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        step()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 5)

steps()
thread = threading.Thread(target=steps)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_a_process_that_trains_keeps_the_memory_that_a_step_frees() -> None:
    kept, returned = _pages_a_step("from pipeline import layers"), _pages_a_step("")
    assert max(kept) < 20
    assert min(returned) > 200


def test_a_setting_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: pytest.fail("the parameters of malloc are changed"))
    monkeypatch.setenv("MALLOC_ARENA_TEST", "8")
    memory.keep_freed()


def _pages_a_step(first: str) -> list[float]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", f"{first}\n{STEPS}"]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return [float(line) for line in found.stdout.split()]
