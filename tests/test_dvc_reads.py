"""dvc.yaml against what stages read when they run: a folder or a setting that is read must make the stage run again."""

import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.artifacts import Project
from pipeline.config import defaults
from pipeline.integrity import checksums
from pipeline.stages import index, report
from tests import conftest, reads

ROOT = Path(__file__).parents[1]
STAGES = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
SHOWN = "digits"  # the data set whose report is written
UNREAD = ("import", "study", "tune")  # no stage of the trained project: their files are tested with their stages
TABLES = {"download": "sources", "train": "experiments", "evaluate": "experiments"}
# What is no input: locks, journals for MLflow, what a killed training left, and the description of DVC's plots.
NO_INPUT = r"data/(\.running|spool|progress|checkpoints)(/|$)|reports/dvc\.yaml$|.*\.tmp(/|$)"
# What a stage depends on or reads although the other side of the comparison does not show it.
NOT_OPENED = {"data/readers/": "the hashes stand for the modules that read the source"}
NOT_IN_DVC = {
    ("preprocess", "sources"): "the reader; data/readers has the hashes of its modules",
    ("baseline", "datasets"): "the task, which is part of the paths in deps",
    ("evaluate", "cell"): "it is put into every row; what was trained with it is a dep",
    ("evaluate", "experiments"): "the data set and the task, which are part of the paths in deps",
    ("report", "datasets"): "which protocols its source has, for the views of MLflow",
    ("report", "experiments"): "which experiments there are: their figures are deps",
    ("index", "edition"): "which rows are reduced",
}
pytestmark = pytest.mark.slow
Read = Mapping[tuple[str, str], reads.Read]


@pytest.fixture(scope="module")
def every(read: Read, trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Read:
    """What each stage read, by stage and row."""
    root = Path(shutil.copytree(trained.root, tmp_path_factory.mktemp("reads") / "project"))
    recorded = dict(read)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow and what it imports warn about each other
        patch.delenv("DVC_ROOT", raising=False)
        with reads.of("report", root, recorded, SHOWN):
            report.run(Project(root), SHOWN)
        for name in _rows("datasets"):
            section = Project(root).section(name)
            if not section.is_dir():
                shutil.copytree(Project(root).section(SHOWN), section)
                (section / checksums.LIST).write_text(checksums.listed(section, section))
        with reads.of("index", root, recorded):
            index.run(Project(root))
    return recorded


def _rows(table: str) -> "dict[str, Any]":
    return dict(conftest.settings()[table])


def _filled(text: str, group: str, name: str) -> str:
    row = _rows(TABLES.get(group, "datasets")).get(name, {})
    return re.sub(r"\$\{item\.(\w+)\}", lambda found: str(row.get(found[1])), text.replace("${key}", name))


def _data(group: str) -> "list[str]":
    """The data in the deps of a stage, as dvc.yaml writes it."""
    deps = STAGES[group].get("do", STAGES[group])["deps"]
    return [dep for dep in deps if dep.startswith(("data/", "reports/"))]


def _outs(group: str) -> "list[str]":
    body = STAGES[group].get("do", STAGES[group])
    return [path for out in body["outs"] for path in ([out] if isinstance(out, str) else out)]


def _opened(read: reads.Read) -> "set[str]":
    return {path for path in read.paths if path.startswith(("data/", "reports/")) and not re.match(NO_INPUT, path)}


def _below(path: str, dep: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


@pytest.mark.parametrize("group", [group for group in STAGES if group not in UNREAD])
def test_a_stage_depends_on_the_data_that_it_opens_and_on_no_other(group: str, every: Read) -> None:
    runs = {name: read for (stage, name), read in every.items() if stage == group}
    assert runs and all("params.yaml" in read.paths for read in runs.values())
    used: set[str] = set()
    for name, read in runs.items():
        for path in _opened(read):
            if any(_below(path, _filled(out, group, name)) for out in _outs(group)):
                continue  # written before
            found = {dep for dep in _data(group) if _below(path, _filled(dep, group, name))}
            assert found, f"dvc.yaml: {group}: deps lack {path}, which {group}@{name} reads"
            used |= found
    unread = {dep for dep in _data(group) if not any(dep.startswith(one) for one in NOT_OPENED)} - used
    assert not unread, f"dvc.yaml: {group}: no run reads {unread}"


def _settings(group: str, name: str) -> "set[reads.Setting]":
    """The settings in the params of a stage: ("seed",), ("sources", its name), ("datasets", "*") for a whole table."""
    written = [one for one in STAGES[group].get("do", STAGES[group]).get("params", []) if isinstance(one, str)]
    found = {tuple(_filled(one, group, name).split(".")) for one in written}
    return {(*one, "*") if one in {(table,) for table in reads.TABLES} else one for one in found}


@pytest.mark.parametrize("group", [group for group in STAGES if group not in UNREAD])
def test_a_stage_depends_on_the_settings_that_it_looks_at_and_on_no_other(group: str, every: Read) -> None:
    for name, read in ((name, read) for (stage, name), read in every.items() if stage == group):
        written = _settings(group, name)
        looked = {one for one in read.settings if (group, one[0]) not in NOT_IN_DVC}
        covered = {one for one in looked if one in written or (one[0], "*") in written}
        assert looked == covered, f"dvc.yaml: {group}: params lack {looked - covered}"
        seen = {one if one in read.settings else (one[0], "*") for one in written if one[0] != "recipes"}
        tables = {setting[0] for setting in read.settings}
        unseen = {one for one in seen if one not in read.settings and one[0] not in tables}
        assert not unseen, f"dvc.yaml: {group}: no run looks at {unseen}"


@pytest.mark.parametrize("group", ["preprocess", "train"])
def test_what_a_row_leaves_out_is_an_input_too(group: str) -> None:
    table = TABLES.get(group, "datasets")
    params = STAGES[group]["do"]["params"]
    (written,) = (one[f"pipeline/config/{defaults.PATH.name}"] for one in params if isinstance(one, dict))
    assert written == [f"{table}.{defaults.COMMON}", f"{table}.${{item.task}}"]
    assert (table != "experiments") or "recipes.${item.recipe}" in params
