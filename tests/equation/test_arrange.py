"""The kinds of lines, and what may be there once only."""

from __future__ import annotations

import pytest

from tests.equation.refusal import refusal

REFUSED = [
    (
        "",
        "EquationError: the cell is empty: no line defines a signal\n"
        "  Write at least one equation, for example h[t] = tanh(U @ x[t] + W @ h[t-1] + b).",
    ),
    (
        "   \n\n",
        "EquationError: the cell is empty: no line defines a signal\n"
        "  Write at least one equation, for example h[t] = tanh(U @ x[t] + W @ h[t-1] + b).",
    ),
    (
        "# only a comment",
        "EquationError: line 1, column 1: the cell is empty: no line defines a signal\n"
        "    # only a comment\n"
        "    ^\n"
        "  Write at least one equation, for example h[t] = tanh(U @ x[t] + W @ h[t-1] + b).",
    ),
    (
        "a = 1",
        "EquationError: line 1, column 1: the cell is empty: no line defines a signal\n"
        "    a = 1\n"
        "    ^\n"
        "  Write at least one equation, for example h[t] = tanh(U @ x[t] + W @ h[t-1] + b).",
    ),
    (
        "d_W = sum(h[t] for t)",
        "EquationError: line 1, column 1: the cell is empty: no line defines a signal\n"
        "    d_W = sum(h[t] for t)\n"
        "    ^\n"
        "  Write at least one equation, for example h[t] = tanh(U @ x[t] + W @ h[t-1] + b).",
    ),
    (
        "h[leaf] = tanh(x[n])",
        "EquationError: line 1, column 1: the cell is empty: no line defines a signal\n"
        "    h[leaf] = tanh(x[n])\n"
        "    ^^^^^^^^^^^^^^^^^^^^\n"
        "  Write at least one equation, for example h[t] = tanh(U @ x[t] + W @ h[t-1] + b).",
    ),
    (
        "a = 1\na = 2\nh[t] = a * x[t]",
        "EquationError: line 2, column 1: the constant 'a' is set twice\n"
        "    a = 2\n"
        "    ^\n"
        "  and line 1, column 1:\n"
        "    a = 1\n"
        "    ^",
    ),
    (
        "h[t] = tanh(U @ x[t] + W @ h[t-1])\nh[0] = h_0\nh[0] = g_0",
        "EquationError: line 3, column 1: the initial state of 'h' is set twice\n"
        "    h[0] = g_0\n"
        "    ^^^^\n"
        "  and line 2, column 1:\n"
        "    h[0] = h_0\n"
        "    ^^^^",
    ),
    (
        "h[t] = x[t]\nh[t] = x[t]",
        "EquationError: line 2, column 1: 'h[t]' is defined twice\n"
        "    h[t] = x[t]\n"
        "    ^^^^\n"
        "  and line 1, column 1:\n"
        "    h[t] = x[t]\n"
        "    ^^^^\n"
        "  Give one of the two another name.",
    ),
    (
        "h[t] = x[t]\nd = sum(x[t] for t)\nd = sum(h[t] for t)",
        "EquationError: line 3, column 1: 'd' is defined twice\n"
        "    d = sum(h[t] for t)\n"
        "    ^\n"
        "  and line 2, column 1:\n"
        "    d = sum(x[t] for t)\n"
        "    ^\n"
        "  Give one of the two another name.",
    ),
    (
        "h_t = x[t]",
        "EquationError: line 1, column 1: 'h_t' has no index\n"
        "    h_t = x[t]\n"
        "    ^^^\n"
        "  A signal is defined at every step: h[t] = ...",
    ),
    (
        "h = tanh(x[t])",
        "EquationError: line 1, column 1: 'h' has no index\n"
        "    h = tanh(x[t])\n"
        "    ^\n"
        "  A signal is defined at every step: h[t] = ...",
    ),
    (
        "h[t-1] = x[t]",
        "EquationError: line 1, column 1: a line cannot define 'h[t-1]'\n"
        "    h[t-1] = x[t]\n"
        "    ^^^^^^\n"
        "  It defines h[t], or for a tree h[n], h[n,k] or h[leaf].",
    ),
    (
        "h[i] = x[t]",
        "EquationError: line 1, column 1: a line cannot define 'h[i]'\n"
        "    h[i] = x[t]\n"
        "    ^^^^\n"
        "  It defines h[t], or for a tree h[n], h[n,k] or h[leaf].",
    ),
    (
        "a = 1/3\nh[t] = a * x[t]",
        "EquationError: line 1, column 5: the constant 'a' must be a number, but is '1/3'\n"
        "    a = 1/3\n"
        "        ^^^\n"
        "  Write the number itself, for example 0.5.",
    ),
    (
        "h[t] = x[t]\nh = x[t]",
        "EquationError: line 2, column 1: 'h' is defined by a line and has no index here\n"
        "    h = x[t]\n"
        "    ^",
    ),
    (
        "h[t] = x[t]\ng[n] = x[n]",
        "EquationError: line 2, column 1: 'g[n]' and 'h[t]' mix steps [t] and nodes [n]\n"
        "    g[n] = x[n]\n"
        "    ^^^^\n"
        "  and line 1, column 1:\n"
        "    h[t] = x[t]\n"
        "    ^^^^\n"
        "  A cell runs over a chain ([t], [t-1]) or over a tree ([n], [k]), not over both.",
    ),
    (
        "given x, x\nh[t] = x[t]",
        "EquationError: line 1, column 10: 'x' is declared twice\n"
        "    given x, x\n"
        "             ^\n"
        "  and line 1, column 7:\n"
        "    given x, x\n"
        "          ^",
    ),
    (
        "given h\nh[t] = x[t]",
        "EquationError: line 1, column 7: 'h' is declared 'given', but a line defines it\n"
        "    given h\n"
        "          ^\n"
        "  and line 2, column 1:\n"
        "    h[t] = x[t]\n"
        "    ^^^^",
    ),
    (
        "output g\nh[t] = x[t]",
        "EquationError: line 1, column 8: the output 'g' is defined by no line\n"
        "    output g\n"
        "           ^",
    ),
    (
        "output h, h\nh[t] = x[t]",
        "EquationError: line 1, column 11: a cell has one output\n"
        "    output h, h\n"
        "              ^\n"
        "  and line 1, column 8:\n"
        "    output h, h\n"
        "           ^",
    ),
    (
        "f[n,k] = sigmoid(W @ h[k])",
        "EquationError: line 1, column 1: 'f[n,k]' is a vector for each edge; no line "
        "defines a node's\n"
        "    f[n,k] = sigmoid(W @ h[k])\n"
        "    ^^^^^^\n"
        "  Write a line h[n] = ...",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message
