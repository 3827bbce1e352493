"""The long short-term memory whose gates see the cell itself, each through a weight of its own.

This is the form of Graves 2013, equations 7 to 11: peephole weights are vectors ("diagonal"), the
input and forget gates look at the cell before the step, the output gate at the cell after it.
torch has none.
"""

from cellwise.cell import Cell

TITLE = "Long short-term memory with peepholes"
SOURCE = (
    "Gers, Schraudolph and Schmidhuber 2002, Learning precise timing with LSTM recurrent networks, "
    "JMLR 3; Graves 2013, Generating sequences with recurrent neural networks, arXiv:1308.0850, "
    "eq. 7-11"
)

EQUATIONS = """
i[t] = sigmoid(U_i @ x[t] + W_i @ h[t-1] + p_i * c[t-1] + b_i)  # input gate, seeing the old cell
f[t] = sigmoid(U_f @ x[t] + W_f @ h[t-1] + p_f * c[t-1] + b_f)  # forget gate, seeing the old cell
g[t] = tanh(U_g @ x[t] + W_g @ h[t-1] + b_g)                    # candidate content
c[t] = f[t] * c[t-1] + i[t] * g[t]                              # the cell
o[t] = sigmoid(U_o @ x[t] + W_o @ h[t-1] + p_o * c[t] + b_o)    # output gate, seeing the new cell
h[t] = o[t] * tanh(c[t])                                        # the output
"""

CELL = Cell(EQUATIONS, name="lstm_peephole")
