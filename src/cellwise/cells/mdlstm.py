"""The two-dimensional LSTM: a point of a grid reads what lies to its left and what lies above.

The paper's multi-dimensional LSTM in two dimensions: one cell with a forget gate for each
direction, and all gates see the outputs of both neighbours. Beyond the border there are zeros. We
leave the peepholes out, and squash with tanh. The biases of the forget gates start at 0, so that
the two together keep as much as there is: a cell sums over all ways to a point, and with a bias of
1, as in `lstm`, what it holds would grow by half with each step of a way.
"""

from cellwise.cell import Cell

TITLE = "Two-dimensional LSTM"
SOURCE = (
    "Graves, Fernández and Schmidhuber 2007, Multi-dimensional recurrent neural networks, "
    "arXiv:0705.2011"
)

EQUATIONS = """
i[n] = sigmoid(U_i @ x[n] + W_il @ h[left] + W_iu @ h[up] + b_i)        # input gate
f_l[n] = sigmoid(U_fl @ x[n] + W_fll @ h[left] + W_flu @ h[up] + b_fl)  # forget gate, leftwards
f_u[n] = sigmoid(U_fu @ x[n] + W_ful @ h[left] + W_fuu @ h[up] + b_fu)  # forget gate, upwards
o[n] = sigmoid(U_o @ x[n] + W_ol @ h[left] + W_ou @ h[up] + b_o)        # output gate
g[n] = tanh(U_g @ x[n] + W_gl @ h[left] + W_gu @ h[up] + b_g)           # candidate content
c[n] = i[n] * g[n] + f_l[n] * c[left] + f_u[n] * c[up]                  # the cell, the long memory
h[n] = o[n] * tanh(c[n])                                                # the output
"""

CELL = Cell(EQUATIONS, name="mdlstm", init={"b_fl": "zeros", "b_fu": "zeros"})
