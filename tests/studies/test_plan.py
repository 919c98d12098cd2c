"""The arms of a study: every combination, matched in parameters or seconds, with the same seeds."""

from pathlib import Path

import pytest

from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.config.schema.studies import StudyRow
from pipeline.errors import ConfigError
from pipeline.stages import parameters
from pipeline.studies import plan
from pipeline.studies.plan import parameters_of, planned
from pipeline.studies.store import Store
from pipeline.studies.trial import Addresses

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def params(trained: Project) -> Params:
    return parameters(trained)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: it has used TensorFlow, and must not fork."""
    monkeypatch.setattr(plan, "in_child", lambda work: work())
    monkeypatch.setattr("pipeline.layers.use_one_thread", lambda: None)


def addresses(trained: Project, params: Params, name: str, **changes: object) -> Addresses:
    row = params.experiments[name].model_copy(update=changes)
    return Addresses(trained, params.model_copy(update={"experiments": {name: row}}), name)


def test_every_combination_is_an_arm_with_the_same_seeds(trained: Project, params: Params, tmp_path: Path) -> None:
    study = StudyRow(experiment="djia", vary={"cell": ["lstm", "gru"], "units": [2, 3]}, seeds=2)
    arms = planned(addresses(trained, params, "djia"), Store(Project(tmp_path)), "s", study, seed=7)
    assert [arm.name for arm in arms] == [
        "cell=lstm units=2", "cell=lstm units=3", "cell=gru units=2", "cell=gru units=3",
    ]  # fmt: skip
    assert {tuple(trial.seed for trial in arm.trials) for arm in arms} == {(7, 8)}
    assert [(arm.trials[0].row.cell, arm.trials[0].row.units) for arm in arms] == [
        ("lstm", 2), ("lstm", 3), ("gru", 2), ("gru", 3),
    ]  # fmt: skip
    assert len({trial.key for arm in arms for trial in arm.trials}) == 8


def test_arms_of_equal_parameters(trained: Project, params: Params, tmp_path: Path) -> None:
    base = addresses(trained, params, "djia", units=32)
    cells = ["simple_rnn", "lstm", "gru", "peephole_lstm", "coupled_lstm"]
    study = StudyRow(experiment="djia", vary={"cell": cells}, match="parameters", seeds=1)
    arms = planned(base, Store(Project(tmp_path)), "s", study, seed=7)
    wanted = parameters_of(base.row, base.encoded)
    sizes = [parameters_of(arm.trials[0].row, base.encoded) for arm in arms]
    assert all(abs(size - wanted) <= 0.05 * wanted for size in sizes), (wanted, sizes)
    assert len({arm.matched["units"] for arm in arms}) >= 3  # a simple RNN needs more units than a GRU
    assert [arm.name for arm in arms][2] == "cell=gru units=32"


def test_parameters_that_no_units_can_meet(trained: Project, params: Params, tmp_path: Path) -> None:
    base = addresses(trained, params, "djia", units=1)
    study = StudyRow(experiment="djia", vary={"layers": [1, 8]}, match="parameters", seeds=1)
    with pytest.raises(ConfigError, match=r"studies\.deep\.match: layers=8 has .* parameters with units: 1.*match: un"):
        planned(base, Store(Project(tmp_path)), "deep", study, seed=7)


def test_arms_of_equal_seconds_keep_their_epochs(
    trained: Project, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An arm whose epoch takes four times as long has a quarter of the epochs, and the times are measured once."""
    measured = []

    def seconds(_: Addresses, row: object) -> float:
        measured.append(row)
        return {"gru": 1.0, "lstm": 4.0, "simple_rnn": 0.5}[row.cell]  # type: ignore[attr-defined]

    monkeypatch.setattr(plan, "_seconds", seconds)
    study = StudyRow(experiment="djia", vary={"cell": ["lstm", "gru", "simple_rnn"]}, match="seconds", seeds=1)
    for seeds in (1, 2):
        longer = study.model_copy(update={"seeds": seeds})
        arms = planned(addresses(trained, params, "djia", epochs=8), Store(Project(tmp_path)), "s", longer, seed=7)
        assert [arm.matched["epochs"] for arm in arms] == [2, 8, 16]
    assert len(measured) == 3


def test_an_epoch_is_timed(trained: Project, params: Params) -> None:
    base = addresses(trained, params, "djia", epochs=500)
    small, large = (plan._seconds(base, base.row.model_copy(update={"units": units})) for units in (2, 256))
    assert 0 < small < large < 60
