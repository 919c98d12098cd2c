"""A trial: its address, what it trains, and that its bytes do not depend on the process."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.evaluation import scoring
from pipeline.stages import parameters
from pipeline.studies import trial as trials
from pipeline.studies.trial import Addresses, peak_memory
from pipeline.tasks import task_named

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def params(trained: Project) -> Params:
    return parameters(trained)


def test_the_address_is_that_of_settings_seed_data_and_code(
    trained: Project, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = Addresses(trained, params, "djia")
    same = {addresses.trial({}, 3).key, Addresses(trained, params, "djia").trial({"units": 4}, 3).key}
    assert len(same) == 1
    other = {
        "seed": addresses.trial({}, 4).key,
        "settings": addresses.trial({"units": 5}, 3).key,
        "blind": addresses.trial({}, 3, blind=True).key,
        "edition": Addresses(trained, params.model_copy(update={"edition": "published"}), "djia").trial({}, 3).key,
    }
    changed = Addresses(trained, params, "djia")
    arrays = {**changed.encoded.arrays, "returns": changed.encoded.arrays["returns"] + 1e-9}
    changed.__dict__["encoded"] = dataclasses.replace(changed.encoded, arrays=arrays)
    other["data"] = changed.trial({}, 3).key
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    changed_code = tmp_path / "pipeline/training/fit.py"
    changed_code.write_text(changed_code.read_text() + "# changed\n")
    monkeypatch.setattr(trials, "CODE", tmp_path / "pipeline")
    other["code"] = Addresses(trained, params, "djia").trial({}, 3).key
    assert len(set(other.values()) | same) == 7, other


def test_what_is_not_compared_is_not_part_of_the_address(trained: Project, params: Params) -> None:
    row = params.experiments["djia"]
    repeated = params.model_copy(
        update={"experiments": {**params.experiments, "djia": row.model_copy(update={"repeats": 3})}}
    )
    assert Addresses(trained, repeated, "djia").trial({}, 3) == Addresses(trained, params, "djia").trial({}, 3)


RUN = """
import json, sys
from pathlib import Path
from pipeline.artifacts import Project
from pipeline.studies.trial import Trial, run
seen = []
found = run(Project(Path(sys.argv[1])), Trial(**json.loads(sys.argv[2])), lambda *epoch: seen.append(epoch))
print(json.dumps({"test": found.test, "validation": found.validation, "losses": found.losses.tolist(), "seen": seen,
                  "digest": found.digest, "parameters": found.parameters, "memory": found.memory}))
"""


def test_a_trial_has_the_figures_of_the_same_training(trained: Project, params: Params) -> None:
    """In a process of its own, on one thread, it gives what `train` and `evaluate` gave for the experiment."""
    one = Addresses(trained, params, "djia").trial({}, params.seed)
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(trained.root), json.dumps(dataclasses.asdict(one))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    metrics = artifacts.load_json(trained.metrics("djia", "djia"))
    for split in ("validation", "test"):
        assert {name: found[split][name] for name in metrics[split]} == pytest.approx(metrics[split], rel=1e-5)
    encoded = artifacts.load_encoded(trained.prepared("djia"))
    predictions = artifacts.load_arrays(trained.predictions("djia", "djia") / "predictions.npz")
    fit = artifacts.load_json(trained.model("djia") / "fit.json")
    losses = scoring.test_losses(task_named("returns"), encoded, fit["networks"], predictions)
    assert np.allclose(found["losses"], losses, rtol=1e-4, atol=1e-9)
    assert found["parameters"] == fit["parameters"] and 100 < found["memory"] < 5_000
    assert [epoch for epoch, _ in found["seen"]] == [1, 2]  # an epoch for each of the two origins


def test_the_peak_of_the_memory_grows_with_what_is_used() -> None:
    before = peak_memory()
    block = np.ones(50_000_000, np.int64)
    assert block.sum() and peak_memory() >= max(before, 390.0)
