"""What must hold of the lines together."""

from __future__ import annotations

import pytest

from tests.equation.refusal import refusal

REFUSED = [
    (
        "f[t] = σ(W_f @ x[t] + U_f @ hprev[t-1] + b_f)\nh[t] = f[t] * x[t]",
        "EquationError: line 1, column 29: unknown state 'hprev'\n"
        "    f[t] = σ(W_f @ x[t] + U_f @ hprev[t-1] + b_f)\n"
        "                                ^^^^^\n"
        "  'hprev' is read at [t-1] but no line defines hprev[t]. Did you mean 'h'?",
    ),
    (
        "f[t] = σ(W_f xₜ + U_f hprevₜ₋₁)\nh[t] = f[t] * x[t]",
        "EquationError: line 1, column 23: unknown state 'hprev'\n"
        "    f[t] = σ(W_f xₜ + U_f hprevₜ₋₁)\n"
        "                          ^^^^^\n"
        "  'hprev' is read at [t-1] but no line defines hprev[t]. Did you mean 'h'?",
    ),
    (
        "state[t] = x[t] + sate[t-1]",
        "EquationError: line 1, column 19: unknown state 'sate'\n"
        "    state[t] = x[t] + sate[t-1]\n"
        "                      ^^^^\n"
        "  'sate' is read at [t-1] but no line defines sate[t]. Did you mean 'state'?",
    ),
    (
        "h[t] = x[t-1]",
        "EquationError: line 1, column 8: unknown state 'x'\n"
        "    h[t] = x[t-1]\n"
        "           ^\n"
        "  'x' is read at [t-1] but no line defines x[t].",
    ),
    (
        "h[t] = x[t] + x[t-1]",
        "EquationError: line 1, column 15: unknown state 'x'\n"
        "    h[t] = x[t] + x[t-1]\n"
        "                  ^\n"
        "  'x' is read at [t-1] but no line defines x[t]. An input has no past; keep it "
        "in a state: p[t] = x[t], then read p[t-1].",
    ),
    (
        "h[n] = x[n] + g[left]",
        "EquationError: line 1, column 15: unknown state 'g'\n"
        "    h[n] = x[n] + g[left]\n"
        "                  ^\n"
        "  'g' is read at [left] but no line defines g[n].",
    ),
    (
        "h[n] = sum(g[k] for k in n)",
        "EquationError: line 1, column 12: unknown state 'g'\n"
        "    h[n] = sum(g[k] for k in n)\n"
        "               ^\n"
        "  'g' is read at [k] but no line defines g[n].",
    ),
    (
        "a[t] = b[t]\nb[t] = x[t]",
        "EquationError: line 1, column 8: 'b[t]' is read before its definition\n"
        "    a[t] = b[t]\n"
        "           ^^^^\n"
        "  and line 2, column 1:\n"
        "    b[t] = x[t]\n"
        "    ^^^^\n"
        "  Move the line of b[t] up, or read b[t-1].",
    ),
    (
        "a[t] = b[t]\nb[t] = c[t]\nc[t] = a[t]",
        "EquationError: line 1, column 8: a cycle within a step: a -> b -> c -> a\n"
        "    a[t] = b[t]\n"
        "           ^^^^\n"
        "  and line 2, column 1:\n"
        "    b[t] = c[t]\n"
        "    ^^^^\n"
        "  One of them must be read at the step before, for example b[t-1].",
    ),
    (
        "h[t] = W @ h[t]",
        "EquationError: line 1, column 12: a cycle within a step: h -> h\n"
        "    h[t] = W @ h[t]\n"
        "               ^^^^\n"
        "  One of them must be read at the step before, for example h[t-1].",
    ),
    (
        "h[n] = tanh(h[n])",
        "EquationError: line 1, column 13: a cycle within a step: h -> h\n"
        "    h[n] = tanh(h[n])\n"
        "                ^^^^\n"
        "  One of them must be read at the step before, for example h[k].",
    ),
    (
        "h[t] = h[t-2] + x[t]",
        "EquationError: line 1, column 8: unknown index '[t-2]' of 'h'\n"
        "    h[t] = h[t-2] + x[t]\n"
        "           ^^^^^^\n"
        "  Known are [t] and [t-1]. To look further back, carry a state: a line p[t] = "
        "h[t-1], then p[t-1].",
    ),
    (
        "h[t] = h[t+2] + x[t]",
        "EquationError: line 1, column 8: unknown index '[t+2]' of 'h'\n"
        "    h[t] = h[t+2] + x[t]\n"
        "           ^^^^^^\n"
        "  Known are [t] and [t-1].",
    ),
    (
        "h[t] = h[i]",
        "EquationError: line 1, column 8: unknown index '[i]' of 'h'\n"
        "    h[t] = h[i]\n"
        "           ^^^^\n"
        "  Known are [t] and [t-1].",
    ),
    (
        "h[t] = h[n]",
        "EquationError: line 1, column 8: 'h[n]' mixes steps [t] and nodes [n]\n"
        "    h[t] = h[n]\n"
        "           ^^^^\n"
        "  A cell runs over a chain ([t], [t-1]) or over a tree ([n], [k]), not over both.",
    ),
    (
        "h[n] = h[t]",
        "EquationError: line 1, column 8: 'h[t]' mixes steps [t] and nodes [n]\n"
        "    h[n] = h[t]\n"
        "           ^^^^\n"
        "  A cell runs over a chain ([t], [t-1]) or over a tree ([n], [k]), not over both.",
    ),
    (
        "h[n] = h[k+1]",
        "EquationError: line 1, column 8: unknown index '[k+1]' of 'h'\n"
        "    h[n] = h[k+1]\n"
        "           ^^^^^^\n"
        "  Known are [n], [k], [n,k], [left], [right], [up], [parent].",
    ),
    (
        "h[t] = W[r] @ x[t]",
        "EquationError: line 1, column 8: unknown index '[r]' of 'W'\n"
        "    h[t] = W[r] @ x[t]\n"
        "           ^^^^\n"
        "  Known are [t] and [t-1].",
    ),
    (
        "h[n] = W[r] @ x[n] + sum(h[k] for k in n)",
        "EquationError: line 1, column 8: 'W[r]' has no label here: a label belongs to an edge\n"
        "    h[n] = W[r] @ x[n] + sum(h[k] for k in n)\n"
        "           ^^^^\n"
        "  Write it in a sum over the children, sum(... for k in n), or a line f[n,k].",
    ),
    (
        "h[n] = h[k] + x[n]",
        "EquationError: line 1, column 8: 'h[k]' stands outside of a sum over the children\n"
        "    h[n] = h[k] + x[n]\n"
        "           ^^^^\n"
        "  Write sum(h[k] for k in n).",
    ),
    (
        "h[n] = sum(f[n,k] for k in n)",
        "EquationError: line 1, column 12: no line defines 'f[n,k]'\n"
        "    h[n] = sum(f[n,k] for k in n)\n"
        "               ^^^^^^",
    ),
    (
        "f[n,k] = W @ h[k]\nh[n] = f[n]",
        "EquationError: line 2, column 8: 'f' belongs to an edge\n"
        "    h[n] = f[n]\n"
        "           ^^^^\n"
        "  Write sum(f[n,k] for k in n).",
    ),
    (
        "f[n,k] = W @ h[k]\nh[n] = sum(f[n,k] for k in n) + f[n,k]",
        "EquationError: line 2, column 33: 'f[n,k]' stands outside of a sum over the "
        "children\n"
        "    h[n] = sum(f[n,k] for k in n) + f[n,k]\n"
        "                                    ^^^^^^\n"
        "  Write sum(f[n,k] for k in n).",
    ),
    (
        "h[n] = sum(sum(h[k] for k in n) for k in n)",
        "EquationError: line 1, column 12: 'for k in n' stands in a line that defines "
        "name[n], and not within another\n"
        "    h[n] = sum(sum(h[k] for k in n) for k in n)\n"
        "               ^^^^^^^^^^^^^^^^^^^^",
    ),
    (
        "h[n] = x[leaf] + h[left]",
        "EquationError: line 1, column 8: 'x[leaf]' is read outside of a leaf's equation\n"
        "    h[n] = x[leaf] + h[left]\n"
        "           ^^^^^^^",
    ),
    (
        "h[n] = tanh(U @ x[n] + sum(W @ h[k] for k in n))\nh[leaf] = h[left]",
        "EquationError: line 2, column 11: 'h[left]' is read in a leaf's equation, but a "
        "leaf has no child\n"
        "    h[leaf] = h[left]\n"
        "              ^^^^^^^",
    ),
    (
        "h[t] = sum(x[t] for t)",
        "EquationError: line 1, column 8: 'sum(x[t] for t)' is over all steps, but "
        "'h[t]' is one step\n"
        "    h[t] = sum(x[t] for t)\n"
        "           ^^^^^^^^^^^^^^^\n"
        "  A sum over all steps stands in a line without an index: d_W = sum(... for t).",
    ),
    (
        "h[t] = x[t]\nd = sum(sum(x[t] for t) for t)",
        "EquationError: line 2, column 9: 'sum(x[t] for t)' stands within another sum "
        "over the steps\n"
        "    d = sum(sum(x[t] for t) for t)\n"
        "            ^^^^^^^^^^^^^^^",
    ),
    (
        "h[t] = x[t]\nd = sum(x[t] for t) + x[t]",
        "EquationError: line 2, column 23: 'x[t]' has no step in a line without an index\n"
        "    d = sum(x[t] for t) + x[t]\n"
        "                          ^^^^\n"
        "  Write sum(... for t), or x[1] for the first step.",
    ),
    (
        "h[t] = h[t-1] + h[t+1]",
        "EquationError: line 1, column 17: 'h[t-1]' and 'h[t+1]' run in both directions "
        "of time\n"
        "    h[t] = h[t-1] + h[t+1]\n"
        "                    ^^^^^^\n"
        "  and line 1, column 8:\n"
        "    h[t] = h[t-1] + h[t+1]\n"
        "           ^^^^^^\n"
        "  A cell reads [t-1]. Only derived equations read [t+1], and then never [t-1].",
    ),
    (
        "h[t] = x[t]\nd = sum(h[t] for t)\ng[t] = d * h[t]",
        "EquationError: line 3, column 8: 'd' is a total over all steps and cannot be "
        "read in one of them\n"
        "    g[t] = d * h[t]\n"
        "           ^\n"
        "  and line 2, column 1:\n"
        "    d = sum(h[t] for t)\n"
        "    ^",
    ),
    (
        "a = b\nh[t] = a * x[t]",
        "EquationError: line 2, column 8: 'a' is a total over all steps and cannot be "
        "read in one of them\n"
        "    h[t] = a * x[t]\n"
        "           ^\n"
        "  and line 1, column 1:\n"
        "    a = b\n"
        "    ^\n"
        "  A signal has an index where it is defined, too: a[t] = ...",
    ),
    (
        "h[t] = x[t+1]",
        "EquationError: line 1, column 8: unknown state 'x'\n"
        "    h[t] = x[t+1]\n"
        "           ^\n"
        "  'x' is read at [t+1] but no line defines x[t]. A step reads itself and the one before; "
        "give a layer x shifted to look ahead.",
    ),
    (
        "h[0] = h_0\nh[t] = x[t]",
        "EquationError: line 1, column 1: 'h' is no state, so it has no initial value: "
        "no line reads it at [t-1]\n"
        "    h[0] = h_0\n"
        "    ^^^^",
    ),
    (
        "g[0] = h_0\nh[t] = x[t] + h[t-1]",
        "EquationError: line 1, column 1: 'g' is no state, so it has no initial value: "
        "no line defines it\n"
        "    g[0] = h_0\n"
        "    ^^^^",
    ),
    (
        "hh[0] = h_0\nh[t] = x[t] + h[t-1]",
        "EquationError: line 1, column 1: 'hh' is no state, so it has no initial value: "
        "no line defines it\n"
        "    hh[0] = h_0\n"
        "    ^^^^^\n"
        "  Did you mean 'h'?",
    ),
    (
        "h[t] = tanh(U @ x[t] + W @ h[t-1])\nh[0] = 1",
        "EquationError: line 2, column 8: an initial state is a parameter, but '1' is found\n"
        "    h[0] = 1\n"
        "           ^\n"
        "  Write h[0] = h_0. Without such a line it starts from zeros.",
    ),
    (
        "h[t] = tanh(U @ x[t] + W @ h[t-1])\nh[0] = tanh(b)",
        "EquationError: line 2, column 8: an initial state is a parameter, but 'tanh(b)' "
        "is found\n"
        "    h[0] = tanh(b)\n"
        "           ^^^^^^^\n"
        "  Write h[0] = h_0. Without such a line it starts from zeros.",
    ),
    (
        "a = 1\nh[t] = a[t] + a",
        "EquationError: line 1, column 1: 'a' is a constant and a signal\n"
        "    a = 1\n"
        "    ^\n"
        "  and line 2, column 8:\n"
        "    h[t] = a[t] + a\n"
        "           ^^^^",
    ),
    (
        "a[t] = 3\na = 3\n",
        "EquationError: line 2, column 1: 'a' is a constant and a signal\n"
        "    a = 3\n"
        "    ^\n"
        "  and line 1, column 1:\n"
        "    a[t] = 3\n"
        "    ^^^^",
    ),
    (
        "h[t] = x[t] + h[t-1]\nh[0] = x",
        "EquationError: line 2, column 8: 'x' is a signal and needs an index; a "
        "parameter cannot share its name\n"
        "    h[0] = x\n"
        "           ^\n"
        "  Write x[t] or x[t-1], or give the parameter another name.",
    ),
    (
        "h[n] = W @ x[n] + sum(W[r] @ h[k] for k in n)",
        "EquationError: line 1, column 23: 'W' is used with a label and without one\n"
        "    h[n] = W @ x[n] + sum(W[r] @ h[k] for k in n)\n"
        "                          ^^^^\n"
        "  and line 1, column 8:\n"
        "    h[n] = W @ x[n] + sum(W[r] @ h[k] for k in n)\n"
        "           ^",
    ),
    (
        "h[t] = x[t]\nh_1 = sum(h[t] for t)\nh_1[t] = x[t]",
        "EquationError: line 2, column 1: 'h_1' is defined by a line and has no index here\n"
        "    h_1 = sum(h[t] for t)\n"
        "    ^^^",
    ),
    (
        "scalar q\nh[t] = x[t]",
        "EquationError: line 1, column 8: 'q' is declared, but no equation has it\n"
        "    scalar q\n"
        "           ^",
    ),
    (
        "vector xx\nh[t] = x[t]",
        "EquationError: line 1, column 8: 'xx' is declared, but no equation has it\n"
        "    vector xx\n"
        "           ^^\n"
        "  Did you mean 'x'?",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message
