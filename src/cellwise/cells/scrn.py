"""The structurally constrained network: a simple network beside a slow mean of the input.

The paper ends in softmax(U h + V s), its output layer; ours gives the sum without softmax, to
which a head is put. `alpha` is the paper's 0.95. The sizes of h and of the context s are free:
`sizes={"s": 40}`. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Structurally constrained recurrent network"
SOURCE = (
    "Mikolov et al. 2015, Learning longer memory in recurrent neural networks, ICLR workshop, "
    "arXiv:1412.7753, section 3"
)

EQUATIONS = """
s[t] = (1 - alpha) * (U_s @ x[t]) + alpha * s[t-1]      # slow context
h[t] = sigmoid(U_h @ x[t] + V_h @ s[t] + W_h @ h[t-1])  # fast hidden layer
y[t] = V_y @ h[t] + V_s @ s[t]                          # the output sees both
alpha = 0.95
"""

CELL = Cell(EQUATIONS, name="scrn")
