"""What does not follow the grammar is explained in words."""

from __future__ import annotations

import pytest

from tests.equation.refusal import refusal

REFUSED = [
    (
        "h[t] = x[t]^2",
        "EquationError: line 1, column 12: unexpected character '^'\n"
        "    h[t] = x[t]^2\n"
        "               ^\n"
        "  A power is written '**'.",
    ),
    (
        "h[t] = h_{t-1}",
        "EquationError: line 1, column 10: unexpected character '{'\n"
        "    h[t] = h_{t-1}\n"
        "             ^\n"
        "  An index is written in square brackets: h[t-1].",
    ),
    (
        "h[t] = |x[t]|",
        "EquationError: line 1, column 8: unexpected character '|'\n"
        "    h[t] = |x[t]|\n"
        "           ^\n"
        "  The absolute value is written abs(...).",
    ),
    (
        "h[t] = $x$",
        "EquationError: line 1, column 8: unexpected character '$'\n    h[t] = $x$\n           ^",
    ),
    (
        "h[t] = x[t] % comment",
        "EquationError: line 1, column 13: unexpected character '%'\n"
        "    h[t] = x[t] % comment\n"
        "                ^\n"
        "  A comment starts with '#'.",
    ),
    (
        "h[t] = x[t] ! comment",
        "EquationError: line 1, column 13: unexpected character '!'\n"
        "    h[t] = x[t] ! comment\n"
        "                ^\n"
        "  A comment starts with '#'.",
    ),
    (
        "h[t] = \\sigma(x[t])",
        "EquationError: line 1, column 8: unexpected character '\\'\n"
        "    h[t] = \\sigma(x[t])\n"
        "           ^\n"
        "  Write names without a backslash: sigmoid, tanh.",
    ),
    (
        "h[t] = x.t",
        "EquationError: line 1, column 9: unexpected character '.'\n"
        "    h[t] = x.t\n"
        "            ^\n"
        "  A transposed matrix is written W.T.",
    ),
    (
        "h[t] = __import__('os')",
        "EquationError: line 1, column 19: unexpected character '''\n"
        "    h[t] = __import__('os')\n"
        "                      ^\n"
        "  A name holds letters, digits and '_'.",
    ),
    (
        "h[t] = x[t],",
        "EquationError: line 1, column 12: unexpected ',' after ']'\n"
        "    h[t] = x[t],\n"
        "               ^\n"
        "  Commas separate arguments and the pieces of [a, b].",
    ),
    (
        "h[t] = [x[t], h[t-1],]",
        "EquationError: line 1, column 22: unexpected ']' after ','\n"
        "    h[t] = [x[t], h[t-1],]\n"
        "                         ^\n"
        "  Commas separate arguments and the pieces of [a, b].",
    ),
    (
        "h[t] = tanh(x[t],)",
        "EquationError: line 1, column 18: unexpected ')' after ','\n"
        "    h[t] = tanh(x[t],)\n"
        "                     ^\n"
        "  Commas separate arguments and the pieces of [a, b].",
    ),
    (
        "h[t] =",
        "EquationError: line 1, column 6: the line ends where a value must follow '='\n"
        "    h[t] =\n"
        "         ^",
    ),
    (
        "h[t] = x[t] +",
        "EquationError: line 1, column 13: the line ends where a value must follow '+'\n"
        "    h[t] = x[t] +\n"
        "                ^",
    ),
    (
        "h[t] = x[t] **",
        "EquationError: line 1, column 13: the line ends where a value must follow '**'\n"
        "    h[t] = x[t] **\n"
        "                ^^",
    ),
    (
        "h[t] = 2 * W_x @",
        "EquationError: line 1, column 16: the line ends where a value must follow '@'\n"
        "    h[t] = 2 * W_x @\n"
        "                   ^",
    ),
    (
        "= x[t]",
        "EquationError: line 1, column 1: nothing stands on the left of '='\n"
        "    = x[t]\n"
        "    ^\n"
        "  A line reads name[t] = expression.",
    ),
    (
        "tanh(h[t]) = x[t]",
        "EquationError: line 1, column 5: unexpected '(' on the left of '='\n"
        "    tanh(h[t]) = x[t]\n"
        "        ^\n"
        "  A line reads name[t] = expression.",
    ),
    (
        "h[t] + 1 = x[t]",
        "EquationError: line 1, column 6: unexpected '+' on the left of '='\n"
        "    h[t] + 1 = x[t]\n"
        "         ^\n"
        "  A line reads name[t] = expression.",
    ),
    (
        "1 = h[t]",
        "EquationError: line 1, column 1: unexpected '1' on the left of '='\n"
        "    1 = h[t]\n"
        "    ^\n"
        "  A line reads name[t] = expression.",
    ),
    (
        "h[t] = x[t] ** ** 2",
        "EquationError: line 1, column 16: unexpected '**' after '**'\n"
        "    h[t] = x[t] ** ** 2\n"
        "                   ^^",
    ),
    (
        "h[t] = x[t] * / 2",
        "EquationError: line 1, column 15: unexpected '/' after '*'\n"
        "    h[t] = x[t] * / 2\n"
        "                  ^",
    ),
    (
        "h[t] = * x[t]",
        "EquationError: line 1, column 8: a value must follow '=', but '*' is found\n"
        "    h[t] = * x[t]\n"
        "           ^",
    ),
    (
        "h[t] = W @ @ x[t]",
        "EquationError: line 1, column 12: unexpected '@' after '@'\n"
        "    h[t] = W @ @ x[t]\n"
        "               ^",
    ),
    (
        "h[t] = ()",
        "EquationError: line 1, column 9: unexpected ')' after '('\n    h[t] = ()\n            ^",
    ),
    (
        "h[t] = tanh()",
        "EquationError: line 1, column 13: unexpected ')' after '('\n"
        "    h[t] = tanh()\n"
        "                ^",
    ),
    (
        "h[t]\t=\tx[t] +* 2\r\ng[t] = h[t]\r\n",
        "EquationError: line 1, column 14: unexpected '*' after '+'\n"
        "    h[t]\t=\tx[t] +* 2\n"
        "        \t \t      ^",
    ),
    (
        "given x x\nh[t] = x[t]",
        "EquationError: line 1, column 9: unexpected 'x' after 'x'\n    given x x\n            ^",
    ),
    (
        "c̃[t] = x[t] ^ 2",
        "EquationError: line 1, column 14: unexpected character '^'\n"
        "    c̃[t] = x[t] ^ 2\n"
        "                ^\n"
        "  A power is written '**'.",
    ),
    (
        "h[t] = x[t];",
        "EquationError: line 1, column 12: unexpected character ';'\n"
        "    h[t] = x[t];\n"
        "               ^\n"
        "  One equation a line.",
    ),
    (
        "h[t] = +x[t]",
        "EquationError: line 1, column 8: a value must follow '=', but '+' is found\n"
        "    h[t] = +x[t]\n"
        "           ^",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message
