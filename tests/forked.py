"""Run `python -m <module>` in a process forked from one that has imported TensorFlow, Keras and MLflow.

The modules of this project are not among its imports, so a clone runs its own.
"""

import contextlib
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

import psutil

PRELOADED = [
    "keras", "matplotlib.figure", "mlflow", "mlflow.pyfunc", "nltk.tokenize", "numpy", "pandas", "pydantic", "pytest",
    "requests", "sklearn.linear_model", "sklearn.pipeline", "sklearn.svm", "tensorflow",
]  # fmt: skip
OURS = ("pipeline", "tests")


def run_module(
    folder: Path, *command: str, environment: Mapping[str, str], timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run the command, a module and its arguments, in the folder; output and exit code are as of subprocess.run()."""
    if sys.platform != "linux":  # a fork after these imports is safe there alone
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
    context: ForkServerContext = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    files = [folder / f".{name}-{os.getpid()}" for name in ("out", "err")]
    try:
        process = context.Process(target=_run, args=(str(folder), command, dict(environment), [str(f) for f in files]))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            process.join()
        out, err = (file.read_text(encoding="utf-8", errors="replace") for file in files)
        return subprocess.CompletedProcess(command, process.exitcode or 0, out, err)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _run(folder: str, command: tuple[str, ...], environment: dict[str, str], files: list[str]) -> None:
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.environ["PYTEST_ADDOPTS"] = "--assert=plain"  # it cannot rewrite the plugins that are imported already
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    root = str(Path(__file__).parents[1])
    sys.path[:] = [folder, *(entry for entry in sys.path if entry not in ("", root, folder))]
    sys.argv = [command[0], *command[1:]]
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
