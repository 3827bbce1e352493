"""The child-sum Tree-LSTM: a node has any number of children, in no order.

The gates see the sum of the children's outputs, but there is a forget gate for each child, which
sees that child alone; all of them share their weights. Every node has an input: for trees of
dependencies its word; where a node has none, give it zeros. A leaf's sums are zero. As elsewhere in
the zoo, U is for the input and W for states; in the paper it is the other way round. The bias of
the forget gates starts at 1, of which the paper says nothing.
"""

from cellwise.cell import Cell

TITLE = "Child-sum Tree-LSTM"
SOURCE = (
    "Tai, Socher and Manning 2015, Improved semantic representations from tree-structured long "
    "short-term memory networks, arXiv:1503.00075, eq. 2-8"
)

EQUATIONS = """
s[n] = sum(h[k] for k in n)                         # what the children say, together
i[n] = sigmoid(U_i @ x[n] + W_i @ s[n] + b_i)       # input gate: how much of the candidate to write
o[n] = sigmoid(U_o @ x[n] + W_o @ s[n] + b_o)       # output gate: how much of the cell to show
u[n] = tanh(U_u @ x[n] + W_u @ s[n] + b_u)          # candidate content
f[n,k] = sigmoid(U_f @ x[n] + W_f @ h[k] + b_f)     # forget gate: how much of a child to keep
c[n] = i[n] * u[n] + sum(f[n,k] * c[k] for k in n)  # the cell, the long memory
h[n] = o[n] * tanh(c[n])                            # the output
"""

CELL = Cell(EQUATIONS, name="tree_lstm")
