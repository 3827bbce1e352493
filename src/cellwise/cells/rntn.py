"""The recursive neural tensor network: the two parts of a phrase also multiply each other.

For every element of the result, V has a matrix that weighs all products of two elements of the
children: a negation can turn what stands beside it round. The paper leaves the bias away "for
simplicity"; ours has it. Without V this is `recursive`, and as there input_size and hidden_size
are the same. V has 4 times the third power of hidden_size numbers: the paper has sizes of 25 to 35.
It starts small, as in the authors' code, where its bound is 1 / (4 hidden_size).
"""

from cellwise.cell import Cell

TITLE = "Recursive neural tensor network"
SOURCE = (
    "Socher, Perelygin, Wu, Chuang, Manning, Ng and Potts 2013, Recursive deep models for "
    "semantic compositionality over a sentiment treebank, EMNLP, section 4.3"
)

EQUATIONS = """
h[leaf] = x[leaf]                                    # a word's vector
m[n] = [h[left], h[right]]                           # the two parts, joined
h[n] = tanh(bilinear(V, m[n], m[n]) + W @ m[n] + b)  # a phrase's vector
"""

CELL = Cell(EQUATIONS, name="rntn", init={"V": "uniform(-0.01, 0.01)"})
