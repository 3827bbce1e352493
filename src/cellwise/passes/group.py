"""Group: products with the same operand become one product, and sums of products too."""

from __future__ import annotations

from cellwise.autodiff.derivative import names_of
from cellwise.graph.build import add, concat, matmul, neg, remake, transpose
from cellwise.graph.node import Node
from cellwise.graph.system import System
from cellwise.graph.transform import rewrite_system
from cellwise.passes.affine import affine_parts, is_product, join, operands
from cellwise.passes.sections import Reach, sections
from cellwise.passes.share import name_nodes, reads_of
from cellwise.passes.sums import Term, sum_of, terms, whole_sums


def merge(system: System) -> System:
    """The system with sums of products as single products.

    `A.T @ a[t] + B.T @ b[t]` becomes `concat(A, B).T @ [a[t], b[t]]`, where a and b depend on a
    state.
    """
    bound = Reach(system).names
    rank = {line.name: place for place, line in enumerate(system.equations) if line.name in bound}
    sums = whole_sums(system.roots())

    def step(node: Node, arguments: tuple[Node, ...]) -> Node:
        whole = remake(node, arguments)
        return _merged(whole, rank) if node in sums else whole

    return rewrite_system(system, step)


def _merged(whole: Node, rank: dict[str, int]) -> Node:
    matrices: dict[Node, list[Node]] = {}
    rest: list[Term] = []
    for minus, node in terms(whole):
        if _is_linear_in_signal(node, rank):
            matrix, operand = node.arguments
            matrices.setdefault(operand, []).append(neg(matrix) if minus else matrix)
        else:
            rest.append((minus, node))
    if sum(map(len, matrices.values())) < 2:
        return whole
    order = sorted(matrices, key=lambda node: rank[str(node.attributes[0])])
    totals = [add(*matrices[node]) for node in order]
    if len(order) == 1:
        product = matmul(totals[0], order[0])
    else:
        columns = concat(*(_transposed(matrix) for matrix in totals))
        product = matmul(transpose(columns), concat(*order))
    return sum_of([*rest, (False, product)])


def _is_linear_in_signal(node: Node, rank: dict[str, int]) -> bool:
    if node.operation != "matmul" or not is_product(node):
        return False
    operand = node.arguments[1]
    return (
        operand.operation == "read"
        and operand.attributes[1] == "t"
        and operand.attributes[0] in rank
    )


def _transposed(matrix: Node) -> Node:
    if matrix.operation == "neg":
        return neg(_transposed(matrix.arguments[0]))
    return matrix.arguments[0] if matrix.operation == "transpose" else transpose(matrix)


def group(system: System) -> System:
    """The system with every product as a line of its own, as few and as large as possible.

    `W_z @ h[t-1]` and `W_r @ h[t-1]` become parts of `h_1[t] = concat(W_z, W_r) @ h[t-1]`; a bias
    goes along. Products of the loop over the steps and those for all steps at once stay apart.
    """
    while True:
        groups = _groups(system)
        several = next((members for members in groups if len(members) > 1), None)
        if several is None:
            return _named(system, [members[0] for members in groups])
        system = _joined(system, several)


def _groups(system: System) -> list[list[Node]]:
    """Affine expressions of the same operands and the same section."""
    where, reach = sections(system), Reach(system)
    found: dict[tuple[object, ...], list[Node]] = {}
    seen: set[Node] = set()
    for section in ("before", "loop", "after"):
        values = [line.value for line in system.equations if where[line.name] == section]
        for node in affine_parts(values):
            if node not in seen:
                seen.add(node)
                place = section if reach(node) else "before"
                found.setdefault((place, operands(node)), []).append(node)
    return list(found.values())


def _joined(system: System, members: list[Node]) -> System:
    whole, pieces = join(members)
    replaced = dict(zip(members, pieces, strict=True))

    def step(node: Node, arguments: tuple[Node, ...]) -> Node:
        return replaced[node] if node in replaced else remake(node, arguments)

    return _named(rewrite_system(system, step), [whole])


def _named(system: System, products: list[Node]) -> System:
    """A line for each of the products that is none yet, named after the signal that it takes."""
    fresh = names_of(system)
    lines = {line.value for line in system.equations}
    wanted = {}
    for node in products:
        if node not in lines:
            wanted[node] = fresh.numbered(str(reads_of(node)[0].attributes[0]))
    return name_nodes(system, wanted)
