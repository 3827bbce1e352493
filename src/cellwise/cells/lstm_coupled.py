"""The long short-term memory that forgets exactly as much as it takes in (CIFG).

Greff and colleagues compare it as a variant of their peephole LSTM, f = 1 - i; ours has no
peepholes. The bias of the input gate starts at -1, so that the cell starts by keeping 73 % of
itself, as a forget bias of 1 does. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Long short-term memory with coupled gates (CIFG)"
SOURCE = (
    "Greff et al. 2017, LSTM: a search space odyssey, IEEE TNNLS 28(10), arXiv:1503.04069, "
    "variant CIFG"
)

EQUATIONS = """
i[t] = sigmoid(U_i @ x[t] + W_i @ h[t-1] + b_i)  # input gate
f[t] = 1 - i[t]                                  # forget what is replaced
o[t] = sigmoid(U_o @ x[t] + W_o @ h[t-1] + b_o)  # output gate
g[t] = tanh(U_g @ x[t] + W_g @ h[t-1] + b_g)     # candidate content
c[t] = f[t] * c[t-1] + i[t] * g[t]               # the cell
h[t] = o[t] * tanh(c[t])                         # the output
"""

CELL = Cell(EQUATIONS, name="lstm_coupled", init={"b_i": -1.0})
