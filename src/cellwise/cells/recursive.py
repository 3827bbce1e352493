"""The recursive network: two vectors become one of the same size, again and again up a tree.

Leaves are the input itself, so that input_size and hidden_size are the same, and only leaves read
it. Socher and colleagues join the two children and multiply by one matrix, as here; Iyyer and
colleagues, who read a party from a sentence with it, write a matrix for each child, which is the
same: theirs are the left and the right half of W. The softmax that both put on every node is a
layer of its own.
"""

from cellwise.cell import Cell

TITLE = "Recursive network"
SOURCE = (
    "Socher, Lin, Ng and Manning 2011, Parsing natural scenes and natural language with recursive "
    "neural networks, ICML, section 4; Iyyer, Enns, Boyd-Graber and Resnik 2014, Political "
    "ideology detection using recursive neural networks, ACL, section 2"
)

EQUATIONS = """
h[leaf] = x[leaf]                         # a word's vector
h[n] = tanh(W @ [h[left], h[right]] + b)  # a phrase's vector, made of those of its two parts
"""

CELL = Cell(EQUATIONS, name="recursive")
