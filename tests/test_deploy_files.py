"""deploy/ and docs/teams.md agree, no secret is in git, and a DVC remote is shared as described."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCUMENT = (ROOT / "docs" / "teams.md").read_text(encoding="utf-8")
SERVER = (DEPLOY / "server.py").read_text(encoding="utf-8")
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(COMPOSE)["services"]
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "env.example").read_text(encoding="utf-8"), re.MULTILINE))
# a name that sounds like a secret, and its value; `:'name'` is a variable of psql
SECRET = re.compile(r"(?i)\w*(?:passw|secret|token|_key)\w*[\"']?\s*(?::(?!')|=)\s*[\"']?(\S*)")
HARMLESS = re.compile(r"^$|^\$\{[A-Z_]+:\?|^\$\{\{ ?(secrets|vars)\.|^\$\{\{$|^(read|write|none)$")
KNOWN = re.compile(r"AKIA[0-9A-Z]{16}|gh[pousr]_\w{36}|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]+:[^/\s@$]+@")


def test_every_variable_of_compose_is_in_the_example_and_no_secret_is_filled_in() -> None:
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) == EXAMPLE.keys()
    assert set(re.findall(r"\$\{\w+(.)", COMPOSE)) == {":"}, "each must end compose when it is missing"
    assert [name for name, value in EXAMPLE.items() if value] == ["ALLOWED_HOSTS"]


def test_compose_shows_this_machine_one_port_and_nothing_of_the_database() -> None:
    assert {name: row.get("ports") for name, row in SERVICES.items()} == {
        "database": None,
        "server": ["127.0.0.1:5000:5000"],
    }
    networks = yaml.safe_load(COMPOSE)["networks"]
    assert [name for name in SERVICES["database"]["networks"] if not (networks[name] or {}).get("internal")] == []


def test_compose_is_whole() -> None:
    document = yaml.safe_load(COMPOSE)
    named = {volume.partition(":")[0] for row in SERVICES.values() for volume in row["volumes"]}
    assert {name for name in named if not name.startswith(".")} == document["volumes"].keys()
    assert [name for name in named if name.startswith(".") and not (DEPLOY / name).is_file()] == []
    assert {name for row in SERVICES.values() for name in row["networks"]} == document["networks"].keys()
    assert all(row["healthcheck"]["test"][0] == "CMD" for row in SERVICES.values())
    assert SERVICES["server"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert SERVICES["server"]["build"] == {"context": "..", "dockerfile": "deploy/Dockerfile"}


def test_images_are_of_exact_versions() -> None:
    (base,) = re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for image in (base, SERVICES["database"]["image"]):
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-\S+", image), image


def test_the_container_is_given_what_the_server_asks_for() -> None:
    assert asked() == SERVICES["server"]["environment"].keys() - {"PGPASSWORD"}
    copied = re.findall(r"^COPY (.*) \./", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    allowed = re.findall(r"^!(.*)", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(allowed)
    assert [path for path in allowed if not (ROOT / path).is_file()] == []


def test_the_image_installs_the_server_from_the_lock_by_its_hashes() -> None:
    (command,) = re.findall(r"^RUN (awk .*) > server\.lock", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    lock = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert [entry for entry in named if "--hash=sha256:" not in entry] == []
    names = {entry.partition("==")[0] for entry in named}
    assert {"mlflow", "flask-wtf", "psycopg2-binary", "sqlalchemy", "uvicorn"} <= names
    assert not {"tensorflow", "keras"} & names


def test_what_keeps_the_server_safe_cannot_be_switched_off_by_the_environment() -> None:
    settings = runpy.run_path(str(DEPLOY / "server.py"))
    given = {"BACKEND": "postgresql://mlflow:s3cret@db/mlflow", "ARTIFACTS": "files", "ALLOWED_HOSTS": "ml.example.org"}
    made = settings["_environment"]({**given, **dict.fromkeys(settings["FIXED"], "true")})
    assert made["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == made["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert re.match(made["MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"], "runs:/0/model")
    assert not re.match(made["MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"], "file:///etc")
    assert made["MLFLOW_AUTH_CONFIG_PATH"] == str(DEPLOY / "auth.ini")
    assert made["MLFLOW_SERVER_ALLOWED_HOSTS"] == "ml.example.org"
    assert made["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == "https://ml.example.org"
    assert made["MLFLOW_BACKEND_STORE_URI"] == "postgresql+psycopg2://" and made["PGPASSWORD"] == "s3cret"


def test_everybody_starts_from_nothing() -> None:
    settings = ConfigParser()
    settings.read(DEPLOY / "auth.ini")
    assert settings["mlflow"]["default_permission"] == "NO_PERMISSIONS"
    assert "admin_password" not in settings["mlflow"]
    assert settings["mlflow"]["database_uri"] == "postgresql+psycopg2://", "no secret is written to a file"


def asked() -> set[str]:
    """Collect the settings that the messages of deploy/server.py name."""
    return set(re.findall(r"\b(BACKEND|ARTIFACTS|HOST|ALLOWED_HOSTS|MLFLOW_\w+_(?:PASSWORD|SECRET_KEY))\b", SERVER))


needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an unpacked archive is no git repository")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@needs_git
def test_no_tracked_file_holds_a_secret(tracked: list[Path]) -> None:
    settings = [path for path in tracked if path.relative_to(ROOT).parts[0] in (".dvc", ".github", "deploy", ".ci")]
    assert {ROOT / ".dvc/config", DEPLOY / "compose.yaml", ROOT / ".github/workflows/ci.yml"} <= set(settings)
    assert found(settings) == []
    assert [path for path in tracked if path.name == ".env" or path.name == "config.local"] == []
    for path in tracked:
        if path.suffix in (".yaml", ".yml", ".toml", ".cfg", ".ini", ".md", ".json", "") and path.stat().st_size < 1e6:
            assert not KNOWN.search(path.read_text(encoding="utf-8", errors="replace")), path


def found(paths: list[Path]) -> list[str]:
    """List the lines that set a secret to a value."""
    return [
        f"{path.name}: {line.strip()}"
        for path in paths
        if path.suffix != ".py"
        for line in path.read_text(encoding="utf-8").splitlines()
        for value in SECRET.findall(line)
        if not line.lstrip().startswith("#") and not HARMLESS.search(value)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "    access_key_id = AKIAIOSFODNN7EXAMPLE",
        "    secret_access_key = wJalrXUtnFEMI",
        "    password = hunter2",
        "POSTGRES_PASSWORD=hunter2",
        "      MLFLOW_FLASK_SERVER_SECRET_KEY: 0123456789abcdef",
        "admin_password = correct horse",
        '  "token": "ghp_0"',
    ],
)
def test_a_secret_would_be_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "config").write_text(f"[mlflow]\n{line}\n")
    assert len(found([tmp_path / "config"])) == 1


@needs_git
def test_git_ignores_where_secrets_go() -> None:
    for path in ("deploy/.env", ".env", ".dvc/config.local"):
        assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 0, path


def commands(kind: str) -> list[str]:
    return re.findall(rf"^    ({re.escape(kind)}.*)$", DOCUMENT, re.MULTILINE)


def test_the_document_names_what_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", DOCUMENT) if "://" not in link]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    for path in re.findall(r"\b(?:deploy|tests)/[\w.]+\w", DOCUMENT):
        assert (ROOT / path).exists() or path == "deploy/.env", path
    table = set(re.findall(r"`([A-Z_]+)`", "".join(re.findall(r"^\| .*\|", DOCUMENT, re.MULTILINE))))
    assert table == asked() | {"PORT", "MLFLOW_WORKERS", "PGPASSWORD"}
    for target in set(re.findall(r"\bmake ([a-z]+)\b", DOCUMENT)):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def test_make_server_starts_the_script() -> None:
    said = subprocess.run(["make", "-n", "server"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "bin/python deploy/server.py" in said


class Clone:
    """A checkout, in which commands can be run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_", "MLFLOW_"))}
        who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        self.environment = {**kept, **who, "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull, "DVC_NO_ANALYTICS": "true"}
        self.environment["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"  # nothing listens there: no import of MLflow

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def type(self, line: str, **replaced: str) -> str:
        for name, value in replaced.items():
            line = line.replace(name, value)
        return self.run("bash", "-c", line.replace(".venv/bin/", ""))


PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources: {cosine: {reader: cosine}}
studies: {}
tunings: {}
own: {}
recipes: {none: {}}
datasets: {cosine: {source: cosine, task: textbook/cosine_windows}}
experiments:
  cosine:
    dataset: cosine
    task: textbook/cosine_windows
    recipe: none
    cell: simple_rnn
    units: 4
    epochs: 1
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Make Ann's clone: the pipeline has run, results are in a remote folder, commits in a bare repository."""
    folder = tmp_path_factory.mktemp("shared")
    ann = Clone(folder / "ann")
    shutil.copytree(ROOT / "pipeline", ann.root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, ann.root)
    shutil.copytree(ROOT / ".dvc", ann.root / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local"))
    (ann.root / "params.yaml").write_text(PARAMS)
    ann.run("git", "init", "--quiet", "--bare", str(folder / "repository.git"))
    ann.run("git", "init", "--quiet")
    (folder / "dvc").mkdir()
    local, *_ = commands(".venv/bin/dvc remote add")
    ann.run("git", "add", "--all", "--", ":!.dvc/config")
    ann.type(local, **{"/srv/dvc": str(folder / "dvc")})
    for line in commands("git "):
        ann.type(line)
    ann.run("dvc", "repro")
    ann.run("git", "add", "dvc.lock", "reports")
    ann.run("git", "commit", "--quiet", "--message", "Results")
    (push,) = commands(".venv/bin/dvc push")
    ann.type(push)
    ann.run("git", "push", "--quiet", str(folder / "repository.git"), "HEAD:main")
    return ann


@pytest.mark.slow
def test_a_clone_gets_results_from_the_remote_and_computes_nothing(shared: Clone) -> None:
    folder = shared.root.parent
    bob = Clone(folder / "bob")
    shared.run("git", "clone", "--quiet", "--branch", "main", str(folder / "repository.git"), str(bob.root))
    assert not (bob.root / "data").exists()
    (pull,) = commands(".venv/bin/dvc pull")
    bob.type(pull)
    for folder in ("data/models", "data/predictions", "reports"):
        assert contents(bob.root / folder) == contents(shared.root / folder) != {}, folder
    said = bob.run("dvc", "repro")
    assert "Running stage" not in said
    # dvc.lock does not have the result, as on another branch, but the run-cache has
    (bob.root / "dvc.lock").unlink()
    shutil.rmtree(bob.root / "data" / "models")
    said = bob.run("dvc", "repro", "train@cosine")
    assert re.findall(r"Stage '(\S+)' is cached", said) == ["preprocess@cosine", "train@cosine"]
    assert contents(bob.root / "data/models") == contents(shared.root / "data/models")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_keys_of_a_remote_in_s3_stay_out_of_git(shared: Clone, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "s3")
    shared.run("git", "clone", "--quiet", str(shared.root), str(clone.root))
    clone.run("dvc", "remote", "remove", "storage")
    _, s3 = commands(".venv/bin/dvc remote add")
    for line in (s3, *commands(".venv/bin/dvc remote modify")):
        clone.type(line, **{"…": "s3cr3t"})
    assert "s3cr3t" not in (clone.root / ".dvc/config").read_text()
    assert (clone.root / ".dvc/config.local").read_text().count("s3cr3t") == 2
    assert clone.run("git", "status", "--porcelain").split() == ["M", ".dvc/config"]
    read = ConfigParser()
    read.read(clone.root / ".dvc/config")
    (remote,) = [dict(read[name]) for name in read.sections() if "remote" in name]
    assert remote == {
        "url": "s3://bucket/recurrent-pipeline",
        "region": "eu-central-1",
        "endpointurl": "https://minio.example.org",
    }
