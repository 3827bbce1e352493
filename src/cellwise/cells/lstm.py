"""The long short-term memory with forget gate, without peepholes: "the LSTM" of today.

The paper of 1997 has no forget gate (see `lstm_no_forget`); Gers and colleagues added it. Both
squash the candidate and the cell with scaled logistic functions; ours has tanh, as is usual since
Graves. torch.nn.LSTM is the same but for two bias vectors that are added; its stacked weights are
in the order i, f, g, o.
"""

from cellwise.cell import Cell

TITLE = "Long short-term memory"
SOURCE = (
    "Hochreiter and Schmidhuber 1997, Long short-term memory, Neural Computation 9(8); "
    "Gers, Schmidhuber and Cummins 2000, Learning to forget, Neural Computation 12(10), section 3"
)

EQUATIONS = """
i[t] = sigmoid(U_i @ x[t] + W_i @ h[t-1] + b_i)  # input gate: how much of the candidate to write
f[t] = sigmoid(U_f @ x[t] + W_f @ h[t-1] + b_f)  # forget gate: how much of the cell to keep
o[t] = sigmoid(U_o @ x[t] + W_o @ h[t-1] + b_o)  # output gate: how much of the cell to show
g[t] = tanh(U_g @ x[t] + W_g @ h[t-1] + b_g)     # candidate content
c[t] = f[t] * c[t-1] + i[t] * g[t]               # the cell, the long memory
h[t] = o[t] * tanh(c[t])                         # the output, the short memory
"""

CELL = Cell(EQUATIONS, name="lstm")
