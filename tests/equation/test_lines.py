"""Cutting a text into lines: brackets, equals signs, comments, limits."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system
from cellwise.equation.lines import split
from tests.equation.refusal import refusal

REFUSED = [
    (
        "h[t] = tanh(x[t]",
        "EquationError: line 1, column 12: unbalanced brackets: '(' is never closed\n"
        "    h[t] = tanh(x[t]\n"
        "               ^\n"
        "  A ')' is missing.",
    ),
    (
        "h[t] = tanh(x[t]))",
        "EquationError: line 1, column 18: unbalanced brackets: nothing opens this ')'\n"
        "    h[t] = tanh(x[t]))\n"
        "                     ^",
    ),
    (
        "h[t] = [x[t), h[t-1]]",
        "EquationError: line 1, column 10: unbalanced brackets: '[' is closed by ')'\n"
        "    h[t] = [x[t), h[t-1]]\n"
        "             ^\n"
        "  and line 1, column 12:\n"
        "    h[t] = [x[t), h[t-1]]\n"
        "               ^",
    ),
    (
        "z[t] = σ(W @ x[t]\nh[t] = z[t]",
        "EquationError: line 1, column 9: unbalanced brackets: '(' is never closed\n"
        "    z[t] = σ(W @ x[t]\n"
        "            ^\n"
        "  A ')' is missing.",
    ),
    (
        "z[t] = tanh((x[t])\nh[t] = tanh(z[t]))",
        "EquationError: line 1, column 12: unbalanced brackets: '(' is never closed\n"
        "    z[t] = tanh((x[t])\n"
        "               ^\n"
        "  A ')' is missing.",
    ),
    (
        "h[t] = x[t]]",
        "EquationError: line 1, column 12: unbalanced brackets: nothing opens this ']'\n"
        "    h[t] = x[t]]\n"
        "               ^",
    ),
    (
        "h[t] = x[t] = 3",
        "EquationError: line 1, column 13: stray '=': a line holds one equation\n"
        "    h[t] = x[t] = 3\n"
        "                ^\n"
        "  One equation a line.",
    ),
    (
        "h[t] == x[t]",
        "EquationError: line 1, column 6: stray '=='\n"
        "    h[t] == x[t]\n"
        "         ^^\n"
        "  An equation has a single '='.",
    ),
    (
        "h[t] := x[t]",
        "EquationError: line 1, column 6: stray ':='\n"
        "    h[t] := x[t]\n"
        "         ^^\n"
        "  An equation has a single '='.",
    ),
    (
        "h[t] += x[t]",
        "EquationError: line 1, column 6: stray '+='\n"
        "    h[t] += x[t]\n"
        "         ^^\n"
        "  An equation has a single '='.",
    ),
    (
        "h[t]",
        "EquationError: line 1, column 1: 'h[t]' is no equation: it has no '='\n"
        "    h[t]\n"
        "    ^^^^\n"
        "  A line reads name[t] = expression.",
    ),
    (
        "h[t] = x[t]; g[t] = x[t]",
        "EquationError: line 1, column 19: stray '=': a line holds one equation\n"
        "    h[t] = x[t]; g[t] = x[t]\n"
        "                      ^\n"
        "  One equation a line.",
    ),
    (
        "given x = 2\nh[t] = x[t]",
        "EquationError: line 1, column 9: stray '=': a line holds one equation\n"
        "    given x = 2\n"
        "            ^\n"
        "  One equation a line.",
    ),
    (
        "hello world",
        "EquationError: line 1, column 1: 'hello world' is no equation: it has no '='\n"
        "    hello world\n"
        "    ^^^^^^^^^^^\n"
        "  A line reads name[t] = expression.",
    ),
    (
        "h[t] = ((x[t] == 1)",
        "EquationError: line 1, column 9: unbalanced brackets: '(' is never closed\n"
        "    h[t] = ((x[t] == 1)\n"
        "            ^\n"
        "  A ')' is missing.",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message


def test_a_text_longer_than_the_limit_is_refused_at_once():
    text = "h[t] = x[t]  # " + "a" * 1_000_000
    expected = "the text is 1,000,015 characters long; at most 100,000 are accepted"
    assert refusal(text) == f"EquationError: {expected}"


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("tanh(", ")"), ("[", "]")])
def test_a_thousand_nested_brackets_are_refused(opening, closing):
    text = "h[t] = " + opening * 1000 + "x[t]" + closing * 1000
    assert "brackets nest deeper than 100 levels" in refusal(text)


def test_a_hundred_nested_brackets_are_accepted():
    read_system("h[t] = " + "-(" * 99 + "x[t]" + ")" * 99)


def test_an_open_bracket_goes_on_over_lines_and_comments():
    text = "h[t] = tanh(  # one\n  x[t]  # two (2\n + b)  # three\n\n# four\n  g[t] = h[t]"
    first, second = split(text)
    assert first.comment == "one two (2 three"
    assert second.comment == ""
    assert text[second.span.start : second.span.end] == "g[t] = h[t]"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n\n", "\n \t \n", "\n# between\n"])
def test_line_ends_of_all_kinds(end):
    written = f"{end}z[t] = x[t]{end}h[t] = z[t]  # last{end}"
    assert [s.comment for s in split(written)] == ["", "last"]
    assert read_system(written) == read_system("z[t] = x[t]\nh[t] = z[t]")
