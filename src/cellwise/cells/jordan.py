"""The network of Jordan, in which the output, not the hidden layer, feeds back.

The report adds to each state unit a decaying memory of itself, s = mu s + y; ours has mu = 0, the
form that lectures show. Units are tanh. The inner layer `h` is as wide as the output unless
`sizes={"h": …}` says otherwise. There is no such cell in torch.
"""

from cellwise.cell import Cell

TITLE = "Jordan network"
SOURCE = "Jordan 1986, Serial order: a parallel distributed processing approach, ICS report 8604"

EQUATIONS = """
h[t] = tanh(U_h @ x[t] + W_h @ y[t-1] + b_h)  # the hidden layer sees the input and the last output
y[t] = tanh(V_y @ h[t] + b_y)                 # the output
"""

CELL = Cell(EQUATIONS, name="jordan")
