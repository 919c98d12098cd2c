"""Plain YAML: whatever is accepted, DVC's reader and a reader of YAML 1.1 understand in the same way."""

import itertools
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import parse_yaml

from pipeline.config import plain_yaml
from pipeline.errors import ConfigError

ROOT = Path(__file__).parents[2]


def read(folder: Path, text: str) -> tuple[dict[str, Any], list[tuple[tuple[str, ...], str]]]:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return plain_yaml.read(path, "params.yaml")


def unclear(folder: Path, scalars: list[str]) -> set[int]:
    """Which of the scalars are refused, by their place."""
    _, mistakes = read(folder, "k:\n" + "".join(f"- {scalar}\n" for scalar in scalars))
    return {int(key.removeprefix("k[").removesuffix("]")) for (key,), _ in mistakes}


@pytest.mark.parametrize(
    "scalar",
    ["NO", "off", "Yes", "010", "08", "0o17", "1:30", "190:20:30.15", "1e-3", "1e3", "1.5e3", "-.5", "2026-01-01"],
)
def test_what_readers_understand_differently_is_refused(scalar: str, tmp_path: Path) -> None:
    assert unclear(tmp_path, [scalar]) == {0}
    assert unclear(tmp_path, [f"'{scalar}'", f'"{scalar}"']) == set()


@pytest.mark.parametrize(
    "scalar", ["0.001", "1.0e-3", "-7", "0", "true", "null", "~", "gru", "1_000", ".5", "0x1F", ""]
)
def test_what_they_agree_on_is_read(scalar: str, tmp_path: Path) -> None:
    assert unclear(tmp_path, [scalar]) == set()


def test_scalars_that_are_accepted_are_the_same_for_every_reader(tmp_path: Path) -> None:
    draw = random.Random(5)
    numbers = ["".join(s) for n in (1, 2, 3, 4) for s in itertools.product("01.-e", repeat=n)]
    scalars = numbers + [
        "".join(draw.choices("0123789.eE+-_xobyYnNsofFrutTla=<~:", k=draw.randint(1, 7))) for _ in range(3000)
    ]
    scalars = [s for s in scalars if not s.startswith(("-", ":", "---", "...")) or s[1:2].isdigit()]
    scalars = [s for s in scalars if not s.endswith(":") and s not in ("-", "~")]
    refused = unclear(tmp_path, scalars)
    assert 50 < len(refused) < len(scalars) / 2
    kept = "".join(f"- {s}\n" for i, s in enumerate(scalars) if i not in refused)
    ours = read(tmp_path, f"k:\n{kept}")[0]
    other, dvc = yaml.safe_load(f"k:\n{kept}"), parse_yaml(f"k:\n{kept}", "params.yaml")
    assert [v for v in zip(ours["k"], other["k"], dvc["k"], strict=True) if len(set(map(repr, v))) > 1] == []


@pytest.mark.parametrize("path", [*ROOT.glob("params.yaml"), *ROOT.glob("*/params.yaml")], ids=str)
def test_dvc_reads_the_projects_own_files_as_they_are_read_here(path: Path) -> None:
    values, mistakes = plain_yaml.read(path, path.name)
    assert not mistakes
    assert values == parse_yaml(path.read_text(encoding="utf-8"), str(path)) == yaml.safe_load(path.read_bytes())


# What is written, and what the message says after the file's name.
REFUSED = {
    "nothing": ("", "found nothing; it must hold tables"),
    "a comment alone": ("# seed: 42\n", "found nothing"),
    "a list": ("- seed", "found a list; it must hold tables"),
    "a text": ("seed", "found the value 'seed'; it must hold tables"),
    "open brackets": ("[" * 500, "nested too deeply"),
    "many brackets": ("[" * 20_000, "nested too deeply"),
    "many braces": ("{" * 60_000, "nested too deeply"),
    "many dashes": ("- " * 30_000, "nested too deeply"),
    "many values": (f"a: [{'1,' * 30_000}]", "30000 commas; at most 5000 are read"),
    "nested brackets": (f"seed: {'[' * 500}{']' * 500}", "nested too deeply"),
    "an alias": ("a: &x 1\nb: *x", "not valid YAML: aliases .* write the value out"),
    "an alias of itself": ("a: &x [*x]", "not valid YAML: aliases"),
    "a set": ("a: !!set {b}", "not valid YAML: the tag of a .* is not read"),
    "a key that is a table": ("{a: b}: c", "not valid YAML: .* unhashable key"),
    "two documents": ("a: 1\n---\nb: 2", "not valid YAML: expected a single document"),
    "a tab": ("a:\n\tb: 1", "not valid YAML: .*line 2"),
    "a null byte": ("a: \0", "not valid YAML: unacceptable character"),
}


@pytest.mark.fault("malformed-params")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_yaml_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    text, message = REFUSED[name]
    began = time.process_time()
    with pytest.raises(ConfigError, match=rf"^params\.yaml: {message}") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 2.0  # they take up to 10 s otherwise


# A scalar that is refused, and what the sentence about it says.
SCALARS = {
    "!!int foo": "the tag !!int is not read; write 'foo' as it is meant",
    "!mine foo": "the tag !mine is not read",
    "2026-13-45": "found '2026-13-45'; write a date in quotes",
    "9" * 5_000: r"a number of 5000 characters; at most 30 are read",
    "0x" + "f" * 5_000: r"a number of 5002 characters",
    "1e-3": r"YAML readers disagree about '1e-3'; write it with a decimal point and no exponent, e\.g\. 0\.001$",
    "NO": "YAML readers disagree about 'NO'; write text in quotes",
}


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda scalar: scalar[:12])
def test_a_scalar_is_refused_with_its_key(scalar: str, tmp_path: Path) -> None:
    values, mistakes = read(tmp_path, f"table:\n  row: {{setting: [1, {scalar}]}}")
    assert values == {"table": {"row": {"setting": [1, scalar.split()[-1]]}}}
    ((keys, sentence),) = mistakes
    assert keys == ("table", "row", "setting[1]")
    assert len(sentence) < 200

    assert re.search(SCALARS[scalar], sentence)


BYTES = {
    "UTF-16": "seed: 42".encode("utf-16"),
    "UTF-32": "seed: 42".encode("utf-32"),
    "Latin-1": "seed: 42 # f\xfcr".encode("latin-1"),
    "cut off": "seed: 42 # f\xfcr".encode()[:-2],
    "no text": b"\xff\xfea",
}


@pytest.mark.fault("malformed-params")
@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_not_utf_8_are_refused_as_dvc_refuses_them(name: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(BYTES[name])
    with pytest.raises(ConfigError, match=r"^params\.yaml: byte 0x.. in line 1 is not UTF-8; save the file as UTF-8$"):
        plain_yaml.read(tmp_path / "params.yaml", "params.yaml")


@pytest.mark.parametrize("text", ["\ufeffa: 1\nb: é\n", "a: 1\r\nb: é\r\n", "a: 1\rb: é\r", "---\na: 1\nb: é\n...\n"])
def test_marks_and_line_ends_of_other_systems_are_read_as_dvc_reads_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(text.encode())
    values, mistakes = plain_yaml.read(tmp_path / "params.yaml", "params.yaml")
    assert (values, mistakes) == ({"a": 1, "b": "é"}, [])
    with (tmp_path / "params.yaml").open(encoding="utf-8") as file:
        assert parse_yaml(file.read(), "params.yaml") == values


@pytest.mark.parametrize(
    "value", [1, 0.003, 1e-7, 1e20, "gru", "no", "1e-3", "2026-01-01", "", None, True, [], {}, [1, "NO"]]
)
def test_what_is_written_on_one_line_is_read_back(value: Any, tmp_path: Path) -> None:
    values, mistakes = read(tmp_path, f"k: {plain_yaml.flow(value)}")
    assert (values, mistakes) == ({"k": value}, [])
    nested = {"row": {"b": value, "a": [value]}}
    assert read(tmp_path, plain_yaml.flow(nested)) == (nested, [])
