"""The mistakes that benchmarks/mutation.py makes: those of each kind, none in messages, and all of them Python."""

import textwrap

import pytest

from benchmarks.mutants import counts, mutants

CASES = {
    "a < b": {"a <= b"},
    "a == b": {"a != b"},
    "a + b": {"a - b"},
    "(a + b) / c": {"(a + b) * c", "(a - b) / c"},
    "a and b": {"(a) or (b)"},
    "not a": {"(a)"},
    "a if b else c": {"a if (not (b)) else c"},
    "[a for a in b if c]": {"[a for a in b if True]"},
    "x = 3": {"x = 4", "x = 2"},
    "x = 0.5": {"x = 1.0"},
    "x = True": {"x = False"},
    "x = 'validation'": {"x = 'test'"},
    "x = 'words'": set(),
    "f(a, b)": {"f(b, a)"},
    "max(a, b)": {"min(a, b)"},
    "f(a, k=b)": {"f(a)"},
    "run(a, check=False)": {"run(a, check=True)"},
    "zip(a, b, strict=True)": {"zip(b, a, strict=True)"},
    "a[b:]": {"a[:]", "a[(b) + 1:]"},
    "x.mean(c)": {"x.median(c)"},
    "print(a + b)": {"pass"},
    "f'{a + b} of 3'": set(),
}


@pytest.mark.parametrize("source", CASES)
def test_the_mistakes_of_a_line(source: str) -> None:
    found = {mutant.applied(source.encode()).decode() for mutant in mutants(source) if counts(mutant, source)}
    assert {" ".join(line.split()) for line in found} - {"pass"} == CASES[source] - {"pass"}
    assert ("pass" in found) == (source.startswith(("f(", "max(", "run(", "zip(", "x.mean", "print(")))


def test_messages_annotations_and_docstrings_stay_and_letters_of_two_bytes_shift_nothing() -> None:
    source = textwrap.dedent('''
        def f(a: Literal["test"] = 1) -> int | None:
            """Whether 1 + 1 < 3."""
            é = "größer"; return é < a
            raise ValueError("found 3", "validation")
    ''')
    found = [mutant.applied(source.encode()).decode() for mutant in mutants(source)]
    changed = {line.replace("  <=  ", " <= ") for text in found for line in text.splitlines()}
    assert changed - set(source.splitlines()) == {
        'def f(a: Literal["test"] = 2) -> int | None:',
        '    é = "größer"; return é <= a',
        "    pass",
    }
