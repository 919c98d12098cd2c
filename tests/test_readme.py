"""What the README tells people to type is understood: every make target, stage, command and option exists."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from pipeline.__main__ import COMMANDS, _parser
from pipeline.config import loading
from pipeline.sources import SOURCES
from pipeline.tasks import TASKS
from tests.shipped import SHIPPED, needs_rows

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
EXPERIMENTS_PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
TEXT = README + COMMANDS_PAGE + EXPERIMENTS_PAGE
LINES = [line.strip().split("   #")[0].strip() for line in TEXT.splitlines() if line.startswith("    ")]
ASKED = [line for line in LINES if "-m pipeline" in line]


def test_every_make_target_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", TEXT))
    assert {"docs", "repro", "test", "ui"} <= named
    for target in named & {"docs", "repro", "test", "ui", "check", "full", "setup", "lint"}:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True, timeout=60)
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= rules


@pytest.mark.parametrize("line", ASKED)
def test_every_command_is_understood(line: str) -> None:
    words = shlex.split(line)
    arguments = _parser().parse_args(words[words.index("pipeline") + 1 :])
    named = getattr(arguments, "experiment", [])
    assert {named} if isinstance(named, str) else set(named) <= set(SHIPPED)
    if hasattr(arguments, "model") and arguments.command == "rollback":
        source, _, task = arguments.model.rpartition("-")
        assert source in SOURCES and task in TASKS


def _settings() -> list[str]:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    shown = [setting.partition("=") for setting in re.findall(r"-S '?([^\s'`]+=[^\s'`]+)", pages)]
    return sorted({f"{key}={choice}" for key, _, value in shown for choice in value.split(",")})


@needs_rows(*SHIPPED)
@pytest.mark.parametrize("setting", _settings())
def test_every_setting_that_is_shown_can_be_set(setting: str, tmp_path: Path) -> None:
    # DVC refuses a key that the file does not have, so a default that is not written there cannot be set with -S.
    file, _, override = setting.rpartition(":") if setting.startswith("textbook/") else ("params.yaml", "", setting)
    (tmp_path / "textbook").mkdir()
    for name in ("params.yaml", "textbook/params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    apply_overrides(tmp_path / file, [override])
    loading.load(tmp_path, SOURCES)


def test_every_command_is_shown() -> None:
    shown = set(re.findall(r"python -m pipeline ([a-z-]+)", TEXT)) | set(re.findall(r"make (retrain)", TEXT))
    assert shown >= COMMANDS.keys() - {"skew"}  # of docs/serving.md


def _named(table: str) -> set[str]:
    """Return the experiments in the first column of a table; `-gru` after `sonnets` is sonnets-gru."""
    rows = re.findall(r"^\| ([a-z][^|]*) \|", table, re.MULTILINE)
    named = set()
    for row in rows[1:]:
        first, *others = (name.strip() for name in row.split(","))
        named |= {first} | {first + name if name.startswith("-") else name for name in others}
    return named


def _table(start: str, end: str) -> set[str]:
    return _named(EXPERIMENTS_PAGE[EXPERIMENTS_PAGE.index(start) : EXPERIMENTS_PAGE.index(end)])


@needs_rows(*SHIPPED)
def test_the_tables_name_the_experiments_that_are_shipped() -> None:
    # A user's own rows need no line here, and once shipped rows are removed the page is the user's to edit.
    named = _table("| experiment |", "The folder `textbook/`")
    named |= _table("| textbook experiment |", "The *synthetic* edition")
    assert named == set(SHIPPED)


def test_the_rows_for_own_text_are_valid(tmp_path: Path) -> None:
    block = README[README.index("    own:\n") : README.index("On 500,000 characters")]
    text = "\n".join(line[4:] for line in block.splitlines())
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "book.txt").write_text("x" * 2_000)
    (tmp_path / "params.yaml").write_text(
        f"seed: 1\nedition: synthetic\ncell: null\nsources: {{}}\nrecipes: {{none: {{}}}}\n{text}"
    )
    assert loading.load(tmp_path, SOURCES).experiments["mybook"].units == 512


def test_the_readme_fits_on_a_few_screens_and_leads_to_every_page() -> None:
    assert len(README.split()) < 900
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages - set(re.findall(r"\]\(([^)#]+)\)", README)) == set()


def _blocks() -> list[str]:
    """The indented blocks of all pages, and what `make ui` runs."""
    pages = [path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]]
    ui = subprocess.run(["make", "-n", "ui"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    return [*(block for page in pages for block in re.findall(r"(?:^    .*\n)+", page, re.MULTILINE)), ui]


def test_whatever_starts_mlflow_runs_no_pickles() -> None:
    starts = [block for block in _blocks() if re.search(r"bin/mlflow (?:ui|models)|mlflow\.pyfunc\.load_model", block)]
    assert len(starts) >= 2  # docs/serving.md, make ui
    for block in starts:
        before, _, _ = re.split(r"(bin/mlflow (?:ui|models)|mlflow\.pyfunc\.load_model)", block, maxsplit=1)
        assert "MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false" in before, block
