"""Scalars, vectors and matrices in their places."""

from __future__ import annotations

import pytest

from tests.equation.refusal import refusal

REFUSED = [
    (
        "h[t] = W * h[t-1] + W @ x[t]",
        "ShapeError: line 1, column 8: '*' between a matrix and a vector\n"
        "    h[t] = W * h[t-1] + W @ x[t]\n"
        "           ^^^^^^^^^^\n"
        "  and line 1, column 21:\n"
        "    h[t] = W * h[t-1] + W @ x[t]\n"
        "                        ^^^^^^^^\n"
        "  '*' is element by element; the product with a matrix is W @ h[t-1].",
    ),
    (
        "h[t] = tanh(W @ x[t])\ng[t] = W * h[t]",
        "ShapeError: line 2, column 8: '*' between a matrix and a vector\n"
        "    g[t] = W * h[t]\n"
        "           ^^^^^^^^\n"
        "  and line 1, column 13:\n"
        "    h[t] = tanh(W @ x[t])\n"
        "                ^^^^^^^^\n"
        "  '*' is element by element; the product with a matrix is W @ h[t].",
    ),
    (
        "h[t] = h[t-1] @ W",
        "ShapeError: line 1, column 8: the left of '@' must be a matrix, but 'h[t-1]' is "
        "a vector\n"
        "    h[t] = h[t-1] @ W\n"
        "           ^^^^^^\n"
        "  The matrix stands on the left: W @ h[t-1].",
    ),
    (
        "h[t] = x[t] @ h[t-1]",
        "ShapeError: line 1, column 8: the left of '@' must be a matrix, but 'x[t]' is a "
        "vector\n"
        "    h[t] = x[t] @ h[t-1]\n"
        "           ^^^^\n"
        "  Write dot(x[t], h[t-1]), or x[t] * h[t-1] element by element.",
    ),
    (
        "h[t] = 2 @ x[t]",
        "ShapeError: line 1, column 8: the left of '@' must be a matrix, but '2' is a scalar\n"
        "    h[t] = 2 @ x[t]\n"
        "           ^\n"
        "  Write 2 * x[t] for the product element by element.",
    ),
    (
        "h[t] = b @ 2",
        "ShapeError: line 1, column 12: a matrix cannot be multiplied with a scalar, '2'\n"
        "    h[t] = b @ 2\n"
        "               ^\n"
        "  Write b * 2.",
    ),
    (
        "h[t] = tanh(W) @ x[t] + W",
        "ShapeError: line 1, column 8: '+' between a vector and a matrix\n"
        "    h[t] = tanh(W) @ x[t] + W\n"
        "           ^^^^^^^^^^^^^^^^^^\n"
        "  'W' is a matrix, 'tanh(W) @ x[t]' is a vector.",
    ),
    (
        "h[t] = W + W @ x[t]",
        "ShapeError: line 1, column 8: '+' between a matrix and a vector\n"
        "    h[t] = W + W @ x[t]\n"
        "           ^^^^^^^^^^^^\n"
        "  'W' is a matrix, 'W @ x[t]' is a vector.",
    ),
    (
        "h[t] = W\ng[t] = W @ x[t]",
        "ShapeError: line 1, column 8: 'h' is a vector, but its value is a matrix\n"
        "    h[t] = W\n"
        "           ^\n"
        "  and line 2, column 8:\n"
        "    g[t] = W @ x[t]\n"
        "           ^^^^^^^^",
    ),
    (
        "h[t] = sum(W) * x[t] + W @ x[t]",
        "ShapeError: line 1, column 12: 'sum' takes a vector, but 'W' is a matrix\n"
        "    h[t] = sum(W) * x[t] + W @ x[t]\n"
        "               ^\n"
        "  and line 1, column 24:\n"
        "    h[t] = sum(W) * x[t] + W @ x[t]\n"
        "                           ^^^^^^^^",
    ),
    (
        "h[t] = softmax(2)",
        "ShapeError: line 1, column 16: 'softmax' takes a vector, but '2' is a scalar\n"
        "    h[t] = softmax(2)\n"
        "                   ^",
    ),
    (
        "h[t] = [x[t], 1]",
        "ShapeError: line 1, column 15: '[...]' joins vectors, but '1' is a scalar\n"
        "    h[t] = [x[t], 1]\n"
        "                  ^",
    ),
    (
        "h[t] = [x[t], dot(x[t], x[t])]",
        "ShapeError: line 1, column 15: '[...]' joins vectors, but 'dot(x[t], x[t])' is "
        "a scalar\n"
        "    h[t] = [x[t], dot(x[t], x[t])]\n"
        "                  ^^^^^^^^^^^^^^^",
    ),
    (
        "h[t] = [x[t], W] + W @ x[t]",
        "ShapeError: line 1, column 8: '[...]' joins a vector and a matrix\n"
        "    h[t] = [x[t], W] + W @ x[t]\n"
        "           ^^^^^^^^^\n"
        "  and line 1, column 20:\n"
        "    h[t] = [x[t], W] + W @ x[t]\n"
        "                       ^^^^^^^^\n"
        "  'W' is a matrix, 'x[t]' is a vector.",
    ),
    (
        "s[t] = dot(x[t], x[t])\nh[t] = W @ s[t]",
        "ShapeError: line 2, column 12: a matrix cannot be multiplied with a scalar, 's[t]'\n"
        "    h[t] = W @ s[t]\n"
        "               ^^^^\n"
        "  Write W * s[t].",
    ),
    (
        "s[t] = dot(x[t], x[t])\nh[t] = part(s[t], 0, a, b)",
        "ShapeError: line 2, column 13: 'part' cuts a vector, but 's[t]' is a scalar\n"
        "    h[t] = part(s[t], 0, a, b)\n"
        "                ^^^^",
    ),
    (
        "h[t] = (x[t]).T @ x[t]",
        "ShapeError: line 1, column 8: '.T' takes a matrix, but '(x[t])' is a vector\n"
        "    h[t] = (x[t]).T @ x[t]\n"
        "           ^^^^^^",
    ),
    (
        "h[t] = outer(x[t], x[t])",
        "ShapeError: line 1, column 8: 'h' is a vector, but its value is a matrix\n"
        "    h[t] = outer(x[t], x[t])\n"
        "           ^^^^^^^^^^^^^^^^^",
    ),
    (
        "h[t] = broadcast(x[t])",
        "ShapeError: line 1, column 18: 'broadcast' takes a scalar, but 'x[t]' is a vector\n"
        "    h[t] = broadcast(x[t])\n"
        "                     ^^^^",
    ),
    (
        "h[t] = bilinear(V, x[t], V)",
        "ShapeError: line 1, column 26: 'bilinear' takes a vector, but 'V' is a "
        "third-order array\n"
        "    h[t] = bilinear(V, x[t], V)\n"
        "                             ^",
    ),
    (
        "h[t] = V @ x[t] + bilinear(V, x[t], x[t])",
        "ShapeError: line 1, column 28: 'bilinear' takes a third-order array, but 'V' is "
        "a matrix\n"
        "    h[t] = V @ x[t] + bilinear(V, x[t], x[t])\n"
        "                               ^\n"
        "  and line 1, column 8:\n"
        "    h[t] = V @ x[t] + bilinear(V, x[t], x[t])\n"
        "           ^^^^^^^^",
    ),
    (
        "h[t] = dot(W, x[t]) * W @ x[t]",
        "ShapeError: line 1, column 12: 'dot' takes a vector, but 'W' is a matrix\n"
        "    h[t] = dot(W, x[t]) * W @ x[t]\n"
        "               ^\n"
        "  and line 1, column 23:\n"
        "    h[t] = dot(W, x[t]) * W @ x[t]\n"
        "                          ^^^^^^^^",
    ),
    (
        "h[t] = if x[t] else 1",
        "EquationError: line 1, column 11: an operator is missing between 'x[t]' and 'else'\n"
        "    h[t] = if x[t] else 1\n"
        "              ^^^^^^^^^\n"
        "  'x[t]' is a vector; only a matrix may stand next to a vector.",
    ),
    (
        "h[0] = W\nh[t] = W @ x[t] + h[t-1]",
        "ShapeError: line 1, column 8: 'h' is a vector, but its initial value 'W' is a "
        "matrix\n"
        "    h[0] = W\n"
        "           ^\n"
        "  and line 2, column 8:\n"
        "    h[t] = W @ x[t] + h[t-1]\n"
        "           ^^^^^^^^",
    ),
    (
        "scalar s\nh[0] = s\nh[t] = s * x[t] + h[t-1]",
        "ShapeError: line 2, column 8: 'h' is a vector, but its initial value 's' is a "
        "scalar\n"
        "    h[0] = s\n"
        "           ^",
    ),
    (
        "scalar h\nh[t] = x[t]",
        "ShapeError: line 1, column 8: 'h' is declared a scalar, but it is a vector\n"
        "    scalar h\n"
        "           ^\n"
        "  and line 2, column 1:\n"
        "    h[t] = x[t]\n"
        "    ^^^^^^^^^^^",
    ),
    (
        "scalar x\nh[t] = W @ x[t]",
        "ShapeError: line 2, column 12: a matrix cannot be multiplied with a scalar, 'x[t]'\n"
        "    h[t] = W @ x[t]\n"
        "               ^^^^\n"
        "  Write W * x[t].",
    ),
    (
        "h[t] = outer(x[t], x[t]) ** 2 - x[t]",
        "ShapeError: line 1, column 8: '-' between a matrix and a vector\n"
        "    h[t] = outer(x[t], x[t]) ** 2 - x[t]\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  'outer(x[t], x[t]) ** 2' is a matrix, 'x[t]' is a vector.",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message
