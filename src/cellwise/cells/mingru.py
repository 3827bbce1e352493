"""The minimal GRU for parallel training: gate and candidate see the input only.

The linear form of section 3.1. The paper also gives a form in logarithms, for its parallel scan,
in which the candidate is made positive by a function g; ours needs no scan and has neither. torch
has none.
"""

from cellwise.cell import Cell

TITLE = "minGRU"
SOURCE = "Feng et al. 2024, Were RNNs all we needed?, arXiv:2410.01201, section 3.1"

EQUATIONS = """
z[t] = sigmoid(U_z @ x[t] + b_z)          # update gate: how much to write
g[t] = U_h @ x[t] + b_h                   # candidate content, linear in the input
h[t] = (1 - z[t]) * h[t-1] + z[t] * g[t]  # the state enters linearly
"""

CELL = Cell(EQUATIONS, name="mingru", init={"b_z": -1.0})
