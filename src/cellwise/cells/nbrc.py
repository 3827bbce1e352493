"""The bistable recurrent cell with neuromodulation: all units together set each unit's gates.

The equations of the paper's cell of that name: `brc` with matrices in the gates. The paper has no
biases. torch has none of this kind.
"""

from cellwise.cell import Cell

TITLE = "Neuromodulated bistable recurrent cell"
SOURCE = (
    "Vecoven, Ernst and Drion 2021, A bio-inspired bistable recurrent cell allows for "
    "long-lasting memory, PLOS ONE 16(6), arXiv:2006.05252, the cell nBRC"
)

EQUATIONS = """
a[t] = 1 + tanh(U_a @ x[t] + W_a @ h[t-1])                            # feedback, between 0 and 2
c[t] = sigmoid(U_c @ x[t] + W_c @ h[t-1])                             # how much to keep
h[t] = c[t] * h[t-1] + (1 - c[t]) * tanh(U_h @ x[t] + a[t] * h[t-1])  # the new state
"""

CELL = Cell(EQUATIONS, name="nbrc")
