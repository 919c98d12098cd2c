"""The arguments of the commands of the command line; stages have a name alone."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from pipeline.reproduce.fan_out import command as fan_out
from pipeline.serving import ask

EDITIONS = ("synthetic", "published")  # as in pipeline.config, whose import would take half of a second


def add(parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    """Add the arguments of each command to its parser."""
    _add_tracking(parsers)
    _add_promotion(parsers)
    _add_models(parsers)


def _add_tracking(parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    fan_out.add_options(parsers["fan-out"])
    one = parsers["init"]
    one.add_argument("path", type=str, help="your file, or a folder of files of one kind, in the project's folder")
    one.add_argument("--name", help="name of the rows (default: that of the file)")
    kinds = ("text", "labelled", "tagged", "series", "prices")
    one.add_argument("--as", dest="kind", choices=kinds, help="kind of the data (default: what the file seems to be)")
    one.add_argument("--only", action="store_true", help="remove the rows of published data, and the textbook’s folder")
    one.add_argument("--yes", action="store_true", help="write the rows without asking")
    parsers["prune"].add_argument("--yes", action="store_true", help="delete without asking")
    one = parsers["probe"]
    one.add_argument("source", nargs="*", help="sources to check (default: all)")
    one.add_argument("--accept", action="store_true", help="update the pins in params.yaml to the files offered now")
    one = parsers["results"]
    one.add_argument("--output", type=Path, help="file to write (default: docs/results.md, for published data only)")
    one.add_argument("--seconds", type=int, help="how long the run took that has just ended; make full says it")
    one = parsers["skew"]
    answers = "a trained experiment; its model answers unless --model or --url is given"
    one.add_argument("experiment", type=ask.name, help=answers)
    one.add_argument("--model", help="an MLflow model: its folder, or a URI such as models:/name/3")
    one.add_argument("--url", help="address of a served model, such as http://127.0.0.1:5001")
    one.add_argument("--rows", type=int, default=50, help="maximum number of test rows (default: 50)")
    one = parsers["serve"]
    one.add_argument(
        "model", type=str, help="a trained experiment, or an MLflow model: its folder, or models:/<name>@champion"
    )
    _add_address(one, 5001)
    _add_address(parsers["demo"], 8000)
    parsers["trace"].add_argument("what", type=str, help="a path, an MLflow run id, or models:/<name>@champion")


def _add_address(one: argparse.ArgumentParser, port: int) -> None:
    one.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, this machine only)")
    one.add_argument("--port", type=int, default=port, help=f"port (default: {port})")


def _add_promotion(parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    parsers["promote"].add_argument("experiment", nargs="+", help="trained experiments")
    parsers["rollback"].add_argument("model", type=ask.name, help="a registered model, such as umich-sentiment")
    one = parsers["retrain"]
    one.add_argument("experiment", nargs="*", help="experiments to reproduce and judge (default: all)")
    one.add_argument("--cell", help="cell of every experiment")
    one.add_argument("--edition", choices=EDITIONS, help="edition of the data")
    one.add_argument("--base", default="", help="git revision to compare with (default: before the last change)")


def _add_models(parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    for name in ("predict", "tag", "classify", "generate", "forecast"):
        parsers[name].add_argument("experiment", type=ask.name, help="a trained experiment")
    parsers["predict"].add_argument("text", nargs="+", help="texts to classify")
    parsers["tag"].add_argument("text", nargs="+", help="sentences, with spaces between words and punctuation")
    parsers["classify"].add_argument("picture", type=str, nargs="+", help="PNG or JPEG files")
    one = parsers["generate"]
    one.add_argument("--prompt", default="", help="text to continue (default: none)")
    one.add_argument("--length", type=int, default=300, help="number of characters (default: 300)")
    one.add_argument("--temperature", type=float, default=0.7, help="0 takes the likeliest character (default: 0.7)")
    one.add_argument(
        "--top-p", type=float, default=1.0, help="draw from the likeliest with this probability (default: 1)"
    )
    one.add_argument("--seed", type=int, default=0, help="seed of the random draws (default: 0)")
    one.add_argument("--score", action="store_true", help="print how well the model predicts the prompt, and no text")
    steps = "number of steps, if the model has that option (default: 96)"
    parsers["forecast"].add_argument("--steps", type=int, help=steps)
