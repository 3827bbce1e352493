"""The third of the three best cells that a search over ten thousand architectures found: MUT3.

As listed in section 4 of the paper: a gated recurrent unit whose update gate sees the state
through tanh. (MUT2 adds x itself to the reset gate; with a matrix for x, so that sizes may
differ, it is `gru`.) torch has none.
"""

from cellwise.cell import Cell

TITLE = "Mutated gated unit MUT3"
SOURCE = (
    "Jozefowicz, Zaremba and Sutskever 2015, An empirical exploration of recurrent network "
    "architectures, ICML, section 4, MUT3"
)

EQUATIONS = """
z[t] = sigmoid(U_z @ x[t] + W_z @ tanh(h[t-1]) + b_z)  # update gate, of the squashed state
r[t] = sigmoid(U_r @ x[t] + W_r @ h[t-1] + b_r)        # reset gate
g[t] = tanh(W_h @ (r[t] * h[t-1]) + U_h @ x[t] + b_h)  # candidate content
h[t] = z[t] * g[t] + (1 - z[t]) * h[t-1]               # the new state
"""

CELL = Cell(EQUATIONS, name="mut3", init={"b_z": -1.0, "b_r": "zeros"})
