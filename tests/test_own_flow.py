"""The user's own data of all four kinds through `dvc repro`, with the rows of the how-to pages: figures, counts,
answers, and a bad file."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.schema.sources import OwnRows
from pipeline.serving.served import Served
from pipeline.sources import SOURCES
from pipeline.stages import download, preprocess
from tests.commands import environment

ROOT = Path(__file__).parents[1]
PAGES = {"mybook": "own-text", "reviews": "own-labelled", "diary": "own-tagged", "meter": "own-series"}
SMALL: dict[str, dict[str, Any]] = {
    "mybook": {"units": 8, "embedding": 4, "batch_size": 4, "time_steps": 25, "refit": False},
    "reviews": {
        "units": 8,
        "embedding": 8,
        "batch_size": 4,
        "learning_rate": 0.02,
        "epochs": 10,
        "restore_weights": "last",
        "patience": None,
        "refit": False,
    },
    "diary": {
        "layers": 1,
        "units": 8,
        "embedding": 8,
        "learning_rate": 0.02,
        "ema_momentum": 0.9,
        "epochs": 4,
        "refit": False,
    },
    "meter": {"units": 8, "batch_size": 4, "time_steps": 12, "epochs": 2},
}
WORDS = {
    "bad": ["awful", "broken", "late"],
    "fair": ["usable", "plain", "average"],
    "good": ["great", "lovely", "solid"],
}
TAGS = {"the": "DT", "a": "DT", "ship": "NN", "whale": "NN", "sails": "VBZ", "sinks": "VBZ", "slowly": "RB", ".": "."}
THINGS = ["the bag", "my coat", "this lamp", "that chair", "the mug", "a pen"]
DAYS = 40


def described(page: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The rows that a how-to page tells to add, by table and name."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    (block,) = (b for b in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if b.startswith("    own:"))
    rows: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(re.sub(r"^    ", "", block, flags=re.MULTILINE))
    return rows


def params(small: bool) -> str:
    merged: dict[str, Any] = {"seed": 1, "edition": "synthetic", "cell": None, "sources": {}}
    merged |= {"studies": {}, "tunings": {}}
    merged["recipes"] = {"none": {}}
    for name, page in PAGES.items():
        for table, rows in described(page).items():
            assert rows.keys() == {name}
            merged.setdefault(table, {}).update(rows)
        if small:
            merged["experiments"][name] |= {"epochs": 1} | SMALL[name]
    if small:
        merged["own"]["reviews"]["max_dropped"] = 0.02
        merged["datasets"]["reviews"] |= {"folds": 1, "test": 0.3, "char_ngrams": 0, "bigrams": False, "min_count": 1}
        merged["datasets"]["meter"] |= {"horizons": [1, 4], "seasonal_periods": [24]}
    return yaml.safe_dump(merged, sort_keys=False)


def reviews() -> bytes:
    """Three classes; a BOM, CRLF, U+0085 and quoted commas; repeats, one with another label; a row without text."""
    lines = [
        f'{star},"{thing}, I say, is {word}\x85"'
        for star, words in enumerate(WORDS.values(), start=1)
        for word in words
        for thing in THINGS
    ]
    lines += [*lines[:3], lines[3].replace("1,", "3,", 1), "2,"]
    return b"\xef\xbb\xbf" + "\r\n".join(["stars,review", *lines, ""]).encode()


def diary() -> bytes:
    lines = []
    for i in range(120):
        words = ["the" if i % 2 else "a", "ship" if i % 3 else "whale", "sails" if i % 5 else "sinks", "slowly", "."]
        lines += [f"# sentence {i}", *(f"{word} {TAGS[word]}" for word in words), ""]
    return "\n".join(lines).encode()


def meter() -> bytes:
    """Hours with a day's wave that the temperature drives; backwards, one row twice, three missing, one no number."""
    rng = np.random.default_rng(0)
    cold = rng.normal(size=24 * DAYS)
    lines = []
    for h in range(24 * DAYS):
        kw = 50 + 10 * np.sin(2 * np.pi * h / 24) + 5 * cold[max(h - 1, 0)] + rng.normal()
        lines.append(f"{np.datetime64('2026-01-01T00:00') + np.timedelta64(h, 'h')},{kw:.2f},{cold[h]:.3f}")
    lines[500] = lines[500].split(",")[0] + ",error,"
    del lines[100:103]
    return "\n".join(["time,kW,temperature", *reversed(lines), lines[7], ""]).encode()


def book() -> bytes:
    return "".join(f"The old man saw {i % 7} ships and {i % 11} whales.\r\n" for i in range(80)).encode()


FILES = {"book.txt": book, "reviews.csv": reviews, "diary.conll": diary, "meter.csv": meter}


def place(root: Path, small: bool) -> None:
    (root / "params.yaml").write_text(params(small), encoding="utf-8")
    (root / "my").mkdir()
    for name, content in FILES.items():
        (root / "my" / name).write_bytes(content())


def test_the_rows_of_the_how_to_pages_are_valid(tmp_path: Path) -> None:
    place(tmp_path, small=False)
    found = loading.load(tmp_path, SOURCES)
    assert {name: row.reader for name, row in found.own.items()} == {
        "mybook": "own_text", "reviews": "own_labelled", "diary": "own_tagged", "meter": "own_series",
    }  # fmt: skip
    assert {row.source for row in found.datasets.values()} == found.experiments.keys() == PAGES.keys()


def test_the_how_to_pages_know_each_other_and_every_key() -> None:
    for page in PAGES.values():
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        assert {f"{other}.md" for other in PAGES.values()} - {f"{page}.md"} <= set(re.findall(r"\]\(([^)]+)\)", text))
        (row,) = described(page)["own"].values()
        (kind,) = (
            k for k in get_args(OwnRows) if row.get("reader", "own_text") in get_args(k.__annotations__["reader"])
        )
        assert all(f"`{key}: " in text or key in row for key in kind.model_fields.keys() - {"reader"}), page


def test_the_rows_for_prices_read_a_file_of_closes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "own-series.md").read_text(encoding="utf-8").partition("### Prices")[2]
    (block,) = re.findall(r"(?:^    .*\n)+", text.partition("## 3")[0], re.MULTILINE)
    rows = yaml.safe_load(re.sub(r"^    ", "", block, flags=re.MULTILINE))
    own = {"path": "my/close.csv", "reader": "own_series", "time": None, "value": "Close"}
    everything = {"seed": 1, "edition": "synthetic", "cell": None, "sources": {}, "recipes": {"none": {}}, **rows}
    (tmp_path / "my").mkdir()
    closes = 100 * np.exp(np.cumsum(0.01 * np.random.default_rng(0).normal(size=600)))
    volumes = ["", *range(599)]
    lines = [f"{i},{c:.2f},{c + 1:.2f},{c - 1:.2f},{v}" for i, (c, v) in enumerate(zip(closes, volumes, strict=True))]
    (tmp_path / "my" / "close.csv").write_text("\n".join(["day,Close,High,Low,Volume", *lines, ""]))
    for covariates, features in ([], 3), (["High", "Low", "Volume"], 5):
        table = {"own": {"close": own | {"covariates": covariates}}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(everything | table))
        project = Project(tmp_path)
        download.run_import(project, "close")
        preprocess.run(project, "close")
        prepared = artifacts.load_encoded(project.prepared("close"))
        assert prepared.arrays["features"].shape == (600, features) and prepared.summary["folds"] == 5
    assert "close: " in capsys.readouterr().out


class Flow:
    """A project folder, and the commands that a user types there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = environment()

    def run(self, *command: str, code: int = 0) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert (done.returncode != 0) == (code != 0), f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    flow = Flow(tmp_path_factory.mktemp("own") / "project")
    shutil.copytree(ROOT / "pipeline", flow.root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, flow.root)
    place(flow.root, small=True)
    flow.run("git", "init", "--quiet")
    flow.run("dvc", "init", "--quiet")
    flow.run("dvc", "repro")
    return flow


slow = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # mlflow and what it imports warn about each other
COUNTED = {
    "mybook": {"line ends converted": 80},
    "reviews": {
        "rows": 59, "byte order marks dropped": 1, "line ends converted": 60, "line separators inside lines": 58,
        "empty texts dropped": 1, "repeated texts": 4, "texts with several labels": 1, "repeats dropped": 4,
        "of these labelled otherwise": 1,
        "texts used of bad": 18, "texts used of fair": 18, "texts used of good": 18,
        "classes": 3, "texts labelled bad": 21, "texts labelled fair": 18, "texts labelled good": 19,
    },
    "diary": {"sentences": 120, "words": 600, "comment lines": 120, "documents made of 20 sentences": 6},
    "meter": {
        "points": 24 * DAYS, "points without value": 4, "missing steps filled": 3, "values that are no numbers": 1,
        "repeated times dropped": 1, "rows earlier than the one before": 24 * DAYS - 4, "extra values missing": 1,
    },
}  # fmt: skip


class TestThroughDvc:
    pytestmark = slow

    def test_every_kind_is_trained_beside_its_baselines(self, made: Flow) -> None:
        lock = yaml.safe_load((made.root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
        for name, file in zip(PAGES, FILES, strict=True):
            metrics = artifacts.load_json(made.root / "reports" / "metrics" / name / f"{name}.json")
            assert np.isfinite(list(metrics["test"].values())).all()
            assert len(metrics["baselines"]) >= 2 and metrics["edition"] == "published"
            assert f"my/{file}" in [dep["path"] for dep in lock[f"import@{name}"]["deps"]]
        reviews = artifacts.load_json(made.root / "reports/metrics/reviews/reviews.json")["test"]
        assert reviews["accuracy"] > 0.5, "of three classes, from words that tell them"
        diary = artifacts.load_json(made.root / "reports/metrics/diary/diary.json")["test"]
        assert diary["token_accuracy"] > 0.8
        meter = artifacts.load_json(made.root / "reports/metrics/meter/meter.json")["baselines"]
        assert meter["linear (least squares)"]["rmse_h1"] < 1.5, "the temperature of the step before says it all"
        assert meter["last value"]["rmse_h1"] > 4

    def test_the_report_shows_what_was_counted(self, made: Flow) -> None:
        page = (made.root / "reports" / "index.html").read_text(encoding="utf-8")
        for name, counts in COUNTED.items():
            section = (Project(made.root).report(name) / "index.html").read_text(encoding="utf-8")
            shown = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r'src="[^"]*"', "", section)))
            for what, count in counts.items():
                assert re.search(rf"\b{what} {count:,}\b|\b{count:,} {what}\b", shown), (name, what, count)
            assert name in page

    def test_every_model_answers(self, made: Flow) -> None:
        served = {name: Served(Project(made.root).model(name) / "model") for name in PAGES}
        answers = served["reviews"].answer([f"the lamp is {words[0]}" for words in WORDS.values()])
        assert [list(answer["probabilities"]) for answer in answers] == [list(WORDS)] * 3
        assert sum(a["label"] == name for a, name in zip(answers, WORDS, strict=True)) >= 2
        (tagged,) = served["diary"].answer(["the ship sinks ."])
        assert tagged["tags"] == ["DT", "NN", "VBZ", "."]
        assert len(served["mybook"].answer(["The old"], {"length": 20})[0]["text"]) == 20
        (ahead,) = served["meter"].answer([{}], {"steps": 3})
        assert ahead["start"] == "2026-02-10T00:00:00" and len(ahead["values"]) == 3 and ahead["unit"] == "kW"
        assert ahead["held"].keys() == {"temperature"}
        item = {"values": [50.0, 51.0] * 40, "start": "2026-02-01T00:00"}
        warm, cold = (
            served["meter"].answer([{**item, "covariates": {"temperature": [t] * 80}}], {"steps": 1})[0]
            for t in (2.0, -2.0)
        )
        assert warm["values"] != cold["values"]
        assert warm["held"] == {"temperature": 2.0}

    def test_the_model_in_mlflow_answers_alike(self, made: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
        # Not by mlflow.set_tracking_uri, which would set the variable for the tests after this one too.
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{made.root / 'mlflow.db'}")
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        folder = Project(made.root).model("meter")
        model = mlflow.pyfunc.load_model(f"models:/{artifacts.load_json(folder / 'run.json')['model_id']}")
        item = {"values": [50.0, 51.0] * 40, "start": "2026-02-01T00:00"}
        for asked in ({**item, "covariates": {"temperature": [2.0] * 80}}, item, {"values": item["values"]}, {}):
            (found,) = model.predict([asked], params={"steps": 2})
            (expected,) = Served(folder / "model").answer([asked], {"steps": 2})
            for name in ("values", "lower", "upper"):
                assert found.pop(name) == pytest.approx(expected.pop(name), rel=1e-5)
            assert found == expected

    def test_a_file_that_went_bad_stops_there(self, made: Flow) -> None:
        path = made.root / "my" / "reviews.csv"
        before = path.read_bytes()
        path.write_bytes(before + b"7,out of range\r\n")
        said = made.run("dvc", "repro", "evaluate@reviews", code=1)
        path.write_bytes(before)
        assert re.search(r"error: .*reviews\.csv: unknown label '7' in line 61; `labels` lists '1', '2', '3'", said)
        assert "Traceback" not in said and "preprocess@reviews" in said

    def test_other_labels_for_the_same_file_rerun_what_follows(self, made: Flow) -> None:
        content = (made.root / "params.yaml").read_text(encoding="utf-8")
        assert "fair" in content
        (made.root / "params.yaml").write_text(content.replace("fair", "so so"), encoding="utf-8")
        said = made.run("dvc", "repro", "preprocess@reviews")
        assert "Running stage 'preprocess@reviews'" in said
        names = artifacts.load_encoded(made.root / "data" / "prepared" / "reviews").encoder["label_names"]
        assert names == ["bad", "so so", "good"]
