"""TensorFlow, Keras and MLflow take seconds to import: only training, serving and logging pay for them."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SLOW = ("keras", "mlflow", "tensorflow")
IMPORT_ALL = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps([name for name in json.loads(sys.argv[2]) if name in sys.modules]))
"""
HELP = """
import contextlib, io, json, runpy, sys
slow, sys.argv = json.loads(sys.argv[1]), ["pipeline", *json.loads(sys.argv[2])]
code = None
with contextlib.redirect_stdout(io.StringIO()) as text:
    try:
        runpy.run_module("pipeline", run_name="__main__")
    except SystemExit as end:
        code = end.code
print(json.dumps([code, "usage" in text.getvalue(), [name for name in slow if name in sys.modules]]))
"""


def _light_modules() -> list[str]:
    """Every module outside pipeline.models, but the command line, which would run, and what MLflow loads as code."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "pipeline").rglob("*.py"))
    names = (".".join(path.parts).removesuffix(".__init__") for path in paths)
    heavy = ("pipeline.layers", "pipeline.__main__", "pipeline.serving.mlflow_model")
    return sorted(name for name in names if not name.startswith(heavy))


def _python(code: str, *arguments: object) -> object:
    command = [sys.executable, "-W", "error", "-c", code, *map(json.dumps, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_modules_outside_models_import_neither_tensorflow_nor_keras_nor_mlflow() -> None:
    modules = _light_modules()
    assert {"pipeline.sources.alice", "pipeline.tasks.sentiment.prepare", "pipeline.stages.train"} <= set(modules)
    assert _python(IMPORT_ALL, modules, SLOW) == []


def test_the_fence_notices_what_is_imported() -> None:
    # The same check with a package that one of the modules does import, so that it cannot pass by looking at nothing.
    assert _python(IMPORT_ALL, ["pipeline.config.loading"], ["pydantic", "keras"]) == ["pydantic"]


def test_help_imports_neither() -> None:
    assert _python(HELP, SLOW, ["--help"]) == [0, True, []]
