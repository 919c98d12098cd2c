"""DVC is killed: a training that lives on replaces nothing, one that was killed with it goes on in the next run."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.clone import clone
from tests.commands import FEW_STAGES, environment
from tests.reproduce.test_warm import alive, until

PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources: {{cosine: {{reader: cosine}}}}
studies: {{}}
tunings: {{}}
own: {{}}
recipes: {{none: {{}}}}
datasets: {{cosine: {{source: cosine, task: forecasting}}}}
experiments:
  cosine:
    {{dataset: cosine, task: forecasting, recipe: none, units: 2, batch_size: 8, time_steps: 16, epochs: {epochs}}}
"""


def holder(root: Path, what: str) -> "int | None":
    """The process that runs the stage."""
    for path in (root / ".dvc" / "tmp" / "running").glob("*"):
        with contextlib.suppress(ValueError):
            held = json.loads(path.read_text())
            if held["what"] == what and alive(held["pid"]):
                return int(held["pid"])
    return None


@pytest.mark.fault("orphan", "two-processes")
@pytest.mark.long
@pytest.mark.slow
def test_a_training_whose_dvc_was_killed_replaces_nothing(tmp_path: Path) -> None:
    root = clone(tmp_path / "project")
    shutil.rmtree(root / "textbook", ignore_errors=True)
    (root / "params.yaml").write_text(PARAMS.format(epochs=100_000))
    variables = environment(**FEW_STAGES, MLFLOW_TRACKING_URI="http://127.0.0.1:9")

    def repro(code: int) -> str:
        done = subprocess.run(
            ["dvc", "repro", "train@cosine"],
            cwd=root, env=variables, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    first = subprocess.Popen(
        ["dvc", "repro", "train@cosine"], cwd=root, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: holder(root, "train@cosine") is not None, 900)
    orphan = holder(root, "train@cosine")
    assert orphan is not None
    os.kill(orphan, signal.SIGSTOP)
    first.kill()
    first.wait()
    assert alive(orphan)
    (root / "params.yaml").write_text(PARAMS.format(epochs=1))
    assert f"train@cosine has been run by process {orphan} since" in repro(255)
    os.kill(orphan, signal.SIGCONT)
    until(lambda: not alive(orphan), 120)
    repro(0)
    model = (root / "data" / "models" / "cosine" / "sha256.json").read_bytes()
    subprocess.run(["python", "-m", "pipeline", "verify"], cwd=root, env=variables, check=True, timeout=300)
    assert (root / "data" / "models" / "cosine" / "sha256.json").read_bytes() == model


@pytest.mark.fault("killed-in-training")
@pytest.mark.long
@pytest.mark.slow
def test_a_training_killed_together_with_its_dvc_goes_on(tmp_path: Path) -> None:
    root = clone(tmp_path / "project")
    shutil.rmtree(root / "textbook", ignore_errors=True)
    (root / "params.yaml").write_text(PARAMS.format(epochs=300))
    variables = environment(**FEW_STAGES, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    command = ["dvc", "repro", "train@cosine"]
    first = subprocess.Popen(
        command, cwd=root, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until(lambda: any((root / "data" / "checkpoints" / "cosine").rglob("[!.]*.npz")), 900)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    until(lambda: holder(root, "train@cosine") is None, 60)
    assert not (root / "data" / "models" / "cosine").exists()
    done = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^cosine: resumed at epoch \d+/300$", done.stdout, re.MULTILINE), done.stdout
    fit = json.loads((root / "data" / "models" / "cosine" / "fit.json").read_text())
    assert len(fit["networks"]) == 1 and fit["networks"][0]["epochs"] == 300
