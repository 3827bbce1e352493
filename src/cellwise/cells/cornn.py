"""The coupled oscillatory network: units are driven, damped oscillators at place y with speed z.

Equation 3 of the paper with the damping taken at the old speed, as in the authors' code, and that
code's constants for sequential MNIST. The output is y. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Coupled oscillatory recurrent network"
SOURCE = (
    "Rusch and Mishra 2021, Coupled oscillatory recurrent neural network (coRNN), ICLR, "
    "arXiv:2010.00951, eq. 3"
)

EQUATIONS = """
a[t] = tanh(U_z @ x[t] + W_y @ y[t-1] + W_z @ z[t-1] + b_z)      # the force that drives
z[t] = z[t-1] + dt * (a[t] - gamma * y[t-1] - epsilon * z[t-1])  # speeds
y[t] = y[t-1] + dt * z[t]                                        # places, the output
dt = 0.042
gamma = 2.7
epsilon = 4.7
"""

CELL = Cell(EQUATIONS, name="cornn")
