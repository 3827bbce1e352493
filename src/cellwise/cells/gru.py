"""The gated recurrent unit of lectures: the reset gate acts before the product.

Equations 5 to 8 of Cho and colleagues, with the roles of z and 1 - z exchanged as in Chung and
colleagues: here z = 1 writes and z = 0 keeps. The bias of z starts at -1, so that the unit starts
by keeping. torch.nn.GRU resets after the product: that is `gru_v3`.
"""

from cellwise.cell import Cell

TITLE = "Gated recurrent unit"
SOURCE = (
    "Cho et al. 2014, Learning phrase representations using RNN encoder-decoder, "
    "arXiv:1406.1078v3, eq. 5-8; "
    "Chung et al. 2014, Empirical evaluation of gated recurrent neural networks, "
    "arXiv:1412.3555, section 3.2"
)

EQUATIONS = """
z[t] = sigmoid(U_z @ x[t] + W_z @ h[t-1] + b_z)        # update gate: how much to write
r[t] = sigmoid(U_r @ x[t] + W_r @ h[t-1] + b_r)        # reset gate: how much past to see
g[t] = tanh(U_h @ x[t] + W_h @ (r[t] * h[t-1]) + b_h)  # candidate content
h[t] = (1 - z[t]) * h[t-1] + z[t] * g[t]               # between the old state and the candidate
"""

CELL = Cell(EQUATIONS, name="gru", init={"b_z": -1.0, "b_r": "zeros"})
