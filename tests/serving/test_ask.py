"""What users type as arguments: text in any locale, names, and what is neither."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import COMMANDS, STAGES, main
from pipeline.serving import ask
from tests.commands import environment

ROOT = Path(__file__).parents[2]
PARAMS = "seed: 1\nedition: synthetic\ncell: null\nsources: {}\nown: {}\ndatasets: {}\nexperiments: {}\n"
# Every argument that is a text; {} is what the user types.
ARGUMENTS = {
    **{stage: [stage, "{}"] for stage in STAGES if STAGES[stage][2]},
    "index": ["index", "{}"],
    "probe": ["probe", "{}"],
    "results": ["results", "--output", "{}"],
    "skew": ["skew", "{}"],
    "init": ["init", "{}"],
    "serve": ["serve", "{}"],
    "trace": ["trace", "{}"],
    "promote": ["promote", "{}"],
    "rollback": ["rollback", "{}"],
    "retrain": ["retrain", "{}"],
    "predict": ["predict", "{}", "text"],
    "predict a text": ["predict", "x", "{}"],
    "tag": ["tag", "{}", "text"],
    "tag a text": ["tag", "x", "{}"],
    "classify": ["classify", "{}", "picture.png"],
    "classify a picture": ["classify", "x", "{}"],
    "generate": ["generate", "{}"],
    "generate from a prompt": ["generate", "x", "--prompt", "{}"],
    "forecast": ["forecast", "{}"],
}
BYTES = "caf\udce9"  # how Python gives the bytes "caf\xe9"
ODD = {
    "not UTF-8": BYTES,
    "empty": "",
    "another folder": "../x",
    "300 letters": "x" * 300,
    "two lines": "a\nb",
    "é": "é",
}


def test_the_table_has_every_command_with_a_text() -> None:
    without = {"check", "repro", "prune", "sync", "systems", "champions", "demo", "fan-out"}
    assert {line[0] for line in ARGUMENTS.values()} | without >= STAGES.keys() | COMMANDS.keys() - {"verify", "watch"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.fault("odd-argument")
@pytest.mark.parametrize("argument", ODD)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_odd_argument_is_a_sentence(
    name: str, argument: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [part.format(ODD[argument]) for part in ARGUMENTS[name]]
    try:
        code = main(line)
    except SystemExit as ended:  # argparse's own
        code = int(str(ended.code))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "error: " in err and "Traceback" not in err and "MlflowException" not in err
    if ODD[argument] == BYTES and name not in ("trace", "serve", "results", "init", "classify a picture"):
        said = r"error: argument \S+: byte 0xe9 at position 3 is not UTF-8; convert the text, or set the terminal"
        assert re.search(said, err)
    assert {path.name for path in project.iterdir()} <= {"params.yaml", "mlflow.db", "data", "__pycache__"}


@pytest.mark.fault("odd-argument")
def test_text_is_what_was_typed_in_any_locale() -> None:
    assert ask.text("the café") == "the café"
    with pytest.raises(argparse.ArgumentTypeError, match="half a character at position 1"):
        ask.text("x\ud800")
    code = "import sys; from pipeline.serving import ask; sys.stdout.buffer.write(ask.text(sys.argv[1]).encode())"
    for locale in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        variables = environment(PYTHONPATH=str(ROOT), **locale)
        command = [sys.executable, "-c", code, os.fsencode("the café")]
        assert subprocess.run(command, env=variables, capture_output=True, check=True).stdout == "the café".encode()


def test_dvc_says_the_row_of_a_stage_and_no_shell_sees_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for said in ("train@mine", "textbook/dvc.yaml:train@mine", "../dvc.yaml:train@mine"):
        monkeypatch.setenv("DVC_STAGE", said)
        assert main(["train"]) == 2
        assert "experiments.mine: no such row" in capsys.readouterr().err
        assert main(["train", "other"]) == 2
        assert "experiments.other: no such row" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            main(["evaluate"])  # DVC runs another stage
        assert "the following arguments are required: name" in capsys.readouterr().err
