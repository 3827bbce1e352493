"""FastGRNN: gate and candidate share their matrices, so that the model fits a small device.

The equations of section 3.2 of the paper. Its two trained scalars zeta and nu, kept between 0 and
1 by a sigmoid in the authors' code, are vectors here, one number a unit; they and the biases
start as there. torch has none.
"""

from cellwise.cell import Cell

TITLE = "FastGRNN"
SOURCE = (
    "Kusupati et al. 2018, FastGRNN: a fast, accurate, stable and tiny kilobyte sized gated "
    "recurrent neural network, NeurIPS, arXiv:1901.02358, section 3.2"
)

EQUATIONS = """
a[t] = U_h @ x[t] + W_h @ h[t-1]                                          # shared by both below
z[t] = sigmoid(a[t] + b_z)                                                # gate: how much to keep
g[t] = tanh(a[t] + b_h)                                                   # candidate content
h[t] = (sigmoid(zeta) * (1 - z[t]) + sigmoid(nu)) * g[t] + z[t] * h[t-1]  # the new state
"""

CELL = Cell(EQUATIONS, name="fastgrnn", init={"zeta": 1.0, "nu": -4.0, "b_h": 1.0})
