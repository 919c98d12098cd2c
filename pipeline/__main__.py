"""The only command line: python -m pipeline <stage> <name>, and what one asks a trained model."""

import argparse
import base64
import importlib
import sys
from pathlib import Path
from typing import Any, get_args

from pipeline.artifacts import Project, here
from pipeline.config.schema.values import Edition
from pipeline.errors import DataError, UserError

STAGES = {
    "download": ("pipeline.stages.download", "run", "a source"),
    "import": ("pipeline.stages.download", "run_import", "a row of own"),
    "preprocess": ("pipeline.stages.preprocess", "run", "a data set"),
    "baseline": ("pipeline.stages.baseline", "run", "a data set"),
    "train": ("pipeline.stages.train", "run", "an experiment"),
    "evaluate": ("pipeline.stages.evaluate", "run", "an experiment"),
    "report": ("pipeline.stages.report", "run", "a data set"),
    "index": ("pipeline.stages.index", "run", None),
    "check": ("pipeline.stages.check", "run", None),
}

ALONE = {
    "index": "stage: one page over all data sets, or over the textbook's",
    "check": "check the settings, and delete stale outputs of removed rows",
}


def main(argv: list[str] | None = None) -> int:
    """Runs one command; 0, or 2 after a message about something that the user can put right."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command in STAGES:
            module, function, _ = STAGES[arguments.command]
            name = [arguments.name] if "name" in arguments else []
            getattr(importlib.import_module(module), function)(here(), *name)
        else:
            COMMANDS[arguments.command](here(), arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    return 0


def _sync(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.tracking.delivery import sync

    print(f"{sync(project)} journals sent to MLflow")


def _probe(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.download import probe

    probe.run(project, arguments.source, arguments.accept)


def _systems(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline import artifacts
    from pipeline.reporting import systems
    from pipeline.stages import parameters

    rows = parameters(project).experiments
    paths = {name: project.metrics(row.dataset, name) for name, row in rows.items()}
    found = {name: artifacts.load_json(path) for name, path in paths.items() if path.is_file()}
    for system, title, lines in systems.status(found):
        print(f"{system:4} {title}")
        for name, known in lines:
            print(f"       {name:36} {known}".rstrip())


def _skew(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.serving.skew import check

    print(check(project, arguments.experiment, arguments.model, arguments.url, arguments.rows))


def _trace(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.tracking.trace import trace

    print(trace(project, arguments.what))


def _promote(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion import promote
    from pipeline.stages import parameters

    params = parameters(project)
    candidates = [promote.candidate(project, params, name) for name in arguments.experiment]
    for candidate in candidates:
        print(promote.promote(project, candidate, params.gate.margin).line())


def _rollback(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion.promote import rollback

    print(rollback(project, arguments.model).line())


def _champions(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion.promote import champions
    from pipeline.promotion.retrain import CHAMPION_COLUMNS, champion_row

    rows = [list(CHAMPION_COLUMNS), *(champion_row(*row) for row in champions(project))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _retrain(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion.retrain import retrain
    from pipeline.stages import parameters

    given = {"cell": arguments.cell, "edition": arguments.edition}
    settings = [f"{key}={value}" for key, value in given.items() if value]
    retrain(project, parameters(project), arguments.experiment, settings, arguments.base)


def _predict(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, arguments.text, {}):
        print(f"{answer['label']}  {answer['probability']:.3f}")


def _tag(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, arguments.text, {}):
        print(" ".join(f"{word}/{tag}" for word, tag in zip(answer["words"], answer["tags"], strict=True)))


def _generate(project: Project, arguments: argparse.Namespace) -> None:
    options = {name: getattr(arguments, name) for name in ("length", "temperature", "top_p", "seed")}
    if arguments.score:
        for answer in _answers(project, arguments, [arguments.prompt], {"score": True}):
            print(f"{answer['bits_per_char']:.4f} bits per character, perplexity {answer['perplexity']:.3f}")
        return
    for answer in _answers(project, arguments, [arguments.prompt], options):
        print(arguments.prompt + answer["text"])


def _forecast(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, [{}], {} if arguments.steps is None else {"steps": arguments.steps}):
        ends = f", value and {answer['level']:.0%} interval" if "level" in answer else ""
        print(f"# {answer['unit']}" + (f", from {answer['start']}" if answer.get("start") else "") + ends)
        for name, held in answer.get("held", {}).items():
            print(f"# {name} held at {held:.6g}, its last value")
        columns = [answer[name] for name in ("values", "lower", "upper") if name in answer]
        for row in zip(*columns, strict=True):
            print("  ".join(f"{value:.6g}" for value in row))


def _classify(project: Project, arguments: argparse.Namespace) -> None:
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
    from pipeline.serving.served import Served

    folder = project.model(arguments.experiment) / "model"
    if not folder.is_dir():
        trained = sorted(path.name for path in project.model("x").parent.glob("*") if path.is_dir())
        known = ", ".join(trained) or "none; `dvc repro` trains them"
        raise DataError(f"{arguments.experiment}: no trained model in {folder}; trained: {known}")
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


COMMANDS = {
    "probe": _probe,
    "trace": _trace,
    "promote": _promote,
    "rollback": _rollback,
    "champions": _champions,
    "retrain": _retrain,
    "systems": _systems,
    "sync": _sync,
    "skew": _skew,
    "predict": _predict,
    "tag": _tag,
    "generate": _generate,
    "forecast": _forecast,
    "classify": _classify,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for stage, (_, _, what) in STAGES.items():
        one = commands.add_parser(stage, help=f"stage, for {what}" if what else ALONE[stage])
        if what:
            one.add_argument("name")
        elif stage == "index":
            one.add_argument("name", nargs="?", choices=["textbook"], help="the page of textbook/params.yaml")
    probe = commands.add_parser("probe", help="ask the publishers whether they still offer the files that are pinned")
    probe.add_argument("source", nargs="*", help="those of all sources without it")
    probe.add_argument("--accept", action="store_true", help="pin in params.yaml what they offer now")
    commands.add_parser("sync", help="send to MLflow what could not be sent when it was made")
    commands.add_parser("systems", help="the systems of the textbook chapters: their experiments and figures")
    skew = commands.add_parser("skew", help="whether a served model answers raw test rows as evaluate found")
    skew.add_argument("experiment")
    skew.add_argument("--model", help="an MLflow model: its folder, or a URI such as models:/name/3")
    skew.add_argument("--url", help="where `mlflow models serve` answers, such as http://127.0.0.1:5001")
    skew.add_argument("--rows", type=int, default=50, help="at most so many (default 50)")
    one = commands.add_parser(
        "trace", help="what made a file, a run, a model: commit, parameters, data, how to remake it"
    )
    one.add_argument("what", help="a path, an MLflow run id, or models:/<name>@champion")
    one = commands.add_parser("promote", help="let the gate decide whether a trained model becomes the champion")
    one.add_argument("experiment", nargs="+")
    one = commands.add_parser("rollback", help="the champion before is the champion again")
    one.add_argument("model", help="a registered model, such as umich-sentiment")
    commands.add_parser("champions", help="the promoted models")
    one = commands.add_parser("retrain", help="pull, reproduce what changed, push, judge, sum up in reports/retrain.md")
    one.add_argument("experiment", nargs="*", help="those to reproduce and judge; all if none is named")
    one.add_argument("--cell", help="the cell of every experiment")
    one.add_argument("--edition", choices=get_args(Edition))
    one.add_argument("--base", default="", help="the git revision to compare with (default: before the last change)")
    _asking(commands, "predict", "the class of texts", "text")
    _asking(commands, "tag", "the part of speech of each word", "text")
    _asking(commands, "classify", "the class of pictures", "picture")
    generate = _asking(commands, "generate", "text that goes on after a prompt", None)
    generate.add_argument("--prompt", default="")
    generate.add_argument("--length", type=int, default=300, help="characters (default 300)")
    generate.add_argument("--temperature", type=float, default=0.7, help="0 takes the likeliest (default 0.7)")
    generate.add_argument("--top-p", type=float, default=1.0, help="draw from the likeliest with this probability")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--score", action="store_true", help="instead say how well the model foresees the prompt")
    forecast = _asking(commands, "forecast", "the next values, each with its interval", None)
    forecast.add_argument("--steps", type=int, help="where the model takes steps (default 96)")
    return parser


def _asking(commands: Any, name: str, what: str, inputs: str | None) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=f"ask a trained model: {what}")
    parser.add_argument("experiment")
    if inputs is not None:
        parser.add_argument(inputs, nargs="+")
    return parser


if __name__ == "__main__":
    sys.exit(main())
