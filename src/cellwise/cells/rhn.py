"""The recurrent highway network with a transition of depth two and a coupled carry gate, c = 1 - t.

Equations 6 to 9 of the paper with L = 2: the input enters the first highway layer only. The
transform gates' biases start at -2, so that a step starts close to a copy; the paper takes -2 to
-4, the more the deeper. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Recurrent highway network of depth two"
SOURCE = "Zilly et al. 2017, Recurrent highway networks, ICML, arXiv:1607.03474, eq. 6-9"

EQUATIONS = """
t1[t] = sigmoid(U_t @ x[t] + W_t1 @ h[t-1] + b_t1)  # transform gate of the first layer
g1[t] = tanh(U_g @ x[t] + W_g1 @ h[t-1] + b_g1)     # candidate of the first layer
s1[t] = t1[t] * g1[t] + (1 - t1[t]) * h[t-1]        # the first layer
t2[t] = sigmoid(W_t2 @ s1[t] + b_t2)                # transform gate of the second layer
g2[t] = tanh(W_g2 @ s1[t] + b_g2)                   # candidate of the second layer
h[t] = t2[t] * g2[t] + (1 - t2[t]) * s1[t]          # the second layer is the state
"""

CELL = Cell(
    EQUATIONS,
    name="rhn",
    init={"b_t1": -2.0, "b_t2": -2.0, "W_t2": "orthogonal", "W_g2": "orthogonal"},
)
