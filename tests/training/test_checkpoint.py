"""Checkpoints: an interrupted training ends in the same bytes; one for other settings, data or code is not used."""

import contextlib
import dataclasses
import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.encoding.records import Encoded
from pipeline.progress import Progress
from pipeline.training import checkpoint, repeats
from pipeline.training.checkpoint import Checkpoints
from pipeline.training.compiled import Compiled
from pipeline.training.from_scratch import FromScratch
from pipeline.training.repeats import TrainedNetwork
from tests.tasks.case import CASES

# Each with what distinguishes it: states, averages and seeds of dropout; folds and repeats; refit of the best epoch; …
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "streams": ("char_lm", {}, {"dropout": 0.3, "ema_momentum": 0.9, "gradients": True, "layers": 2}),
    "folds": ("returns", {}, {"repeats": 2, "dropout": 0.3, "input_dropout": 0.2}),
    "refit": ("pos_tagging", {}, {"refit": True, "restore_weights": "best", "patience": 2, "ema_momentum": 0.9}),
    "goes on": ("char_lm", {}, {"refit": True, "refit_epochs": 2, "dropout": 0.3}),
    "numpy": ("forecasting", {}, {"engine": "numpy", "cell": "gru"}),
    "images": ("image_rows", {}, {"optimizer": "adamw", "weight_decay": 0.1, "augment": True, "dropout": 0.2}),
    "windows": ("char_windows", {}, {"optimizer": "rmsprop", "schedule": "constant", "cell": "peephole_lstm"}),
}
QUICK = ("numpy",)  # the others are interrupted by signals too, in test_killed.py
EPOCHS = 3


class Interrupted(BaseException):
    """Ends a training at once, as a signal would."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short texts, and a checkpoint after every epoch."""
    monkeypatch.setattr("pipeline.tasks.char_lm.network.SAMPLE_LENGTH", 20)
    monkeypatch.setattr("pipeline.tasks.char_lm.network.CHECKPOINT_LENGTH", 20)
    monkeypatch.setattr("pipeline.tasks.textbook.char_windows.network.LENGTHS", {"next": 20, "sequence": 20})
    monkeypatch.setattr("pipeline.tasks.textbook.char_windows.network.CHECKPOINT_LENGTH", 20)
    monkeypatch.setattr(Checkpoints, "due", lambda self: True)


def run(name: str, folder: Path | None, progress: Progress | None = None, **changes: Any) -> list[TrainedNetwork]:
    task, data, row = KINDS[name]
    case = CASES[task]
    kept = None if folder is None else Checkpoints(folder, {"settings": {"name": name}}, name)
    network = case.network_row(epochs=EPOCHS, **{**row, **changes})
    return repeats.train(
        case.task, network, case.encoded(**data), seed=3, label=name, checkpoints=kept, progress=progress
    )


def without_seconds(networks: list[TrainedNetwork]) -> list[Any]:
    found = []
    for network in networks:
        facts = {f.name: getattr(network, f.name) for f in dataclasses.fields(network) if f.name != "seconds"}
        facts["weights"] = [(w.dtype.str, w.shape, w.tobytes()) for w in network.weights]
        facts["predictions"] = {n: (p.dtype.str, p.shape, p.tobytes()) for n, p in network.predictions.items()}
        facts["history"] = [[v for n, v in row.items() if "second" not in n] for row in network.history]
        found.append(facts)
    return found


@contextlib.contextmanager
def counting(stop: int | None = None) -> Iterator[list[int]]:
    """Count training steps and written checkpoints; raise Interrupted in place of the call number `stop`."""
    calls = [0]

    def counted(function: Any) -> Any:
        def called(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == stop:
                raise Interrupted
            return function(*arguments, **options)

        return called

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((Compiled, "train"), (FromScratch, "train"), (Checkpoints, "save")):
            patch.setattr(owner, name, counted(getattr(owner, name)))
        yield calls


def finished(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The epochs that were printed since the last call, without their figures."""
    return re.findall(r"^(.*: epoch \d+/\d+):", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.fault("killed-in-training")
@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in KINDS])
def test_a_training_interrupted_in_every_epoch_ends_in_the_same_bytes(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with counting() as calls:
        whole = run(name, None)
    epochs = finished(capsys)
    trained = []
    for _ in range(2 * len(epochs)):
        with counting(stop=calls[0] * 3 // (2 * len(epochs)) + 3):  # soon after the first epoch that it finishes
            try:
                resumed = run(name, tmp_path)
                break
            except Interrupted:
                trained += finished(capsys)
    last = capsys.readouterr().out
    trained += re.findall(r"^(.*: epoch \d+/\d+):", last, re.MULTILINE)
    assert without_seconds(resumed) == without_seconds(whole)
    assert trained == epochs  # none is trained again
    assert "resumed a" in last


def test_finished_networks_are_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("numpy", tmp_path, repeats=2)
    epochs = finished(capsys)
    assert len(epochs) == 2 * EPOCHS
    with counting() as calls:
        run("numpy", tmp_path, repeats=2)
    out = capsys.readouterr().out
    assert calls == [0]
    assert out.splitlines() == [
        "numpy [1/2]: trained before the interruption",
        "numpy [2/2]: trained before the interruption",
    ]


ROW = {"units": 64, "learning_rate": 0.003}


def keys(tmp_path: Path, **changes: Any) -> dict[str, dict[str, dict[str, str]]]:
    """The key of one training, and those of others that differ in one thing each."""
    encoded = CASES["returns"].encoded()
    code = tmp_path / "pipeline"
    for name in ("training/fit.py", "tasks/returns/network.py", "tasks/other/network.py"):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text("pass\n")

    def key(row: dict[str, Any] = ROW, data: Encoded = encoded) -> dict[str, dict[str, str]]:
        return checkpoint.key(row, data, code, "tasks/returns")

    made = {"same": key(), "equal": key({**ROW})}
    (code / "tasks/other/network.py").write_text("other\n")
    made["other task's code"] = key()
    made["settings (units)"] = key({**ROW, "units": 65})
    made["settings (seed)"] = key({**ROW, "seed": 1})
    arrays = {**encoded.arrays, "returns": encoded.arrays["returns"] + 1e-9}
    made["data (returns)"] = key(data=dataclasses.replace(encoded, arrays=arrays))
    made["data (encoder)"] = key(data=dataclasses.replace(encoded, encoder={**encoded.encoder, "window": 99}))
    (code / "training" / "fit.py").write_text("other\n")
    made["code (training/fit.py)"] = key()
    return made


@pytest.mark.fault("clock-set-back")
def test_a_clock_that_is_set_back_changes_no_result_and_no_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = without_seconds(run("numpy", None))
    clock = itertools.count(2_000_000_000, -3600)
    monkeypatch.setattr("time.time", lambda: float(next(clock)))
    with Progress(artifacts.Project(tmp_path), "numpy", "0" * 32) as progress:
        (network,) = networks = run("numpy", tmp_path / "kept", progress=progress)
    assert without_seconds(networks) == whole
    assert 0.0 < sum(row["seconds"] for row in network.history) <= network.seconds < 600.0


@pytest.mark.fault("checkpoint-of-another-training")
def test_a_checkpoint_for_other_settings_data_or_code_is_not_used_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = keys(tmp_path)
    mine = made.pop("same")
    Checkpoints(tmp_path / "kept", mine, "x").save("epoch", {"a": np.ones(3)}, {"place": "0 train"})
    for name, other in made.items():
        checkpoints = Checkpoints(tmp_path / "kept", other, "x")
        checkpoints.announce()
        same = name in ("equal", "other task's code")
        said = "" if same else f"x: checkpoint is for other {name}; starting at epoch 1\n"
        assert capsys.readouterr().out == said
        assert (checkpoints.load("epoch") is not None) == same


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _another_shape(path: Path) -> None:
    arrays = artifacts.load_arrays(path)
    artifacts.save_arrays(path, {**arrays, "model/0000": np.zeros((2, 2), np.float32)})


def _one_less(path: Path) -> None:
    arrays = artifacts.load_arrays(path)
    del arrays["optimizer/0001"]
    artifacts.save_arrays(path, arrays)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "a bit": _flip,
    "shape": _another_shape,
    "missing": _one_less,
}


@pytest.mark.fault("damaged-checkpoint")
def test_a_damaged_checkpoint_is_said_and_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with counting() as calls:
        whole = without_seconds(run("numpy", None))
    with counting(stop=calls[0]), pytest.raises(Interrupted):
        run("numpy", tmp_path / "whole")
    for name, damage in DAMAGES.items():
        shutil.copytree(tmp_path / "whole", tmp_path / name)
        (path,) = (tmp_path / name).glob("*/epoch.npz")
        damage(path)
        capsys.readouterr()
        resumed = run("numpy", tmp_path / name)
        out = capsys.readouterr().out
        assert f"numpy: {path} is damaged and not used" in out and "resumed" not in out, name
        assert without_seconds(resumed) == whole, name


def test_a_full_disk_costs_the_checkpoints_and_not_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").write_text("a file in the way of the folder")
    done = run("numpy", tmp_path / "kept")
    assert len(done) == 1 and capsys.readouterr().err.count("numpy: no checkpoints:") == 1


def test_writing_checkpoints_takes_a_bounded_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real due()
    clock, written = [0.0], list[float]()
    monkeypatch.setattr("pipeline.training.checkpoint.time.monotonic", lambda: clock[0])

    def slow(path: Path, arrays: Any) -> None:
        clock[0] += 0.5
        written.append(clock[0])

    monkeypatch.setattr("pipeline.training.checkpoint.artifacts.save_arrays", slow)
    checkpoints = Checkpoints(tmp_path, {"settings": {}}, "x")
    for _ in range(400):  # epochs of half a second
        clock[0] += 0.5
        if checkpoints.due():
            checkpoints.save("epoch", {}, {})
    assert len(written) >= 4 and 0.5 * len(written) <= 0.02 * clock[0]


def test_the_sweep_leaves_nothing(tmp_path: Path) -> None:
    made = keys(tmp_path)
    for key in made.values():
        Checkpoints(tmp_path / "kept" / "x", key, "x").save("epoch", {"a": np.ones(3)}, {})
    Checkpoints(tmp_path / "kept" / "x", made["same"], "x").sweep()
    assert not list((tmp_path / "kept").iterdir())
