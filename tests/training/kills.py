"""Kill a training again and again: python -m tests.training.kills <folder> <kind> [alone]. For test_killed.py.

This process imports TensorFlow once and forks each training from itself. A training stops where it is told to and says
so; this process then kills it with SIGKILL, as an operating system would. The last line is a JSON report;
with `alone`, the results of a training that nobody kills.
"""

import hashlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXPERIMENT = "x"
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "streams": (
        "alice",
        {"task": "char_lm"},
        {"cell": "gru", "units": 16, "dropout": 0.2, "ema_momentum": 0.9, "gradients": True, "layers": 2, "epochs": 3},
    ),
    "folds": (
        "djia",
        {"task": "returns"},
        {"cell": "lstm", "units": 4, "dropout": 0.3, "optimizer": "adamw", "epochs": 3, "repeats": 2},
    ),
    "refit": (
        "digits",
        {"task": "image_rows"},
        {"cell": "simple_rnn", "units": 8, "refit": True, "restore_weights": "best", "patience": 2, "epochs": 4},
    ),
    "stateful": (
        "electricity",
        {"task": "forecasting", "horizons": [1, 4]},
        {"cell": "peephole_lstm", "units": 8, "stateful": True, "time_steps": 48, "batch_size": 4, "epochs": 3,
         "repeats": 2, "refit": True},
    ),
    "numpy": (
        "cosine",
        {"task": "forecasting", "test": 0.5},
        {"engine": "numpy", "cell": "gru", "units": 4, "time_steps": 20, "batch_size": 8, "epochs": 4},
    ),
    "bags": (
        "umich",
        {"task": "sentiment"},
        {"cell": "coupled_lstm", "units": 8, "bidirectional": True, "spatial_dropout": 0.3, "word_dropout": 1.0,
         "label_smoothing": 0.1, "ema_momentum": 0.9, "epochs": 3, "refit": True},
    ),
}  # fmt: skip
# In this order: each training goes on where the last one was killed.
POINTS = (
    "mid-epoch", "between epochs", "writing a checkpoint", "after its rename", "during validation", "mid-epoch",
    "between networks", "during the refit", "before the predictions", "before the model's rename", "after all renames",
)  # fmt: skip


def applies(point: str, row: dict[str, Any], networks: int) -> bool:
    return {"between networks": networks > 1, "during the refit": row.get("refit", False)}.get(point, True)


def stop_at(point: str, here: Callable[[], None]) -> None:
    """Patch the training so that it calls `here` at a point of it."""
    from pipeline import artifacts
    from pipeline.stages import train
    from pipeline.training import checkpoint, compiled, from_scratch, lines, repeats

    def before(owner: Any, name: str, number: int = 1, when: Callable[..., bool] = lambda *_, **__: True) -> None:
        function, calls = getattr(owner, name), [0]

        def stopping(*arguments: Any, **options: Any) -> Any:
            calls[0] += bool(when(*arguments, **options))
            if calls[0] == number:
                here()
            return function(*arguments, **options)

        setattr(owner, name, stopping)

    def after(owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def stopping(*arguments: Any, **options: Any) -> Any:
            function(*arguments, **options)
            here()

        setattr(owner, name, stopping)

    def half_written(path: Path, content: bytes) -> None:
        if path.name == "epoch.npz":
            path.with_name(f".{path.name}.half.tmp").write_bytes(content[: len(content) // 2])
            here()
        save(path, content)

    if point == "mid-epoch":
        for owner in (compiled.Compiled, from_scratch.FromScratch):
            before(owner, "train", 2)
    elif point == "between epochs":
        after(lines.Lines, "epoch")
    elif point == "writing a checkpoint":
        save, artifacts.save_bytes = artifacts.save_bytes, half_written
    elif point == "after its rename":
        after(checkpoint.Checkpoints, "save")
    elif point == "during validation":
        before(compiled.Compiled, "predict")
    elif point == "between networks":
        before(repeats.Trainer, "trained", when=lambda self, seed, fold, label, number=0: number == 1)
    elif point == "during the refit":
        before(repeats, "fit", when=lambda *_, label, **__: label.endswith("(refit)"))
    elif point == "before the predictions":
        _before_test_predictions(repeats.Trainer, here)
    elif point == "before the model's rename":
        after(train, "_save_model")
    else:
        before(train, "_keep")


def _before_test_predictions(trainer: Any, here: Callable[[], None]) -> None:
    begin = trainer.__init__

    def begun(self: Any, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        predict = self.predictor.predict

        def predicted(split: str, *rest: Any) -> Any:
            if split == "test":
                here()
            return predict(split, *rest)

        self.predictor = replace(self.predictor, predict=predicted)

    trainer.__init__ = begun


def child(folder: Path, point: str | None, say: int) -> int:
    from pipeline.__main__ import main
    from pipeline.tasks.char_lm import network
    from pipeline.training.checkpoint import Checkpoints

    def here() -> None:
        os.write(say, b"x")
        threading.Event().wait()

    network.SAMPLE_LENGTH = network.CHECKPOINT_LENGTH = 20
    Checkpoints.due = lambda self: True  # type: ignore[method-assign]
    os.chdir(folder)
    if point is not None:
        stop_at(point, here)
    return main(["train", EXPERIMENT])


def trained(folder: Path, point: str | None) -> str:
    """Fork a training, and kill it where it stops; return what it printed."""
    listen, say = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(listen)
        out = os.open(folder / "out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        code = 1
        try:
            code = child(folder, point, say)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(say)
    if os.read(listen, 1):
        os.kill(pid, signal.SIGKILL)
    os.close(listen)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    printed = (folder / "out").read_text()
    expected = 0 if point is None else -signal.SIGKILL
    assert status == expected, f"{point}: ended with {status}:\n{printed}"
    return printed


def results(folder: Path) -> dict[str, str]:
    """The sha256 of every result; figures without seconds."""
    found = {}
    for path in sorted([*folder.glob("data/models/**/*"), *folder.glob("data/predictions/**/*")]):
        if path.is_file() and path.name not in ("fit.json", "run.json", "sha256.json") and ".tmp" not in str(path):
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    fit = json.loads((folder / "data/models" / EXPERIMENT / "fit.json").read_text())
    fit["networks"] = [{k: v for k, v in one.items() if k != "seconds"} for one in fit["networks"]]
    found["fit"] = json.dumps({k: v for k, v in fit.items() if "second" not in k})
    (curves,) = folder.glob("reports/curves/*/*.csv")
    head, *rows = (line.split(",") for line in curves.read_text().splitlines())
    kept = [i for i, name in enumerate(head) if "second" not in name]
    found["curves"] = json.dumps([[row[i] for i in kept] for row in rows])
    return found


def main(folder: Path, kind: str, *, alone: bool) -> None:
    import shutil

    import yaml

    from pipeline import artifacts
    from pipeline.artifacts import Project
    from pipeline.stages import download, preprocess

    os.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    source, data, row = KINDS[kind]
    params = {
        "seed": 3, "edition": "synthetic", "cell": None, "sources": {source: {"reader": source}}, "own": {},
        "datasets": {source: {"source": source, **data}},
        "experiments": {EXPERIMENT: {"dataset": source, "task": data["task"], **row}},
    }  # fmt: skip
    whole, killed = folder / "whole", folder / "killed"
    whole.mkdir(parents=True)
    (whole / "params.yaml").write_text(yaml.safe_dump(params))
    os.chdir(whole)
    download.run(Project(whole), source)
    preprocess.run(Project(whole), source)
    shutil.copytree(whole, killed)
    import pipeline.training.repeats  # noqa: F401  # once, for all forks

    trained(whole, None)
    if alone:
        print(json.dumps(results(whole)))
        return
    networks = len(artifacts.load_json(whole / "data/models" / EXPERIMENT / "fit.json")["networks"])
    points = [point for point in POINTS if applies(point, row, networks)]
    printed = [trained(killed, point) for point in points]
    printed.append(trained(killed, None))
    kept = [path.name for path in (killed / "data").glob("checkpoints/*")]
    report = {"points": points, "printed": printed, "kept": kept, "equal": results(whole) == results(killed)}
    print(json.dumps({**report, "files": len(results(whole))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], alone="alone" in sys.argv[3:])
