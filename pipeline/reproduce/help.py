"""The help of the command line: commands in groups by what a person wants to do, with an example each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PROGRAM = "python -m pipeline"


@dataclass(frozen=True)
class Group:
    """Commands that belong together. purpose: in the group's heading. first: what to type to begin with."""

    purpose: str
    commands: tuple[str, ...]
    first: tuple[str, ...]


GROUPS = {
    "run": Group(
        "make results, and keep them up to date",
        ("check", "init", "repro", "fan-out", "sync", "prune", "probe"),
        ("python -m pipeline repro",),
    ),
    "ask": Group(
        "put a question to a trained model",
        ("predict", "tag", "classify", "generate", "forecast", "serve", "demo"),
        ('python -m pipeline predict umich "I love it"',),
    ),
    "compare": Group(
        "find out which network or setting is better",
        ("study", "tune", "systems", "results"),
        ("python -m pipeline study cells-on-sonnets", "dvc exp run -S cell=gru"),
    ),
    "promote": Group(
        "decide which model answers",
        ("retrain", "promote", "champions", "rollback", "skew"),
        ("python -m pipeline promote umich",),
    ),
    "inspect": Group(
        "see what runs, where a result came from, whether files are whole",
        ("watch", "trace", "verify"),
        ("python -m pipeline trace reports/metrics/umich/umich.json",),
    ),
    "stages": Group(
        "DVC runs them; alone they redo one row of params.yaml, without the stages before it",
        ("download", "import", "preprocess", "baseline", "train", "evaluate", "report", "index"),
        ("python -m pipeline train umich",),
    ),
}

# What to type, for the help of each command.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "check": ("check",),
    "init": ("init my/sales.csv",),
    "repro": ("repro",),
    "fan-out": ("fan-out", "fan-out --executor ray"),
    "sync": ("sync",),
    "prune": ("prune", "prune --yes"),
    "probe": ("probe", "probe --accept alice"),
    "predict": ('predict umich "I love it" "What a waste of time"',),
    "tag": ('tag treebank "The old man the boat ."',),
    "classify": ("classify digits picture.png",),
    "generate": ('generate alice --prompt "alice was" --length 300 --temperature 0.7 --top-p 0.9 --seed 1',),
    "forecast": ("forecast electricity --steps 96",),
    "serve": ("serve umich", "serve models:/umich-sentiment@champion --port 5001"),
    "demo": ("demo",),
    "study": ("study cells-on-sonnets",),
    "tune": ("tune digits", "tune --accept digits"),
    "systems": ("systems",),
    "results": ("results", "results --output my-results.md"),
    "retrain": ("retrain", "retrain umich --cell gru"),
    "promote": ("promote umich",),
    "champions": ("champions",),
    "rollback": ("rollback umich-sentiment",),
    "skew": ("skew umich", "skew umich --url http://127.0.0.1:5001"),
    "watch": ("watch",),
    "trace": ("trace reports/metrics/umich/umich.json", "trace models:/umich-sentiment@champion"),
    "verify": ("verify",),
    "download": ("download alice",),
    "import": ("import mybook",),
    "preprocess": ("preprocess alice",),
    "baseline": ("baseline alice",),
    "train": ("train umich",),
    "evaluate": ("evaluate umich",),
    "report": ("report digits",),
    "index": ("index", "index textbook"),
}


def overview(texts: Mapping[str, str]) -> str:
    """Return the groups with their commands. texts: what each command does; a command that it lacks is left out."""
    return "\n".join(line for name, group in GROUPS.items() for line in _group(name, group, texts))


def _group(name: str, group: Group, texts: Mapping[str, str]) -> Iterator[str]:
    yield f"{name}: {group.purpose}"
    for command in group.commands:
        if command in texts:
            yield f"  {command:<11} {texts[command]}"
    yield from (f"  {'':<11} $ {line}" for line in group.first)
    yield ""


def examples(command: str) -> str:
    """Return the examples of a command, for the end of its help; "" if it has none."""
    lines = EXAMPLES.get(command, ())
    return "\n".join(["example:" if len(lines) == 1 else "examples:", *(f"  {PROGRAM} {line}" for line in lines)])
