"""What a user or a publisher gets wrong ends with exit code 2 and one message: which file or key, what was found, what
would be right. Nothing half-written stays behind."""

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.__main__ import STAGES, main
from pipeline.integrity import checksums
from pipeline.sources import load_source
from pipeline.synthesis import optimum

PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources:
  umich: {reader: umich}
  treebank: {reader: treebank}
  cosine: {reader: cosine}
  digits: {reader: digits}
studies: {}
tunings: {}
own:
  mybook: {path: my/book.txt}
datasets:
  umich: {source: umich, task: sentiment}
  treebank: {source: treebank, task: pos_tagging}
  cosine: {source: cosine, task: forecasting, lags: 2, test: 0.5}
  digits: {source: digits, task: image_rows}
  mybook: {source: mybook, task: char_lm}
experiments:
  umich: {dataset: umich, task: sentiment}
  treebank: {dataset: treebank, task: pos_tagging}
  cosine: {dataset: cosine, task: forecasting}
  digits: {dataset: digits, task: image_rows}
  mybook: {dataset: mybook, task: char_lm, learning_rate: 0.001}
"""
Ask = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PIPELINE_MIRROR", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "book.txt").write_text("It was a dark and stormy night. " * 50)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(project: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs a command that must fail; its message. What stood in the project before stands there still, alone."""

    def ask(*command: str) -> str:
        before = tree(project)
        capsys.readouterr()
        assert main(list(command)) == 2
        out, err = capsys.readouterr()
        assert re.search(r"^error: ", err, re.MULTILINE)
        assert "Traceback" not in out + err
        assert tree(project) == before
        return err

    return ask


def tree(folder: Path) -> dict[str, bytes]:
    """The files of the project, without the locks of running stages."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != ".running")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def done(*commands: str) -> None:
    for command in commands:
        assert main(command.split()) == 0


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) >= 1
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


# params.yaml: tests/test_config.py has the whole list; here, that commands refuse it before they do anything.


@pytest.mark.parametrize("command", ["check", "index", *(f"{stage} umich" for stage in STAGES if STAGES[stage][2])])
def test_every_stage_refuses_mistaken_params_at_once(command: str, project: Path, refused: Ask) -> None:
    edit(project / "params.yaml", "learning_rate: 0.001", "learning_rat: 1e-3, cell: gruu, units: -4")
    message = refused(*command.split())
    assert "params.yaml: 4 mistakes" in message
    assert "experiments.mybook.learning_rat: unknown key; did you mean learning_rate?" in message
    assert "experiments.mybook.cell: found 'gruu'; known: 'simple_rnn', 'lstm', 'gru', " in message
    assert "experiments.mybook.units: found -4 (int)" in message
    assert "YAML readers disagree" in message


NO_PARAMS = {
    "nothing": "",
    "a list": "- seed: 1",
    "a text": "seed",
    "a tag": "!!int foo",
    "brackets": "[" * 500 + "]" * 500,
    "no date": "seed: 2026-13-45",
    "a long number": "seed: " + "9" * 5_000,
    "a table of tables": "{seed: 1}: 2",
    "rows without names": "datasets: [1, 2]\nexperiments: {1: {2: 3}}\n",
    "null": "~",
    "keys that are no texts": "1: 2\n~: 3\ntrue: 4\n[a]: b\n2026-01-01: c\n",
    "a table for a setting": "seed: {a: {b: {c: []}}}",
}


@pytest.mark.parametrize("name", NO_PARAMS)
def test_whatever_params_yaml_holds_the_answer_is_a_message(name: str, project: Path, refused: Ask) -> None:
    (project / "params.yaml").write_text(NO_PARAMS[name])
    message = refused("check")
    assert message.startswith("error: params.yaml: ")
    assert all(line.startswith("  ") and len(line) < 250 for line in message.splitlines()[1:])


def test_a_folder_without_params_is_no_project(project: Path, refused: Ask) -> None:
    (project / "params.yaml").unlink()
    assert re.search(r"params\.yaml: not found; run inside the project's folder", refused("check"))


def test_a_missing_own_file_is_named(project: Path, refused: Ask) -> None:
    (project / "my" / "book.txt").rename(project / "my" / "novel.txt")
    message = refused("import", "mybook")
    assert "own.mybook.path: no file 'my/book.txt'; the path is relative to the project's folder" in message


# Names.

TABLES = {"a source": "sources", "a row of own": "own", "a data set": "datasets", "an experiment": "experiments"} | {
    "a study": "studies",
    "a tuning": "tunings",
}


@pytest.mark.parametrize("stage", [stage for stage in STAGES if STAGES[stage][2]])
def test_an_unknown_name_is_answered_with_the_known_ones(stage: str, refused: Ask) -> None:
    table = TABLES[str(STAGES[stage][2])]
    known = {"sources": "cosine, digits, treebank, umich", "own": "mybook"}
    rows = known.get(table, "cosine, digits, mybook, treebank, umich")
    answered = f"there are no {table}" if table in ("studies", "tunings") else f"known: {rows}"
    assert f"{table}.umihc: no such row; {answered}" in refused(stage, "umihc")


def test_an_unknown_command_is_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trian", "umich"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "'trian'" in error
    assert "train" in error


ASK = ["predict x text", "tag x text", "generate x", "forecast x", "classify x picture.png"]


@pytest.mark.parametrize("command", ASK)
def test_a_model_that_is_not_there_is_named(command: str, project: Path, refused: Ask) -> None:
    if command.startswith("classify"):
        assert "picture.png: No such file or directory; give the path of a PNG or JPEG file" in refused(
            *command.split()
        )
        (project / "picture.png").write_bytes(b"")
    message = refused(*command.split())
    assert "x: no trained model" in message
    assert "`dvc repro` to train" in message
    (project / "data" / "models" / "umich").mkdir(parents=True)
    assert "trained: umich" in refused(*command.split())


# What earlier stages should have left.

EARLIER = {
    "preprocess umich": "data/raw/umich",
    "preprocess mybook": "data/raw/mybook",
    "baseline umich": "data/prepared/umich",
    "train umich": "data/prepared/umich",
    "evaluate umich": "data/prepared/umich",
    "report umich": "data/prepared/umich",
    "index": "reports/sections/umich",
}


@pytest.mark.parametrize("command", EARLIER)
def test_a_missing_input_of_a_stage_says_who_makes_it(command: str, refused: Ask) -> None:
    message = refused(*command.split())
    assert EARLIER[command] in message
    assert "`dvc repro" in message


DAMAGES = {
    "arrays.npz": b"PK\x03\x04 half of an archive",
    "encoder.json": b'{"ids": {"a": 1',
    "summary.json": b"",
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("command", ["baseline umich", "train umich"])
def test_a_damaged_data_set_is_named_with_the_cure(command: str, name: str, project: Path, refused: Ask) -> None:
    done("download umich", "preprocess umich")
    (project / "data" / "prepared" / "umich" / name).write_bytes(DAMAGES[name])
    message = refused(*command.split())
    assert f"data/prepared/umich: damaged, so it is not used: {name} has sha256" in message
    assert "`python -m pipeline verify`" in message


# Published files.


@pytest.fixture
def mirror(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty mirror folder, and the full edition, which reads it."""
    edit(project / "params.yaml", "edition: synthetic", "edition: published")
    folder = project / "mirror" / "umich"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PIPELINE_MIRROR", str(folder.parent))
    return folder


def test_a_missing_mirror_file_is_named_with_how_to_get_it(mirror: Path, refused: Ask) -> None:
    message = refused("download", "umich")
    assert f"training.txt: {mirror}/training.txt: no such file" in message
    assert "log in at https://www.kaggle.com/c/si650winter11" in message
    assert "umich/training.txt or umich/umich-sentiment-train.txt" in message
    assert not list((mirror.parents[1] / "data").rglob("*.tmp"))


def test_without_a_mirror_the_variable_is_named(
    project: Path, refused: Ask, monkeypatch: pytest.MonkeyPatch, mirror: Path
) -> None:
    monkeypatch.delenv("PIPELINE_MIRROR")
    assert "PIPELINE_MIRROR is not set" in refused("download", "umich")


PINNED = load_source("umich").CARD.forms[0][0]
WRONG = {
    "a web page": (b"<!DOCTYPE html><title>Log in</title>", r"training\.txt: .*got HTML, expected "),
    "a short body": (b"1\tThe Da Vinci", r"training\.txt: .*14 bytes, expected 447,540"),
    "another file of that size": (b"1\t" + bytes(447_538), rf"sha256 .*[0-9a-f]{{64}}, expected {PINNED.sha256}"),
    "nothing": (b"", r"training\.txt: .*0 bytes, expected 447,540"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_not_the_pinned_one_is_refused(name: str, mirror: Path, refused: Ask) -> None:
    content, pattern = WRONG[name]
    (mirror / "training.txt").write_bytes(content)
    assert re.search(pattern, refused("download", "umich"))


def test_a_failed_download_leaves_no_look_alikes_as_if_they_were_real(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done("download umich")
    edit(project / "params.yaml", "edition: synthetic", "edition: published")
    monkeypatch.setenv("PIPELINE_MIRROR", str(project / "nowhere"))
    assert main(["download", "umich"]) == 2
    assert not tree(project / "data")
    assert main(["preprocess", "umich"]) == 2
    assert "`dvc repro` to make it" in capsys.readouterr().err


# Raw files that cannot be used.


def raw(project: Path, source: str, content: Callable[[bytes], bytes]) -> None:
    """Downloads a sample, and changes the content of its one file as a publisher might have, without an optimum."""
    done(f"download {source}")
    folder = project / "data" / "raw" / source
    (folder / optimum.FILE).unlink(missing_ok=True)
    (path,) = (p for p in folder.iterdir() if p.name not in ("download.json", checksums.LIST))
    path.write_bytes(content(path.read_bytes()))
    (folder / checksums.LIST).write_text(checksums.listed(folder, folder))


def lines(*added: bytes) -> Callable[[bytes], bytes]:
    """Puts lines 2, 3, 4 … into a file of 900 lines."""

    def change(content: bytes) -> bytes:
        first, _, rest = content.partition(b"\n")
        return b"\n".join([first, *added, rest])

    return change


def series(*values: float) -> bytes:
    return b"index,value\n" + b"".join(b"%d,%r\n" % (i, float(v)) for i, v in enumerate(values))


RIGHT = re.escape("Expected: 1<TAB>I love it.")
UNUSABLE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "truncated archive": ("treebank", lambda b: b[: len(b) // 2], r"treebank\.zip: .*truncated or damaged at [\d,]+ b"),
    "damaged archive": ("treebank", lambda b: b[:2000] + b"#" * 500 + b[2500:], r"treebank\.zip: "),
    "empty archive": ("treebank", lambda b: b"", r"treebank\.zip: the file is empty \(0 bytes\)"),
    "empty text": ("umich", lambda b: b"", r"training\.txt: the file is empty \(0 bytes\)"),
    "no tab": ("umich", lines(*[b"1 I love it."] * 30), rf"30 of \d+ lines .*\(line 2: no tab; line 3: .*{RIGHT}"),
    "label 2": ("umich", lines(*[b"2\tSo so."] * 30), rf"30 of \d+ lines .*line 2: label '2'; .*at most 1% .*{RIGHT}"),
    "label in words": ("umich", lines(*[b"good\tNice."] * 30), r"line 2: label 'good'"),
    "not UTF-8": ("umich", lines(*[b"1\tNa\xefve."] * 30), r"line 2: byte 0xef is not UTF-8; line 3.*line 4: [^;]*\)"),
    "one line only": (
        "umich",
        lambda b: b.split(b"\n")[0],
        r"umich: too few different texts of .*\(negative 0, positive 1",
    ),
    "short series": ("cosine", lambda b: series(*np.cos(np.arange(50))), r"cosine: 50 points are too few: .*shorten"),
    "constant series": (
        "cosine",
        lambda b: series(*[0.5] * 2000),
        r"cosine: the series is constant on the training part",
    ),
    "series with a gap": ("cosine", lambda b: b.replace(b"\n7,", b"\n8,", 1), r"cosine\.csv: line 9 is .*index 7"),
    "series with a word": ("cosine", lambda b: b.replace(b"\n0,1\n", b"\n0,one\n"), r"cosine\.csv: line 2 is '0,one'"),
    "series without rows": ("cosine", lambda b: b"index,value\n", r"cosine\.csv: no values below the header"),
    "damaged pictures": ("digits", lambda b: b[:5000], r"digits\.npz: not a(n| complete) \.npz file"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_raw_file_is_refused(name: str, project: Path, refused: Ask) -> None:
    source, content, pattern = UNUSABLE[name]
    raw(project, source, content)
    assert re.search(pattern, refused("preprocess", source))
    assert not (project / "data" / "prepared").exists() or not list((project / "data" / "prepared").iterdir())


OWN = {
    "empty": (b"", r"book\.txt: 0 characters, expected at least 1,000"),
    "too short": (b"Once upon a time.", r"book\.txt: 17 characters, expected at least 1,000"),
    "Windows-1252": (
        b"caf\xe9 " * 500,
        r"book\.txt: not UTF-8: byte 0xe9 at offset 3 \(line 1\)\. .*'café café café' with `encoding: cp1252`",
    ),
    "UTF-16": ("It was dark. ".encode("utf-16-le") * 200, r"book\.txt: 2,600 of .* write `encoding: utf-16-le`"),
    "NUL": (b"It was\0dark. " * 200, r"book\.txt: NUL character at position 6 \(line 1\); expected plain text"),
}


@pytest.mark.parametrize("name", OWN)
def test_an_unusable_own_text_is_refused(name: str, project: Path, refused: Ask) -> None:
    content, pattern = OWN[name]
    (project / "my" / "book.txt").write_bytes(content)
    done("import mybook")
    assert re.search(pattern, refused("preprocess", "mybook"))


def test_a_source_of_another_kind_than_the_task_takes_is_refused(project: Path, refused: Ask) -> None:
    edit(project / "params.yaml", "{source: mybook, task: char_lm}", "{source: umich, task: char_lm}")
    done("download umich")
    message = refused("preprocess", "mybook")
    assert "datasets.mybook.task: char_lm takes text corpus, but umich holds labelled texts" in message


OTHERS = {
    "own_labelled": ("{header: false, text: 2, label: 1, labels: {0: bad, 1: good}", "sentiment", "0,a\n1,b\n2,c\n"),
    "own_tagged": ("{word: 2", "pos_tagging", "the DT\nold man JJ\n"),
    "own_series": ("{time: time, value: kW", "forecasting", "time,kW\n2026-01-01,5\n2026-01-02,6\n2026-01-01,7\n"),
}
SAID = {
    "own_labelled": r"book\.csv: unknown label '2' in line 3; `labels` lists '0', '1'",
    "own_tagged": r"book\.csv: word and tag are both column 2",
    "own_series": r"book\.csv: 1 times occur twice with different values, first 2026-01-01T00:00:00 in lines 2 and 4",
}


@pytest.mark.parametrize("reader", OTHERS)
def test_an_unusable_own_file_of_another_kind_is_refused(reader: str, project: Path, refused: Ask) -> None:
    keys, task, content = OTHERS[reader]
    edit(project / "params.yaml", "{path: my/book.txt}", f"{keys}, path: my/book.csv, reader: {reader}}}")
    edit(project / "params.yaml", "task: char_lm", f"task: {task}")
    edit(project / "params.yaml", "task: char_lm", f"task: {task}")
    (project / "my" / "book.csv").write_text(content)
    done("import mybook")
    assert re.search(SAID[reader], refused("preprocess", "mybook"))


def test_another_way_to_read_a_file_is_another_import(project: Path) -> None:
    done("import mybook")
    before = tree(project / "data" / "raw" / "mybook")
    done("import mybook")
    assert tree(project / "data" / "raw" / "mybook") == before
    edit(project / "params.yaml", "{path: my/book.txt}", "{path: my/book.txt, reader: own_tagged}")
    edit(project / "params.yaml", "{source: mybook, task: char_lm}", "{source: mybook, task: pos_tagging}")
    edit(project / "params.yaml", "task: char_lm, learning", "task: pos_tagging, learning")
    done("import mybook")
    after = tree(project / "data" / "raw" / "mybook")
    assert [name for name in after if after[name] != before[name]] == ["book.txt.row.json", checksums.LIST]


def test_a_few_malformed_lines_are_counted_and_dropped(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw(project, "umich", lines(b"no tab", b"7\tseven", b"1\t\xff"))
    done("preprocess umich")
    summary = artifacts.load_json(project / "data" / "prepared" / "umich" / "summary.json")
    assert summary["findings"]["malformed_lines_dropped"] == 3


# Nothing half-written.

STEPS = {"preprocess umich": "data/prepared/umich", "baseline umich": "data/baselines/umich"}


ENDS = {"OSError": (OSError("no space left on device"), 2), "Ctrl-C": (KeyboardInterrupt(), 130)}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("command", STEPS)
@pytest.mark.parametrize("again", [False, True])
def test_a_stage_that_is_interrupted_leaves_its_old_folder_or_none(
    again: bool, command: str, name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, code = ENDS[name]
    monkeypatch.setattr("tempfile.tempdir", str(project.parent))  # the log of the error
    done("download umich", "preprocess umich")
    if again:
        done(command)
    elif command.startswith("preprocess"):
        shutil.rmtree(project / "data" / "prepared")
    before, written = tree(project), []

    def save(path: Path, content: bytes) -> None:
        # the first file is written, the second one half
        path.write_bytes(content if not written else content[: len(content) // 2])
        written.append(path)
        if len(written) == 2:
            raise error

    monkeypatch.setattr(artifacts, "save_bytes", save)
    assert main(command.split()) == code
    assert len(written) == 2
    assert tree(project) == before
    assert (project / STEPS[command]).exists() is again


def test_a_refused_file_leaves_the_old_data_set(project: Path, refused: Ask) -> None:
    done("download umich", "preprocess umich")
    raw(project, "umich", lambda content: b"")
    refused("preprocess", "umich")
    assert (project / "data" / "prepared" / "umich" / "arrays.npz").is_file()
    with zipfile.ZipFile(project / "data" / "prepared" / "umich" / "arrays.npz") as whole:
        assert whole.testzip() is None
