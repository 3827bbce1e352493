"""Names: signals, parameters, constants and functions."""

from __future__ import annotations

import pytest

from tests.equation.refusal import refusal

REFUSED = [
    (
        "h[t] = tanh x[t]",
        "EquationError: line 1, column 8: 'tanh' is a function and needs its argument in "
        "brackets\n"
        "    h[t] = tanh x[t]\n"
        "           ^^^^\n"
        "  Write tanh(x[t]).",
    ),
    (
        "h[t] = sigmoid * x[t]",
        "EquationError: line 1, column 8: 'sigmoid' is a function and needs its argument "
        "in brackets\n"
        "    h[t] = sigmoid * x[t]\n"
        "           ^^^^^^^\n"
        "  Write sigmoid(...).",
    ),
    (
        "h[t] = x[t] * x",
        "EquationError: line 1, column 15: 'x' is a signal and needs an index; a "
        "parameter cannot share its name\n"
        "    h[t] = x[t] * x\n"
        "                  ^\n"
        "  Write x[t] or x[t-1], or give the parameter another name.",
    ),
    (
        "h[t] = x[t] + h",
        "EquationError: line 1, column 15: 'h' is a signal and needs an index; a "
        "parameter cannot share its name\n"
        "    h[t] = x[t] + h\n"
        "                  ^\n"
        "  Write h[t] or h[t-1], or give the parameter another name.",
    ),
    (
        "h[n] = x[n] + h",
        "EquationError: line 1, column 15: 'h' is a signal and needs an index; a "
        "parameter cannot share its name\n"
        "    h[n] = x[n] + h\n"
        "                  ^\n"
        "  Write h[n] or h[k], or give the parameter another name.",
    ),
    (
        "h[t] = x_t + x[t]",
        "EquationError: line 1, column 8: 'x_t' is no signal\n"
        "    h[t] = x_t + x[t]\n"
        "           ^^^\n"
        "  A step is written x[t].",
    ),
    (
        "h[t] = t * x[t]",
        "EquationError: line 1, column 8: 't' is the step and has no value\n"
        "    h[t] = t * x[t]\n"
        "           ^",
    ),
    (
        "h[t] = 2 x[t]",
        "EquationError: line 1, column 8: an operator is missing between '2' and 'x[t]'\n"
        "    h[t] = 2 x[t]\n"
        "           ^^^^^^\n"
        "  Write 2 * x[t].",
    ),
    (
        "a = 2\nh[t] = a x[t]",
        "EquationError: line 2, column 8: an operator is missing between 'a' and 'x[t]'\n"
        "    h[t] = a x[t]\n"
        "           ^^^^^^\n"
        "  Write a * x[t].",
    ),
    (
        "h[t] = x[t] y[t]",
        "EquationError: line 1, column 8: an operator is missing between 'x[t]' and 'y[t]'\n"
        "    h[t] = x[t] y[t]\n"
        "           ^^^^^^^^^\n"
        "  Write x[t] * y[t] for the product element by element.",
    ),
    (
        "h[t] = x[t] (y[t] + 1)",
        "EquationError: line 1, column 8: an operator is missing between 'x[t]' and "
        "'(y[t] + 1)'\n"
        "    h[t] = x[t] (y[t] + 1)\n"
        "           ^^^^^^^^^^^^^^^\n"
        "  Write x[t] * (y[t] + 1) for the product element by element.",
    ),
    (
        "h[t] = (x[t]) (y[t])",
        "EquationError: line 1, column 8: an operator is missing between '(x[t])' and "
        "'(y[t])'\n"
        "    h[t] = (x[t]) (y[t])\n"
        "           ^^^^^^^^^^^^^\n"
        "  Write (x[t]) * (y[t]) for the product element by element.",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message
