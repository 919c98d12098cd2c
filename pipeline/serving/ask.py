"""Ask a trained model on the command line: predict, tag, classify, generate, forecast."""

from __future__ import annotations

import argparse
import base64
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError

if TYPE_CHECKING:
    from pipeline.artifacts import Project

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")  # of a row; the one of pipeline.config would take long to import


def text(argument: str) -> str:
    """The argument as text, in any locale. Raises ArgumentTypeError for bytes that are not UTF-8."""
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x} at position {error.start} is not UTF-8"
        raise argparse.ArgumentTypeError(f"{byte}; convert the text, or set the terminal to UTF-8") from None
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError(f"half a character at position {error.start}") from None


def name(argument: str) -> str:
    """The name of an experiment, from which paths are made. Raises ArgumentTypeError for what cannot be one."""
    argument = text(argument)
    if not NAME.fullmatch(argument):
        what = "a name has small letters, digits, - and _, begins with a letter or digit, and has at most 100 of them"
        raise argparse.ArgumentTypeError(f"{argument[:60]!r}: {what}")
    return argument


def predict(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, arguments.text, {}):
        print(f"{answer['label']}  {answer['probability']:.3f}")


def tag(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, arguments.text, {}):
        print(" ".join(f"{word}/{tag}" for word, tag in zip(answer["words"], answer["tags"], strict=True)))


def generate(project: Project, arguments: argparse.Namespace) -> None:
    options = {name: getattr(arguments, name) for name in ("length", "temperature", "top_p", "seed")}
    if arguments.score:
        for answer in _answers(project, arguments, [arguments.prompt], {"score": True}):
            print(f"{answer['bits_per_char']:.4f} bits per character, perplexity {answer['perplexity']:.3f}")
        return
    for answer in _answers(project, arguments, [arguments.prompt], options):
        print(arguments.prompt + answer["text"])


def forecast(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, [{}], {} if arguments.steps is None else {"steps": arguments.steps}):
        ends = f", value and {answer['level']:.0%} interval" if "level" in answer else ""
        print(f"# {answer['unit']}" + (f", from {answer['start']}" if answer.get("start") else "") + ends)
        for name, value in answer.get("held", {}).items():
            print(f"# {name} is held at its last value, {value:.6g}")
        columns = [answer[name] for name in ("values", "lower", "upper") if name in answer]
        for row in zip(*columns, strict=True):
            print("  ".join(f"{value:.6g}" for value in row))


def classify(project: Project, arguments: argparse.Namespace) -> None:
    pictures = [base64.b64encode(_bytes(Path(path))).decode() for path in arguments.picture]
    for path, answer in zip(arguments.picture, _answers(project, arguments, pictures, {}), strict=True):
        print(f"{path}: {answer['label']}  {answer['probability']:.3f}")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give the path of a PNG or JPEG file") from None


def _answers(
    project: Project, arguments: argparse.Namespace, inputs: list[Any], options: dict[str, Any]
) -> list[dict[str, Any]]:
    from pipeline.integrity import checksums
    from pipeline.serving.served import Served

    folder = project.model(arguments.experiment) / "model"
    if not folder.is_dir():
        trained = sorted(path.name for path in project.model("x").parent.glob("*") if path.is_dir())
        known = ", ".join(trained) or "none; run `dvc repro` to train them"
        raise DataError(f"{arguments.experiment}: no trained model in {folder}; trained: {known}")
    checksums.check(folder.parent)
    served = Served(folder)
    if served.task.command != arguments.command:
        raise DataError(
            f"{arguments.experiment} does {served.task.title}; ask it with `python -m pipeline {served.task.command}`"
        )
    answers = served.answer(inputs, options)
    for answer in answers:
        if "warning" in answer:
            print(f"warning: {answer['warning']}", file=sys.stderr)
    return answers
