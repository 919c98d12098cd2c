"""The one reader and writer of YAML: plain values, which every other reader understands in the same way."""

import io
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

from pipeline.errors import ConfigError

MAX_BYTES = 64_000
MAX_COMMAS = 5_000  # the reader takes a second for 12,000 values
MAX_DEPTH = 50  # of brackets: it takes a second for 10,000
MAX_DIGITS = 30
SMALLEST = 1e-9  # of the numbers that are written without an exponent
TAG = "tag:yaml.org,2002:"
# Scalars that readers of YAML 1.1 and of YAML 1.2 understand differently.
SWITCH = r"(yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)"
OCTAL = r"[-+]?0o?[0-9_]+"  # 010 is 8 or 10
BASE_60 = r"[-+]?[0-9][0-9_]*(:[0-9]+)+(\.[0-9_]*)?"  # 1:30 is 90 or a text
EXPONENT = r"[-+]?([0-9][0-9_]*|[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+)[eE][0-9]+|[-+]?[0-9][0-9_]*[eE][-+][0-9]+"
SIGNED_POINT = r"[-+]\.[0-9].*"
UNDERSCORE = r"([-+.]+|0[xob])_.*"
DISAGREED = re.compile("|".join((SWITCH, OCTAL, BASE_60, EXPONENT, SIGNED_POINT, UNDERSCORE, "=", "<<")))


Keys = tuple[str, ...]


def read(path: Path, name: str) -> tuple[dict[str, Any], list[tuple[Keys, str]]]:
    """The mapping in the file, and what must be written otherwise: its keys from the top, and a sentence. `name`: of
    the file, for messages.

    Raises ConfigError for what is no mapping of plain YAML.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: not found; run inside the project's folder")
    content = _text(path, name)
    # The same reader as DVC's, so that a stage sees what dvc.lock records.
    reader = YAML(typ="safe", pure=True)
    try:
        root = reader.compose(content)
        mistakes = [] if root is None else list(_unclear((), root, reader.resolver, set()))
        value = None if root is None else reader.constructor.construct_document(root)
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply; tables of rows of settings are read") from None
    except (YAMLError, ValueError, TypeError) as error:
        what, _, _ = " ".join(str(error).split()).partition(" To suppress this check")
        what = what.replace(' in "<unicode string>",', " in")
        raise ConfigError(f"{name}: not valid YAML: {what}") from None
    if not isinstance(value, dict):
        kind = {type(None): "nothing", list: "a list"}.get(type(value), f"the value {str(value)[:40]!r}")
        raise ConfigError(f"{name}: found {kind}; it must hold tables, such as `datasets:`, with a row in each line")
    return value, mistakes


def _text(path: Path, name: str) -> str:
    """The text of the file. Raises ConfigError if it is none, or one that would take long to read."""
    content = path.read_bytes()
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name}: {len(content)} bytes; at most {MAX_BYTES} are read")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{content[error.start]:02x} in line {line} is not UTF-8"
        raise ConfigError(f"{name}: {what}; save the file as UTF-8") from None
    if text.count(",") > MAX_COMMAS:
        raise ConfigError(f"{name}: {text.count(',')} commas; at most {MAX_COMMAS} are read")
    depth = itertools.accumulate(1 if sign in "[{" else -1 for sign in re.findall(r"[\[\]{}]", text))
    if max(depth, default=0) > MAX_DEPTH:
        raise ConfigError(f"{name}: nested too deeply; tables of rows of settings are read")
    return text


def _unclear(keys: Keys, node: Node, resolver: Any, seen: set[int]) -> Iterator[tuple[Keys, str]]:
    """(keys, sentence) for each scalar below `node` that is not read the same everywhere; it is then read as text."""
    if id(node) in seen:
        raise YAMLError("aliases (*name) are not read; write the value out")
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        plain = resolver.resolve(ScalarNode, node.value, (node.style is None, node.style is not None))
        sentence = _of_scalar(node.value, str(node.tag), str(plain), plain=node.style is None)
        if sentence:
            node.tag = TAG + "str"
            yield keys, sentence
        return
    kind = "map" if isinstance(node, MappingNode) else "seq"
    if node.tag != TAG + kind:
        raise YAMLError(f"the tag of {'.'.join(keys) or 'the whole'} ({node.tag}) is not read; leave it out")
    if isinstance(node, SequenceNode):
        for i, inner in enumerate(node.value):
            yield from _unclear((*keys[:-1], f"{''.join(keys[-1:])}[{i}]"), inner, resolver, seen)
        return
    for name, inner in node.value:
        yield from _unclear(keys or (str(name.value),), name, resolver, seen)
        yield from _unclear((*keys, str(name.value)), inner, resolver, seen)


def _of_scalar(text: str, tag: str, resolved: str, *, plain: bool) -> str | None:
    shown = repr(text if len(text) <= MAX_DIGITS else f"{text[:MAX_DIGITS]}…")
    if tag != resolved:
        return f"the tag {tag.replace(TAG, '!!')} is not read; write {shown} as it is meant"
    if not plain:
        return None
    if tag in (TAG + "int", TAG + "float") and len(text) > MAX_DIGITS:
        return f"found {shown}, a number of {len(text)} characters; at most {MAX_DIGITS} are read"
    if tag == TAG + "timestamp":
        return f"found {shown}; write a date in quotes"
    if not DISAGREED.fullmatch(text):
        return None
    advice = "text in quotes, numbers in plain decimals, true or false for switches"
    if tag == TAG + "float" and "_" not in text and abs(float(text)) < 1e6:
        advice = f"it with a decimal point and no exponent, e.g. {float(text):f}".rstrip("0")
    return f"YAML readers disagree about {shown}; write {advice}"


def recorded(text: str | bytes) -> Any:
    """What is in a file that DVC wrote, such as dvc.lock; None if it is no YAML."""
    try:
        return YAML(typ="safe").load(text)  # in C where ruamel.yaml.clib is installed
    except (YAMLError, ValueError):
        return None


def flow(value: Any) -> str:
    """YAML on one line, as `dvc exp run -S` takes it."""
    stream = io.StringIO()
    writer = _writer()
    writer.default_flow_style = True
    writer.dump(quoted(value), stream)
    return stream.getvalue().strip().removesuffix("...").strip()


def block(value: Any) -> str:
    """YAML with a line for each value."""
    stream = io.StringIO()
    _writer().dump(value, stream)
    return stream.getvalue()


def quoted(value: Any) -> Any:
    """A value in which texts that readers of YAML disagree about are in quotes."""
    if isinstance(value, dict):
        return {name: quoted(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [quoted(inner) for inner in value]
    return SingleQuotedScalarString(value) if isinstance(value, str) and DISAGREED.fullmatch(value) else value


def with_pins(text: str, pins: Mapping[str, Mapping[str, str]]) -> str:
    """`text` of params.yaml with `pins`, by source and file, in the rows of `sources`; the rest stays as it is."""
    editor = _writer()
    editor.preserve_quotes = True
    document = editor.load(text)
    for source, files in pins.items():
        quoted = {file: DoubleQuotedScalarString(sha256) for file, sha256 in files.items()}
        document["sources"][source].setdefault("pins", {}).update(quoted)
    stream = io.StringIO()
    editor.dump(document, stream)
    return stream.getvalue()


def with_settings(text: str, experiment: str, settings: Mapping[str, Any], *, synthetic: bool) -> str:
    """`text` of params.yaml with `settings` in the row of an experiment or in its block `synthetic`; the rest stays."""
    editor = _writer()
    editor.preserve_quotes = True
    document = editor.load(text)
    row = document["experiments"][experiment]
    if synthetic and "synthetic" not in row:
        row["synthetic"] = block = CommentedMap()
        block.fa.set_flow_style()
    (row["synthetic"] if synthetic else row).update(quoted(dict(settings)))
    stream = io.StringIO()
    editor.dump(document, stream)
    return stream.getvalue()


def _writer() -> YAML:
    writer = YAML()
    writer.Representer = _Representer
    writer.width = MAX_BYTES  # a long row stays one line
    return writer


class _Representer(RoundTripRepresenter):
    """Writes null where ruamel would leave the value out."""


def _float(representer: RoundTripRepresenter, value: float) -> Any:
    """Small numbers as people write them, others with a point before the exponent, which every reader needs."""
    text = {math.inf: ".inf", -math.inf: "-.inf"}.get(value, repr(value))
    if SMALLEST <= abs(value) < 1:
        text = f"{Decimal(text):f}"
    text = re.sub(r"^(-?\d+)e", r"\1.0e", text)
    return representer.represent_scalar(TAG + "float", text)


_Representer.add_representer(float, _float)
_Representer.add_representer(type(None), lambda self, _: self.represent_scalar(TAG + "null", "null"))
