"""Calls: functions, and products that look like calls."""

from __future__ import annotations

import pytest

from tests.equation.refusal import refusal

REFUSED = [
    (
        "h[t] = sigmod(x[t])",
        "EquationError: line 1, column 8: unknown function 'sigmod'\n"
        "    h[t] = sigmod(x[t])\n"
        "           ^^^^^^\n"
        "  Did you mean 'sigmoid'?",
    ),
    (
        "h[t] = foo(x[t])",
        "EquationError: line 1, column 8: unknown function 'foo'\n"
        "    h[t] = foo(x[t])\n"
        "           ^^^\n"
        "  Functions are abs, sign, step, exp, log, sqrt, sin, cos, erf, tanh, sigmoid, "
        "relu, softplus, silu, gelu, hard_sigmoid, hard_tanh, greater, sum, mean, dot, "
        "inverse_std, softmax, norm, is_largest, outer, bilinear, broadcast, first, max, "
        "min, permute, part.",
    ),
    (
        "h[t] = Tanh(x[t])",
        "EquationError: line 1, column 8: unknown function 'Tanh'\n"
        "    h[t] = Tanh(x[t])\n"
        "           ^^^^\n"
        "  Did you mean 'tanh'?",
    ),
    (
        "h[t] = ReLU(x[t])",
        "EquationError: line 1, column 8: unknown function 'ReLU'\n"
        "    h[t] = ReLU(x[t])\n"
        "           ^^^^\n"
        "  Did you mean 'relu'?",
    ),
    (
        "h[t] = h(t-1) + x[t]",
        "EquationError: line 1, column 8: 'h' is no function\n"
        "    h[t] = h(t-1) + x[t]\n"
        "           ^^^^^^\n"
        "  An index is written in square brackets: h[t-1].",
    ),
    (
        "h[t] = tanh(x[t], x[t])",
        "EquationError: line 1, column 8: 'tanh' takes 1 argument, but 2 are given\n"
        "    h[t] = tanh(x[t], x[t])\n"
        "           ^^^^^^^^^^^^^^^^",
    ),
    (
        "h[t] = dot(x[t])",
        "EquationError: line 1, column 8: 'dot' takes 2 arguments, but 1 is given\n"
        "    h[t] = dot(x[t])\n"
        "           ^^^^^^^^^",
    ),
    (
        "h[t] = max(x[t], x[t], x[t])",
        "EquationError: line 1, column 8: 'max' takes 1 or 2 arguments, but 3 are given\n"
        "    h[t] = max(x[t], x[t], x[t])\n"
        "           ^^^^^^^^^^^^^^^^^^^^^",
    ),
    (
        "h[t] = outer(x[t])",
        "EquationError: line 1, column 8: 'outer' takes 2 to 3 arguments, but 1 is given\n"
        "    h[t] = outer(x[t])\n"
        "           ^^^^^^^^^^^",
    ),
    (
        "h[t] = part(x[t])",
        "EquationError: line 1, column 8: 'part' takes at least 3 arguments, but 1 is given\n"
        "    h[t] = part(x[t])\n"
        "           ^^^^^^^^^^",
    ),
    (
        "h[t] = permute(V)",
        "EquationError: line 1, column 8: 'permute' takes 4 arguments, but 1 is given\n"
        "    h[t] = permute(V)\n"
        "           ^^^^^^^^^^",
    ),
    (
        "h[t] = W(x[t], h[t-1])",
        "EquationError: line 1, column 8: unknown function 'W'\n"
        "    h[t] = W(x[t], h[t-1])\n"
        "           ^\n"
        "  A product with the vectors joined is written W @ [a, b].",
    ),
    (
        "h[t] = w (x[t])",
        "EquationError: line 1, column 8: unknown function 'w'\n"
        "    h[t] = w (x[t])\n"
        "           ^\n"
        "  A product needs its sign: w @ (...) or w * (...).",
    ),
    (
        "x[t] = u[t]\nh[t] = x (x[t])",
        "EquationError: line 2, column 8: 'x' is no function\n"
        "    h[t] = x (x[t])\n"
        "           ^\n"
        "  A product is written with its sign: x[t] * (...).",
    ),
    (
        "a = 2\nh[t] = a (x[t])",
        "EquationError: line 2, column 8: 'a' is no function\n"
        "    h[t] = a (x[t])\n"
        "           ^\n"
        "  A product is written with its sign: a * (...).",
    ),
    (
        "h[t] = bilinear(permute(V, 0, 1, 1), x[t], x[t])",
        "EquationError: line 1, column 17: 'permute' takes the axes 0, 1 and 2, each once\n"
        "    h[t] = bilinear(permute(V, 0, 1, 1), x[t], x[t])\n"
        "                    ^^^^^^^^^^^^^^^^^^^",
    ),
    (
        "h[t] = bilinear(permute(V, a, 1, 2), x[t], x[t])",
        "EquationError: line 1, column 28: a whole number is expected, but 'a' is found\n"
        "    h[t] = bilinear(permute(V, a, 1, 2), x[t], x[t])\n"
        "                               ^",
    ),
    (
        "h[t] = part(x[t], 2, a, b)",
        "EquationError: line 1, column 19: 'part' has no piece 2: 2 pieces are given, "
        "counted from 0\n"
        "    h[t] = part(x[t], 2, a, b)\n"
        "                      ^",
    ),
    (
        "h[t] = part(x[t], 0.5, a, b)",
        "EquationError: line 1, column 19: a whole number is expected, but '0.5' is found\n"
        "    h[t] = part(x[t], 0.5, a, b)\n"
        "                      ^^^",
    ),
    (
        "h[t] = part(x[t], 0, tanh(a), b)",
        "EquationError: line 1, column 22: the size of a piece is given by names, but "
        "'tanh(a)' is found\n"
        "    h[t] = part(x[t], 0, tanh(a), b)\n"
        "                         ^^^^^^^\n"
        "  Write a name, or [a, b] for the sum of two sizes.",
    ),
    (
        "h[t] = x[t] * 2 (3)",
        "EquationError: line 1, column 15: an operator is missing between '2' and '(3)'\n"
        "    h[t] = x[t] * 2 (3)\n"
        "                  ^^^^^\n"
        "  Write 2 * (3).",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message
