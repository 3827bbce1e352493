"""The child-sum Tree-GRU: a gated recurrent unit whose past is the sum of its children.

After the child-sum Tree-LSTM: the update gate sees the sum of the children, and there is a reset
gate for each child, which sees that child alone. So it is for sets of any number, as the unit that
Zhou and colleagues built on a child sum; Kokkinos and Potamianos have a matrix for each place of a
child, and their gates see the children one by one. As in `gru`, z = 1 writes. The bias of z starts
at 0 and not below as there: a node with two children then starts from their mean, where keeping
more of both would let the sum grow up the tree.
"""

from cellwise.cell import Cell

TITLE = "Child-sum Tree-GRU"
SOURCE = (
    "Zhou, Liu and Pan 2016, Modelling sentence pairs with tree-structured attentive encoder, "
    "arXiv:1610.02806; Kokkinos and Potamianos 2017, Structural attention neural networks for "
    "improved sentiment analysis, arXiv:1701.01811"
)

EQUATIONS = """
s[n] = sum(h[k] for k in n)                                          # the children, together
z[n] = sigmoid(U_z @ x[n] + W_z @ s[n] + b_z)                        # update gate
r[n,k] = sigmoid(U_r @ x[n] + W_r @ h[k] + b_r)                      # reset gate of a child
g[n] = tanh(U_h @ x[n] + W_h @ sum(r[n,k] * h[k] for k in n) + b_h)  # candidate content
h[n] = (1 - z[n]) * s[n] + z[n] * g[n]                               # between the two
"""

CELL = Cell(EQUATIONS, name="tree_gru", init={"b_r": "zeros"})
