"""The simple recurrent unit in its final form: each unit's gates see that unit's old cell.

Equations 1 to 4 of the paper, without its scaling of the highway term. That term is the input
itself in the paper, which needs equal sizes; ours is `U_x @ x[t]`, what the authors' code does
when the sizes differ. The state is c alone. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Simple recurrent unit with peepholes"
SOURCE = (
    "Lei et al. 2018, Simple recurrent units for highly parallelizable recurrence, EMNLP, "
    "arXiv:1709.02755v5, eq. 1-4"
)

EQUATIONS = """
f[t] = sigmoid(U_f @ x[t] + w_f * c[t-1] + b_f)   # forget gate, looking at its unit's old cell
r[t] = sigmoid(U_r @ x[t] + w_r * c[t-1] + b_r)   # highway gate, looking at its unit's old cell
c[t] = f[t] * c[t-1] + (1 - f[t]) * (U_g @ x[t])  # the cell, a running mean
h[t] = r[t] * c[t] + (1 - r[t]) * (U_x @ x[t])    # the output, partly the input itself
"""

CELL = Cell(EQUATIONS, name="sru_peephole")
