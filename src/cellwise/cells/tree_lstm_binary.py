"""The binary Tree-LSTM: a left and a right child, with weights of their own.

The paper's N-ary Tree-LSTM for two children, as it is used over constituents: leaves have a word
and no children, inner nodes two children and no word, so that each has its part of the equations.
Each child has a forget gate, and either gate sees both children: W_flr is for the left child's gate
and what the right child says. The biases are those of leaves and inner nodes alike; both forget
gates share b_f, which starts at 1 (the paper says nothing of it). U is for the input and W for
states; in the paper it is the other way round.
"""

from cellwise.cell import Cell

TITLE = "Binary Tree-LSTM"
SOURCE = (
    "Tai, Socher and Manning 2015, Improved semantic representations from tree-structured long "
    "short-term memory networks, arXiv:1503.00075, eq. 9-14 with N = 2, and section 3.2"
)

EQUATIONS = """
i[leaf] = sigmoid(U_i @ x[leaf] + b_i)                      # how much of a word to write
o[leaf] = sigmoid(U_o @ x[leaf] + b_o)                      # how much of the cell to show
u[leaf] = tanh(U_u @ x[leaf] + b_u)                         # the word's content
c[leaf] = i[leaf] * u[leaf]                                 # the cell of a word
h[leaf] = o[leaf] * tanh(c[leaf])                           # the output of a word
i[n] = sigmoid(W_il @ h[left] + W_ir @ h[right] + b_i)      # input gate
f_l[n] = sigmoid(W_fll @ h[left] + W_flr @ h[right] + b_f)  # forget gate of the left child
f_r[n] = sigmoid(W_frl @ h[left] + W_frr @ h[right] + b_f)  # forget gate of the right child
o[n] = sigmoid(W_ol @ h[left] + W_or @ h[right] + b_o)      # output gate
u[n] = tanh(W_ul @ h[left] + W_ur @ h[right] + b_u)         # candidate content
c[n] = i[n] * u[n] + f_l[n] * c[left] + f_r[n] * c[right]   # the cell, the long memory
h[n] = o[n] * tanh(c[n])                                    # the output of a phrase
"""

CELL = Cell(EQUATIONS, name="tree_lstm_binary")
