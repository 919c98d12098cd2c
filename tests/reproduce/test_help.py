"""The help of the command line: every command in one group, with examples that the parser understands."""

import re
import shlex
from collections import Counter

import pytest

from pipeline.__main__ import COMMANDS, STAGES, _parser, main
from pipeline.config.schema.values import EDITIONS
from pipeline.reproduce import arguments
from pipeline.reproduce.help import EXAMPLES, GROUPS, PROGRAM, overview

KNOWN = [*STAGES, *COMMANDS]
LISTED = [command for group in GROUPS.values() for command in group.commands]
FIRST = [line for group in GROUPS.values() for line in group.first if line.startswith(PROGRAM)]
TYPED = [*FIRST, *(f"{PROGRAM} {line}" for name in KNOWN for line in EXAMPLES.get(name, ()))]


def test_every_command_is_in_exactly_one_group() -> None:
    assert {command: count for command, count in Counter(LISTED).items() if count > 1} == {}
    assert set(KNOWN) - set(LISTED) == set(), "add it to GROUPS in pipeline/reproduce/help.py"
    assert set(LISTED) - set(KNOWN) == set()


def test_the_groups_are_those_of_the_help_in_this_order(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        _parser().parse_args(["--help"])
    text = capsys.readouterr().out
    assert re.findall(r"^(\w+): ", text, re.MULTILINE)[1:] == [
        "run", "ask", "compare", "promote", "inspect", "stages",
    ]  # fmt: skip
    assert re.findall(r"^  ([a-z-]+) +\w", text, re.MULTILINE) == [name for name in LISTED if name in KNOWN]
    assert max(map(len, text.splitlines())) <= 110, "a line that folds in a terminal"


def test_every_group_begins_with_an_example() -> None:
    shown = overview(dict.fromkeys(KNOWN, "x")).split("\n\n")
    assert [block.count("$ ") > 0 for block in shown if block.strip()] == [True] * len(GROUPS)


@pytest.mark.parametrize("command", KNOWN)
def test_the_help_of_a_command_has_its_own_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        _parser().parse_args([command, "--help"])
    end = capsys.readouterr().out.partition("\nexample")[2]
    assert f"{PROGRAM} {command}" in end


@pytest.mark.parametrize("line", sorted(set(TYPED)))
def test_the_parser_understands_the_example(line: str) -> None:
    words = shlex.split(line)
    assert _parser().parse_args(words[3:]).command == words[3]


def test_alone_it_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([])
    assert "ask: put a question" in capsys.readouterr().out


def test_the_editions_are_those_of_params_yaml() -> None:
    assert arguments.EDITIONS == EDITIONS
