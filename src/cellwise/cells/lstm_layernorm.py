"""The long short-term memory with layer normalisation of its sums and of its cell.

The paper normalises the four gates' sums as one vector; ours normalises each gate's by itself, so
that no gate's scale depends on another's. Its shifts beta add up to one bias a gate, which ours
has. Gains start at 1. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Long short-term memory with layer normalisation"
SOURCE = "Ba, Kiros and Hinton 2016, Layer normalization, arXiv:1607.06450, eq. 20-22"

EQUATIONS = """
i[t] = sigmoid(s_i * norm(U_i @ x[t]) + r_i * norm(W_i @ h[t-1]) + b_i)  # input gate; s, r: gains
f[t] = sigmoid(s_f * norm(U_f @ x[t]) + r_f * norm(W_f @ h[t-1]) + b_f)  # forget gate
o[t] = sigmoid(s_o * norm(U_o @ x[t]) + r_o * norm(W_o @ h[t-1]) + b_o)  # output gate
g[t] = tanh(s_g * norm(U_g @ x[t]) + r_g * norm(W_g @ h[t-1]) + b_g)     # candidate content
c[t] = f[t] * c[t-1] + i[t] * g[t]                                       # the cell
h[t] = o[t] * tanh(s_c * norm(c[t]) + b_c)                               # the output
"""

CELL = Cell(EQUATIONS, name="lstm_layernorm")
