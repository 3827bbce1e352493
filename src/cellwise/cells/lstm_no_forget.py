"""The first long short-term memory: its cell only ever adds, since there is no forget gate.

The cell is the "constant error carousel" of section 3.2 of the paper. Ours differs in its
squashing functions (tanh for the paper's logistic functions scaled to [-2, 2] and [-1, 1]), in
one cell a block, and in the gradient, which is the true one here and was truncated there. Both
gates' biases start at -1: the paper wants them negative, against the drift of the cell (input
gate) and its abuse (output gate). There is no such cell in torch.
"""

from cellwise.cell import Cell

TITLE = "Long short-term memory of 1997, without forget gate"
SOURCE = (
    "Hochreiter and Schmidhuber 1997, Long short-term memory, Neural Computation 9(8), section 4"
)

EQUATIONS = """
i[t] = sigmoid(U_i @ x[t] + W_i @ h[t-1] + b_i)  # input gate
o[t] = sigmoid(U_o @ x[t] + W_o @ h[t-1] + b_o)  # output gate
g[t] = tanh(U_g @ x[t] + W_g @ h[t-1] + b_g)     # candidate content
c[t] = c[t-1] + i[t] * g[t]                      # the cell keeps all that it ever took in
h[t] = o[t] * tanh(c[t])                         # the output
"""

CELL = Cell(EQUATIONS, name="lstm_no_forget", init={"b_i": -1.0, "b_o": -1.0})
