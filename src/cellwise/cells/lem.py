"""Long expressive memory: two coupled states, each with its own, learned, varying time scale.

Equation 3 of the paper; its sigma-hat, 0.5 (1 + tanh(x / 2)), is the sigmoid. The output is y.
`dt` is the largest time step. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Long expressive memory"
SOURCE = (
    "Rusch et al. 2022, Long expressive memory for sequence modeling, ICLR, arXiv:2110.04744, eq. 3"
)

EQUATIONS = """
a[t] = dt * sigmoid(U_a @ x[t] + W_a @ y[t-1] + b_a)                       # time step of z
e[t] = dt * sigmoid(U_e @ x[t] + W_e @ y[t-1] + b_e)                       # time step of y
z[t] = (1 - a[t]) * z[t-1] + a[t] * tanh(U_z @ x[t] + W_z @ y[t-1] + b_z)  # the inner memory
y[t] = (1 - e[t]) * y[t-1] + e[t] * tanh(U_y @ x[t] + W_y @ z[t] + b_y)    # the output
dt = 1
"""

CELL = Cell(EQUATIONS, name="lem", init={"W_y": "orthogonal"})
