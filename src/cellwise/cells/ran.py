"""The recurrent additive network: its cell is a weighted sum of the inputs and of nothing else.

As in section 2 of the paper, with tanh for its output function g (the other choice is the
identity). torch has none.
"""

from cellwise.cell import Cell

TITLE = "Recurrent additive network"
SOURCE = "Lee, Levy and Zettlemoyer 2017, Recurrent additive networks, arXiv:1705.07393, section 2"

EQUATIONS = """
g[t] = U_g @ x[t]                                # content, linear in the input
i[t] = sigmoid(U_i @ x[t] + W_i @ h[t-1] + b_i)  # input gate
f[t] = sigmoid(U_f @ x[t] + W_f @ h[t-1] + b_f)  # forget gate
c[t] = i[t] * g[t] + f[t] * c[t-1]               # the cell, a weighted sum of contents
h[t] = tanh(c[t])                                # the output
"""

CELL = Cell(EQUATIONS, name="ran")
