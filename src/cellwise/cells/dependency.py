"""The dependency-tree network: a matrix for every relation between a word and its head.

Every node is a word, and its children are the words that depend on it, in no order and of any
number; each goes through the matrix of its relation (subject, object, …), and the labels of the
forest's edges choose it: `n_relations` says how many there are. The paper's f is any squashing
function; ours is tanh. `cellwise.data.dependencies` reads such trees.
"""

from cellwise.cell import Cell

TITLE = "Dependency-tree network"
SOURCE = (
    "Iyyer, Boyd-Graber, Claudino, Socher and Daumé 2014, A neural network for factoid question "
    "answering over paragraphs, EMNLP, section 3 (QANTA)"
)

EQUATIONS = """
h[n] = tanh(U @ x[n] + b + sum(W[r] @ h[k] for k in n))  # a word, and all that depends on it
"""

CELL = Cell(EQUATIONS, name="dependency")
