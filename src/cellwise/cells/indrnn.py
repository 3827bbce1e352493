"""The independently recurrent network: each unit sees only its own past, through one weight.

The equation of section 3 of the paper, with its activation relu. Units mix through stacked layers
only. Recurrent weights start uniform in (0, 1); the paper bounds them by 2 to the power 1/T for
sequences of T steps, which is 1 for long ones. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Independently recurrent network"
SOURCE = "Li et al. 2018, Independently recurrent neural network, CVPR, arXiv:1803.04831, section 3"

EQUATIONS = """
h[t] = relu(U_h @ x[t] + w_h * h[t-1] + b_h)  # w_h is a vector: a unit sees itself alone
"""

CELL = Cell(EQUATIONS, name="indrnn", init={"w_h": "uniform(0, 1)"})
