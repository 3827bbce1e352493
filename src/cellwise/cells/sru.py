"""The simple recurrent unit as first published: its gates see the input only.

All products can be taken for all steps at once; what stays in the loop is a weighted mean. The
published final form, whose gates see the old cell, is `sru_peephole`. The highway term is the
input itself in the paper, which needs equal sizes; ours is `U_x @ x[t]`, what the authors' code
does when the sizes differ. The state is c alone: the output h is not fed back. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Simple recurrent unit"
SOURCE = "Lei and Zhang 2017, Training RNNs as fast as CNNs, arXiv:1709.02755v1, section 2"

EQUATIONS = """
g[t] = U_g @ x[t]                                     # candidate content, linear in the input
f[t] = sigmoid(U_f @ x[t] + b_f)                      # forget gate
r[t] = sigmoid(U_r @ x[t] + b_r)                      # highway gate
c[t] = f[t] * c[t-1] + (1 - f[t]) * g[t]              # the cell, a running mean
h[t] = r[t] * tanh(c[t]) + (1 - r[t]) * (U_x @ x[t])  # the output, partly the input itself
"""

CELL = Cell(EQUATIONS, name="sru")
