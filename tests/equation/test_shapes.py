"""Sizes that contradict each other; both places are shown."""

from __future__ import annotations

import pytest

from tests.equation.refusal import refusal

REFUSED = [
    (
        "h[t] = W @ [x[t], h[t-1]]\ng[t] = W @ h[t]",
        "ShapeError: line 2, column 8: contradicting dimensions h + x and h\n"
        "    g[t] = W @ h[t]\n"
        "           ^^^^^^^^\n"
        "  and line 1, column 8:\n"
        "    h[t] = W @ [x[t], h[t-1]]\n"
        "           ^^^^^^^^^^^^^^^^^^\n"
        "  The size of the vector that 'W' takes is h + x, that of 'h[t]' is h.",
    ),
    (
        "h[t] = x[t] + [x[t], x[t]]",
        "ShapeError: line 1, column 8: contradicting dimensions x and 2 x\n"
        "    h[t] = x[t] + [x[t], x[t]]\n"
        "           ^^^^^^^^^^^^^^^^^^^\n"
        "  The size of 'x[t]' is x, that of '[x[t], x[t]]' is 2 x.",
    ),
    (
        "h[t] = [h[t-1], x[t]]",
        "ShapeError: line 1, column 8: contradicting dimensions h and h + x\n"
        "    h[t] = [h[t-1], x[t]]\n"
        "           ^^^^^^^^^^^^^^\n"
        "  The size of 'h' is h, that of '[h[t-1], x[t]]' is h + x.",
    ),
    (
        "g[t] = [x[t], y[t]]\nh[t] = g[t] * x[t]",
        "ShapeError: line 2, column 8: contradicting dimensions x + y and x\n"
        "    h[t] = g[t] * x[t]\n"
        "           ^^^^^^^^^^^\n"
        "  and line 1, column 8:\n"
        "    g[t] = [x[t], y[t]]\n"
        "           ^^^^^^^^^^^^\n"
        "  The size of 'g[t]' is x + y, that of 'x[t]' is x.",
    ),
    (
        "e[t] = [x[t], y[t]]\nh[t] = part(e[t], 0, x, y, y)",
        "ShapeError: line 2, column 8: contradicting dimensions x + 2 y and x + y\n"
        "    h[t] = part(e[t], 0, x, y, y)\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^\n"
        "  and line 1, column 8:\n"
        "    e[t] = [x[t], y[t]]\n"
        "           ^^^^^^^^^^^^\n"
        "  The size of 'all pieces' together is x + 2 y, that of 'e[t]' is x + y.",
    ),
    (
        "h[t] = dot([x[t], y[t]], x[t]) * y[t]",
        "ShapeError: line 1, column 8: contradicting dimensions x + y and x\n"
        "    h[t] = dot([x[t], y[t]], x[t]) * y[t]\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  The size of '[x[t], y[t]]' is x + y, that of 'x[t]' is x.",
    ),
    (
        "h[t] = bilinear(V, x[t], y[t])\ng[t] = bilinear(V, [x[t], y[t]], y[t])",
        "ShapeError: line 2, column 8: contradicting dimensions x and x + y\n"
        "    g[t] = bilinear(V, [x[t], y[t]], y[t])\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  and line 1, column 8:\n"
        "    h[t] = bilinear(V, x[t], y[t])\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  The size of the vector that 'V' takes is x, that of '[x[t], y[t]]' is x + y.",
    ),
    (
        "h[t] = [x[t], broadcast(1)]",
        "ShapeError: line 1, column 15: nothing says how long 'broadcast(1)' is\n"
        "    h[t] = [x[t], broadcast(1)]\n"
        "                  ^^^^^^^^^^^^\n"
        "  Combine it with a vector.",
    ),
    (
        "h[t] = x[t] * sum(broadcast(2))",
        "ShapeError: line 1, column 19: nothing says how long 'broadcast(2)' is\n"
        "    h[t] = x[t] * sum(broadcast(2))\n"
        "                      ^^^^^^^^^^^^\n"
        "  Combine it with a vector.",
    ),
    (
        "same x, q\nh[t] = W @ x[t]",
        "EquationError: line 1, column 9: 'q' is no vector and no array\n"
        "    same x, q\n"
        "            ^",
    ),
    (
        "same x, W.T\nh[t] = W @ [x[t], y[t]]",
        "ShapeError: line 1, column 9: contradicting dimensions x and x + y\n"
        "    same x, W.T\n"
        "            ^^^\n"
        "  and line 2, column 8:\n"
        "    h[t] = W @ [x[t], y[t]]\n"
        "           ^^^^^^^^^^^^^^^^\n"
        "  The size of 'x' is x, that of 'the columns of W' is x + y.",
    ),
    (
        "same x, b.T\nh[t] = x[t] * b",
        "EquationError: line 1, column 9: 'b.T' is no vector and no array\n"
        "    same x, b.T\n"
        "            ^^^",
    ),
    (
        "h[t] = W @ [x[t], x[t]] + W @ [x[t], x[t], x[t]]",
        "ShapeError: line 1, column 27: contradicting dimensions 2 x and 3 x\n"
        "    h[t] = W @ [x[t], x[t]] + W @ [x[t], x[t], x[t]]\n"
        "                              ^^^^^^^^^^^^^^^^^^^^^^\n"
        "  and line 1, column 8:\n"
        "    h[t] = W @ [x[t], x[t]] + W @ [x[t], x[t], x[t]]\n"
        "           ^^^^^^^^^^^^^^^^\n"
        "  The size of the vector that 'W' takes is 2 x, that of '[x[t], x[t], x[t]]' is 3 x.",
    ),
    (
        "h[t] = [a, b] * [x[t], x[t]] + [x[t], x[t], a]",
        "ShapeError: line 1, column 8: contradicting dimensions a + 2 x and 2 x\n"
        "    h[t] = [a, b] * [x[t], x[t]] + [x[t], x[t], a]\n"
        "           ^^^^^^^^^^^^^^^^^^^^^\n"
        "  and line 1, column 8:\n"
        "    h[t] = [a, b] * [x[t], x[t]] + [x[t], x[t], a]\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  The size of '[a, b]' is a + 2 x, that of '[x[t], x[t]]' is 2 x.",
    ),
    (
        "h[t] = [W, W.T] @ x[t] + [W, M] @ [x[t], y[t]]",
        "ShapeError: line 1, column 26: contradicting dimensions x and x + y\n"
        "    h[t] = [W, W.T] @ x[t] + [W, M] @ [x[t], y[t]]\n"
        "                             ^^^^^^^^^^^^^^^^^^^^^\n"
        "  and line 1, column 8:\n"
        "    h[t] = [W, W.T] @ x[t] + [W, M] @ [x[t], y[t]]\n"
        "           ^^^^^^^^\n"
        "  The size of the vector that '[W, M]' takes is x, that of '[x[t], y[t]]' is x + y.",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message
