"""What of a Python file is its program, and that this does not depend on the version of Python."""

import pytest

from texprior.runtime.syntax import Import, parse_source

PROGRAM = """
import os
from .filters import box as blur

def f(x: int = 1) -> str:
    width = 3
    return f"{x!r:>{width}} a" "b"
"""
SAME = """# a comment
'''What it does.'''
import os
from .filters import box as blur


def f(
    x: int=1,  # a note
) -> str:
    'A docstring.'
    width = 0x3
    "a note on the width"
    pass
    return (f'{x!r:>{width}} a'  'b')
"""


def digest(text):
    return parse_source(text.encode()).digest


def test_the_digest_of_a_program_is_the_same_in_every_version_of_python():
    """The same number was computed by Python 3.11, 3.12 and 3.13, whose syntax trees differ in f-strings and fields."""
    assert digest(PROGRAM) == "a16789abcdac4ca9b2d33bcc2c56b6d5771b5f3907124e67fe97f74062daaae5"


def test_comments_docstrings_and_formatting_do_not_count():
    assert digest(SAME) == digest(PROGRAM)
    assert digest("class A:\n    pass\n") == digest("class A:\n    '''Does nothing.'''\n")


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 1", "x = '1'"),
        ("x = 'a'", "x = b'a'"),
        ("x = None", "x"),
        ("f(a, b)", "f(a=a, b=b)"),
        ("x = a[:1]", "x = a[1:]"),
        ("x = f'{a}b'", "x = f'b{a}'"),
        ("if a:\n    b\nc", "if a:\n    b\n    c"),
        ("x = {**a, 1: b}", "x = {1: b, **a}"),
        ("def f(a, *, b=1): 0", "def f(*, a, b=1): 0"),
    ],
)
def test_what_a_program_does_counts(then, now):
    assert digest(then) != digest(now)


def test_a_deep_program_is_read():
    deep = "x = " + " + ".join(["a"] * 900)
    assert digest(deep) != digest(f"{deep} + a")


def test_what_is_no_python_counts_by_its_bytes():
    assert digest("print 'x'") != digest("print  'x'")
    assert parse_source(b"\0").imports == ()


def test_imports_are_found_at_any_depth():
    text = "import a.b, c\ndef f():\n    if x:\n        from .. import d\n    from .e import f as g, h\n"
    assert set(parse_source(text.encode()).imports) == {
        Import(0, "a.b"),
        Import(0, "c"),
        Import(2, "", ("d",)),
        Import(1, "e", ("f", "h")),
    }
