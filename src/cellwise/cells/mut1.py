"""The first of the three best cells that a search over ten thousand architectures found: MUT1.

As listed in section 4 of the paper. The candidate adds tanh(x) there, which needs equal sizes;
ours is tanh(U_h @ x), the same for U_h = 1. The update gate sees the input only. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Mutated gated unit MUT1"
SOURCE = (
    "Jozefowicz, Zaremba and Sutskever 2015, An empirical exploration of recurrent network "
    "architectures, ICML, section 4, MUT1"
)

EQUATIONS = """
z[t] = sigmoid(U_z @ x[t] + b_z)                             # update gate, of the input only
r[t] = sigmoid(U_r @ x[t] + W_r @ h[t-1] + b_r)              # reset gate
g[t] = tanh(W_h @ (r[t] * h[t-1]) + tanh(U_h @ x[t]) + b_h)  # candidate content
h[t] = z[t] * g[t] + (1 - z[t]) * h[t-1]                     # the new state
"""

CELL = Cell(EQUATIONS, name="mut1", init={"b_z": -1.0, "b_r": "zeros"})
