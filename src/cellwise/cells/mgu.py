"""The minimal gated unit: a gated recurrent unit whose one gate both resets and updates.

The paper writes its products with the joined vector [h, x]; ours has a matrix for each. The bias
of the gate starts at zero: the same gate forgets and shows the state, so that neither end is the
safe one. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Minimal gated unit"
SOURCE = "Zhou et al. 2016, Minimal gated unit for recurrent neural networks, IJAC 13(3), section 3"

EQUATIONS = """
f[t] = sigmoid(U_f @ x[t] + W_f @ h[t-1] + b_f)        # the one gate
g[t] = tanh(U_h @ x[t] + W_h @ (f[t] * h[t-1]) + b_h)  # candidate content
h[t] = (1 - f[t]) * h[t-1] + f[t] * g[t]               # the new state
"""

CELL = Cell(EQUATIONS, name="mgu", init={"b_f": "zeros"})
