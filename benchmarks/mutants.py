"""Small mistakes in Python source, one at a time: the mutants that mutation.py tries.

A mutant is a replacement of one piece of source, so that everything else keeps its lines. Texts of messages,
annotations and docstrings are left alone: no figure depends on them.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARED = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
COMPUTED = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "*", ast.Pow: "*",
    ast.BitAnd: "|", ast.BitOr: "&", ast.LShift: ">>", ast.RShift: "<<",
}  # fmt: skip
TWINS = (
    ("min", "max"), ("any", "all"), ("argmin", "argmax"), ("mean", "median"), ("log", "log2"), ("validation", "test"),
    ("floor", "ceil"), ("ones", "zeros"), ("minimum", "maximum"), ("std", "var"), ("quantile", "mean"),
    ("true", "false"), ("first", "last"), ("low", "high"), ("best", "last"),
)  # fmt: skip
OTHER = {a: b for pair in TWINS for a, b in (pair, pair[::-1])} | {"best": "last", "last": "first", "mean": "median"}
COMMUTATIVE = {"min", "max", "minimum", "maximum", "gcd"}
Parts = ast.JoinedStr | ast.Raise | ast.Import | ast.ImportFrom


@dataclass(frozen=True)
class Mutant:
    """Bytes `start` to `end` of a source, replaced by `text`. `kind` and `line` are for people."""

    kind: str
    line: int
    start: int
    end: int
    text: str

    def applied(self, source: bytes) -> bytes:
        """Return the source with the mistake."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of a module, in the order of its lines. Some may be no Python, or mean the same."""
    found = {mutant for mutant in _Finder(source).found() if mutant is not None}
    return sorted(found, key=lambda m: (m.start, m.end, m.text))


def counts(mutant: Mutant, source: str) -> bool:
    """Whether the mutant is Python, and other Python than the source."""
    try:
        return ast.dump(ast.parse(mutant.applied(source.encode()))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


class _Finder:
    def __init__(self, source: str) -> None:
        self.tree, self.source = ast.parse(source), source.encode()
        lines = self.source.splitlines(keepends=True)
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line))

    def found(self) -> Iterator[Mutant | None]:
        """Yield the mutants of all nodes that compute something."""
        for node in self._nodes(self.tree):
            match node:
                case ast.Compare():
                    yield from self._operators(node, [node.left, *node.comparators], node.ops, COMPARED)
                case ast.BinOp():
                    yield from self._operators(node, [node.left, node.right], [node.op], COMPUTED)
                case ast.BoolOp():
                    word = " or " if isinstance(node.op, ast.And) else " and "
                    yield self._to("boolean", node, word.join(f"({self._text(value)})" for value in node.values))
                case ast.UnaryOp(op=ast.Not() | ast.USub()):
                    yield self._to("boolean", node, f"({self._text(node.operand)})")
                case ast.If() | ast.While() | ast.IfExp():
                    yield self._to("condition", node.test, f"(not ({self._text(node.test)}))")
                case ast.comprehension():
                    yield from (self._to("condition", test, "True") for test in node.ifs)
                case ast.Constant():
                    yield from self._constants(node)
                case ast.Call():
                    yield from self._calls(node)
                case ast.Subscript(slice=ast.Slice()):
                    yield from self._slices(node.slice)
                case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
                    yield self._to("dropped statement", node, "pass")
                case ast.Attribute() if node.attr in OTHER:
                    yield self._to("other name", node, f"{self._text(node.value)}.{OTHER[node.attr]}")
                case ast.Name() if node.id in ("min", "max", "any", "all"):
                    yield self._to("other name", node, OTHER[node.id])

    def _nodes(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes in which a mistake is looked for; those inside a message or an annotation are not."""
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST) or _is_text(child) or _is_strict(child):
                    continue
                yield child
                if not isinstance(child, Parts) and not _prints(child):
                    yield from self._nodes(child)

    def _operators(
        self, node: ast.expr, values: list[ast.expr], ops: list[ast.AST], table: dict[type, str]
    ) -> Iterator[Mutant | None]:
        for i, op in enumerate(ops):
            if type(op) in table:
                start, end = self._span(values[i])[1], self._span(values[i + 1])[0]
                between = self.source[start:end].decode()
                inner = between.strip("() \n\t\\")
                if inner:
                    text = between.replace(inner, f" {table[type(op)]} ", 1)
                    yield Mutant("comparison" if table is COMPARED else "arithmetic", node.lineno, start, end, text)

    def _constants(self, node: ast.Constant) -> Iterator[Mutant | None]:
        match node.value:
            case bool():
                yield self._to("constant", node, str(not node.value))
            case int():
                yield self._to("constant", node, str(node.value + 1))
                if node.value > 1:
                    yield self._to("constant", node, str(node.value - 1))
            case float():
                yield self._to("constant", node, repr(node.value * 2 if node.value else 1.0))
            case str() if node.value in OTHER:
                yield self._to("other name", node, repr(OTHER[node.value]))

    def _calls(self, node: ast.Call) -> Iterator[Mutant | None]:
        args = [a for a in node.args if not isinstance(a, ast.Starred)]
        whole = [*node.args, *node.keywords]
        if len(args) > 1 and self._text(node.func).rpartition(".")[2] not in COMMUTATIVE:
            (a, b), (c, d) = self._span(args[0]), self._span(args[1])
            text = (self.source[c:d] + self.source[b:c] + self.source[a:b]).decode()
            yield Mutant("swapped arguments", node.lineno, a, d, text)
        for keyword in (k for k in node.keywords if not _is_strict(k) and not _is_default(k)):
            rest = ", ".join(self._text(part) for part in whole if part is not keyword)
            yield self._to("dropped argument", node, f"{self._text(node.func)}({rest})")

    def _slices(self, node: ast.Slice) -> Iterator[Mutant | None]:
        for end in (node.lower, node.upper):
            if end is not None:
                yield self._to("slice end", end, "")
                yield self._to("slice end", end, f"({self._text(end)}) + 1")

    def _to(self, kind: str, node: ast.AST, text: str) -> Mutant | None:
        start, end = self._span(node)
        return Mutant(kind, node.lineno, start, end, text)  # type: ignore[attr-defined]

    def _span(self, node: ast.AST) -> tuple[int, int]:
        lineno, column = node.lineno, node.col_offset  # type: ignore[attr-defined]
        last, end = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
        return self.starts[lineno - 1] + column, self.starts[last - 1] + end

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        text = self.source[start:end].decode()
        return f"*({text[1:]})" if isinstance(node, ast.Starred) else text


def _is_strict(node: ast.AST) -> bool:
    """Whether it is the option of zip() for lengths that are equal, which acts only after another mistake."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _is_default(node: ast.keyword) -> bool:
    """Whether it is subprocess.run(check=False), which means the same as without it."""
    return node.arg == "check" and isinstance(node.value, ast.Constant) and node.value.value is False


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _prints(node: ast.AST) -> bool:
    call = node.value if isinstance(node, ast.Expr) else node
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"
