"""The update-gate network: one gate mixes the old state with a new one. The simplest gated cell.

As in the paper, with tanh, one of its two choices for the candidate. The gate's bias starts at 1,
to keep. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Update-gate recurrent network"
SOURCE = (
    "Collins, Sohl-Dickstein and Sussillo 2017, Capacity and trainability in recurrent neural "
    "networks, ICLR, arXiv:1611.09913, UGRNN"
)

EQUATIONS = """
f[t] = sigmoid(U_f @ x[t] + W_f @ h[t-1] + b_f)  # update gate: how much to keep
g[t] = tanh(U_h @ x[t] + W_h @ h[t-1] + b_h)     # candidate content
h[t] = f[t] * h[t-1] + (1 - f[t]) * g[t]         # the new state
"""

CELL = Cell(EQUATIONS, name="ugrnn")
