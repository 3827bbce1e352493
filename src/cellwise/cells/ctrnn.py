"""The continuous-time recurrent network, stepped by Euler's rule.

Equation 1 of the paper, tau dh/dt = -h + W sigma(h + theta) + I, with theta written as b_h and
the external current I as `U_h @ x[t]`. `dt` and `tau` (milliseconds) are constants that the layer
can override: `constants={"tau": 50.0}`. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Continuous-time recurrent network"
SOURCE = (
    "Beer 1995, On the dynamics of small continuous-time recurrent neural networks, "
    "Adaptive Behavior 3(4), eq. 1"
)

EQUATIONS = """
a[t] = sigmoid(h[t-1] + b_h)                                   # firing rates
h[t] = h[t-1] + dt / tau * (U_h @ x[t] + W_h @ a[t] - h[t-1])  # membrane potentials, one Euler step
dt = 20
tau = 100
"""

CELL = Cell(EQUATIONS, name="ctrnn", init={"W_h": "orthogonal"})
