"""Start the server of a model: a trained experiment with this checkout's code, an MLflow model with its logged code."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.artifacts import Project
from pipeline.errors import DataError, ServerFailed

# The modules of the logged model are read from its verified copy, and not from this checkout.
START = """
import os, sys, threading
from pathlib import Path
from pipeline.errors import UserError
from pipeline.serving.server import run
folder, host, port, name = sys.argv[1:]

def end_with_parent():
    sys.stdin.read()
    os._exit(1)

threading.Thread(target=end_with_parent, daemon=True).start()
try:
    run(Path(folder) / "artifacts" / "model", host, int(port), name)
except UserError as error:
    sys.exit(f"error: {error}")
"""


def serve(project: Project, model: str, host: str, port: int) -> None:
    """Serve a trained experiment, or an MLflow model whose files the tracking store vouches for.

    Returns when the server ends. Raises DataError if there is no such model, or it is not the one that was logged.
    """
    folder = project.model(model) / "model" if "/" not in model else None
    if folder is not None and folder.is_dir():
        from pipeline.integrity import checksums
        from pipeline.serving.server import run

        checksums.check(folder.parent)
        run(folder, host, port, model)
        return
    if not model.startswith("models:/") and not Path(model).is_dir():
        trained = sorted(path.name for path in project.model("x").parent.glob("*") if path.is_dir())
        known = ", ".join(trained) or "none; run `dvc repro` to train them"
        raise DataError(f"{model}: no trained experiment, no folder, and not models:/<name>@champion; trained: {known}")
    from pipeline.serving import vouched

    with tempfile.TemporaryDirectory() as place:
        _run_logged(vouched.copy(project, model, Path(place) / "model"), host, port, model)


def _run_logged(folder: Path, host: str, port: int, name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder / "code"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", START, str(folder), host, str(port), name]
    server = subprocess.Popen(command, cwd=folder.parent, env=environment, stdin=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        code = server.wait()
    except KeyboardInterrupt:  # the terminal has sent it to both
        code = server.wait()
    if code > 0:
        raise ServerFailed("the server ended with an error; see its message above")
