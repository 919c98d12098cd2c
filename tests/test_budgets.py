"""What preparing the largest published files may cost; needs PIPELINE_MIRROR, a folder with them: pytest -m real."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import environment
from tests.mirror import MIRROR, needs_mirror

ROOT = Path(__file__).parents[1]
# The settings that cost the most, and those of this project's rows.
PARAMS = """
seed: 42
edition: published
cell: null
sources:
  imdb: {reader: imdb}
  warpeace: {reader: warpeace}
studies: {}
tunings: {}
own: {}
datasets:
  imdb:
    {source: imdb, task: sentiment, bigrams: true, binary: true, max_features: 120000, max_length: 1200, cut: both_ends}
  imdb-chapter: {source: imdb, task: padded_texts, tokens: emoticons, validation: 0.2}
  imdb-chapter-500: {source: imdb, task: padded_texts, tokens: words, vocabulary: 10000, length: 500, validation: 0.2}
  warpeace: {source: warpeace, task: char_lm, ascii_only: false, line_ends: keep}
experiments:
  imdb: {dataset: imdb, task: sentiment}
  imdb-chapter: {dataset: imdb-chapter, task: padded_texts}
  imdb-chapter-500: {dataset: imdb-chapter-500, task: padded_texts}
  warpeace: {dataset: warpeace, task: char_lm}
"""

pytestmark = [pytest.mark.real, needs_mirror]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return folder


# A process starts with the peak of the one that forked it: a small one stands between the tests and what is measured.
MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2))
"""


def _cost(project: Path, *command: str) -> tuple[float, float]:
    """Seconds of CPU time, which other work on the machine does not stretch, and the peak of memory in MB."""
    env = environment(PIPELINE_MIRROR=str(MIRROR), PYTHONPATH=str(ROOT))
    words = [sys.executable, "-c", MEASURE, sys.executable, "-m", "pipeline", *command]
    done = subprocess.run(words, cwd=project, env=env, capture_output=True, text=True, check=True)
    status, seconds, memory = done.stdout.split()
    assert status == "0", done.stderr
    return float(seconds), float(memory)


@pytest.mark.fault("memory-of-many-texts")
@pytest.mark.parametrize(
    "dataset", ["imdb", *(pytest.param(name, marks=pytest.mark.long) for name in ("imdb-chapter", "imdb-chapter-500"))]
)
def test_fifty_thousand_reviews_are_prepared_within_a_minute_and_a_gigabyte(project: Path, dataset: str) -> None:
    costs = [_cost(project, "download", "imdb"), _cost(project, "preprocess", dataset)]
    assert sum(seconds for seconds, _ in costs) <= 60
    assert max(memory for _, memory in costs) <= 1_000


@pytest.mark.fault("memory-of-a-long-text")
def test_war_and_peace_stays_small_ids(project: Path) -> None:
    assert max(_cost(project, stage, "warpeace")[1] for stage in ("download", "preprocess")) <= 400
    stored = (project / "data/prepared/warpeace/arrays.npz").stat().st_size
    assert stored < 7_000_000  # 3.2 million characters of two bytes


@pytest.mark.long
@pytest.mark.fault("memory-of-a-long-text")
def test_the_baselines_of_war_and_peace_count_in_650_megabytes(project: Path) -> None:
    for stage in ("download", "preprocess"):
        _cost(project, stage, "warpeace")
    assert _cost(project, "baseline", "warpeace")[1] <= 650  # all runs of up to eight characters
