"""The strongly typed recurrent network: the state is a running mean and never mixes its units.

The T-RNN of the paper, with gates of the input only: the state enters linearly. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Strongly typed recurrent network"
SOURCE = (
    "Balduzzi and Ghifary 2016, Strongly-typed recurrent neural networks, ICML, "
    "arXiv:1602.02218, T-RNN"
)

EQUATIONS = """
z[t] = U_z @ x[t]                         # content, linear in the input
f[t] = sigmoid(U_f @ x[t] + b_f)          # forget gate
h[t] = f[t] * h[t-1] + (1 - f[t]) * z[t]  # the state, a running mean of contents
"""

CELL = Cell(EQUATIONS, name="trnn")
