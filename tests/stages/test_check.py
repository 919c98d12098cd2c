"""check shows what a person has to know before a run, and changes nothing."""

import subprocess

import pytest

from pipeline.artifacts import Project
from pipeline.errors import ConfigError
from pipeline.stages import check

from .test_prune import GONE, KEPT, PARAMS, files, left_behind, project

__all__ = ["project"]  # a fixture


def said(project: Project, capsys: pytest.CaptureFixture[str]) -> list[str]:
    check.run(project)
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def committed(project: Project) -> Project:
    for command in (
        ["init"],
        ["add", "params.yaml"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "x"],
    ):
        subprocess.run(["git", *command], cwd=project.root, check=True, capture_output=True, timeout=60)
    return project


def edit(project: Project, *changes: tuple[str, str]) -> None:
    path = project.root / "params.yaml"
    text = path.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)


def test_nothing_is_said_of_a_project_in_order(committed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(committed, capsys) == [] and set(files(committed.root)) >= set(KEPT)


def test_results_of_removed_rows_stay_and_the_command_that_deletes_them_is_named(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    left_behind(project)
    before = files(project.root)
    (line,) = said(project, capsys)
    assert line.startswith(f"{len(GONE)} results belong to rows that are gone") and "python -m pipeline prune" in line
    assert files(project.root) == before


def test_workers_that_share_their_cores_are_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "cores", lambda: 4)
    edit(project, ("cell: null", "cell: null\nexecutor: local"), ("units: 8", "units: 8, workers: 2"))
    assert said(project, capsys) == []
    edit(project, ("workers: 2", "workers: 4"))
    (line,) = said(project, capsys)
    assert line.startswith("experiments.rows: 4 workers on 4 cores are not faster than 2: each uses 2; see docs/")
    edit(project, ("executor: local", "executor: ray"))
    assert said(project, capsys) == []


def test_a_swapped_cell_and_how_to_undo_it_are_shown(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project, ("cell: null", "cell: lstm"))
    (line,) = said(project, capsys)
    assert line == "cell: lstm is set for all experiments; `cell: null` in params.yaml undoes it"


def test_settings_that_differ_from_the_commit_are_shown(committed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    edit(committed, ("seed: 1", "seed: 2"), ("units: 8", "cell: lstm"))
    assert said(committed, capsys) == [
        "params.yaml differs from the last commit; `git restore params.yaml` undoes it:",
        "  seed: 2 (committed: 1)",
        "  experiments.rows.cell: lstm (new)",
        "  experiments.rows.units: removed (committed: 8)",
    ]


def test_many_differences_are_cut(committed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    row = "  r{}: {{dataset: digits, task: image_rows, units: 8}}\n"
    edit(committed, ("experiments:\n", "experiments:\n" + "".join(row.format(i) for i in range(check.LINES + 5))))
    lines = said(committed, capsys)
    assert len(lines) == check.LINES + 2 and lines[-1] == "  … and 5 more"
    assert lines[1] == "  experiments.r0: {dataset: digits, task: image_rows, units: 8} (new)"


def test_a_mistake_in_params_is_an_error(project: Project) -> None:
    (project.root / "params.yaml").write_text(PARAMS.replace("units: 8", "units: many"))
    with pytest.raises(ConfigError, match=r"experiments\.rows\.units"):
        check.run(project)
