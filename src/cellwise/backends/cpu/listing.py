"""Reads LLVM's assembly: functions, their innermost loops, and what these do with the stack.

Knows the two forms that LLVM prints for our targets: AT&T syntax for x86 (the last operand is
written) and the usual one for 64-bit ARM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from cellwise.backends.cpu.target import Target


@dataclass(frozen=True)
class Tally:
    """What was counted in a function, or in one of its innermost loops.

    Attributes:
        function: its name.
        loop: the label of the loop's first block; "" for the function as a whole.
        n_instructions: how many there are.
        n_spills: those that store a vector register to the stack.
        n_reloads: those that load a vector register, or an operand of one, from the stack.
        n_other: those that otherwise read or write the stack, pushes and pops apart.
    """

    function: str
    loop: str
    n_instructions: int
    n_spills: int
    n_reloads: int
    n_other: int


@dataclass
class _Block:
    """A stretch of instructions with one entry: (mnemonic, operands) each."""

    label: str
    code: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Syntax:
    """How a family writes what we look for."""

    comment: re.Pattern[str]
    vector: re.Pattern[str]
    stack: str
    frame: str
    frame_start: re.Pattern[str]
    memory: str
    store: re.Pattern[str]

    def base(self, *, has_frame: bool) -> re.Pattern[str]:
        """A memory operand on the stack."""
        names = f"{self.stack}|{self.frame}" if has_frame else self.stack
        return re.compile(self.memory.format(names))


_SYNTAX = {
    "x86": _Syntax(
        comment=re.compile(r"#.*"),
        vector=re.compile(r"%[xyz]mm\d"),
        stack="%rsp",
        frame="%rbp",
        frame_start=re.compile(r"movq\s+%rsp, %rbp"),
        memory=r"\((?:{})\b",
        store=re.compile(r"\)\s*(\{%k\d\}\s*)?$"),
    ),
    "arm": _Syntax(
        comment=re.compile(r"(//|;).*"),
        vector=re.compile(r"\b[qdsv]\d+\b"),
        stack="sp",
        frame="x29",
        frame_start=re.compile(r"(mov\s+x29, sp|add\s+x29, sp,)"),
        memory=r"\[(?:{})\b",
        store=re.compile(r"^st"),
    ),
}

_LABEL = re.compile(r'("?)([\w.$@?-]+)\1:')
_LOCAL = re.compile(r"\.L|L(BB|CPI|JTI|func_\w+?|tmp)\d")  # of ELF and COFF, or of Mach-O
_END = re.compile(r"ret\w*|ud2|brk|udf")
_ALWAYS = re.compile(r"jmpq?|b|br")
_PERHAPS = re.compile(r"j\w+|b\.\w+|cbn?z|tbn?z")


def tallies(assembly_text: str, target: Target) -> list[Tally]:
    """Counts of each function as a whole, then of each of its innermost loops, in their order.

    A loop is told by its jumps. What a function keeps on the stack on purpose counts as spilled.
    """
    syntax = _SYNTAX[target.family]
    found = []
    for name, blocks in _functions(assembly_text, syntax):
        code = [step for block in blocks for step in block.code]
        has_frame = any(syntax.frame_start.match(f"{m} {o}") for m, o in code)
        base = syntax.base(has_frame=has_frame)
        found.append(_tally(name, "", code, syntax, base))
        for loop in _innermost_loops(blocks):
            inside = [step for number in loop for step in blocks[number].code]
            found.append(_tally(name, blocks[loop[0]].label, inside, syntax, base))
    return found


def _functions(text: str, syntax: _Syntax) -> Iterator[tuple[str, list[_Block]]]:
    """The functions' names and blocks, in the order of the text; names of data are no functions."""
    found = [[_Block("")]]
    for line in text.splitlines():
        words = syntax.comment.sub("", line).strip()
        label = _LABEL.match(words)
        if label and _LOCAL.match(label[2]):
            found[-1].append(_Block(label[2]))
        elif label:
            found.append([_Block(label[2])])
        elif words and not words.startswith("."):
            _add(found[-1], *words.split(None, 1))
    for blocks in found:
        if any(block.code for block in blocks):
            yield blocks[0].label, [block for block in blocks if block.label or block.code]


def _add(blocks: list[_Block], mnemonic: str, operands: str = "") -> None:
    """Put an instruction in the last block; a jump ends the block."""
    blocks[-1].code.append((mnemonic, operands.strip()))
    if _END.fullmatch(mnemonic) or _ALWAYS.fullmatch(mnemonic) or _PERHAPS.fullmatch(mnemonic):
        blocks.append(_Block(""))


def _successors(blocks: Sequence[_Block]) -> list[set[int]]:
    """By number of block, where control may go from its end."""
    places = {block.label: number for number, block in enumerate(blocks) if block.label}
    found: list[set[int]] = []
    for number, block in enumerate(blocks):
        mnemonic, operands = block.code[-1] if block.code else ("", "")
        jumps = _ALWAYS.fullmatch(mnemonic) or _PERHAPS.fullmatch(mnemonic)
        to = {places[w] for w in re.split(r"[\s,]+", operands) if w in places} if jumps else set()
        if not _END.fullmatch(mnemonic) and not _ALWAYS.fullmatch(mnemonic):
            to |= {number + 1} & set(range(len(blocks)))
        found.append(to)
    return found


def _innermost_loops(blocks: Sequence[_Block]) -> list[list[int]]:
    """The numbers of the blocks of each loop that holds no other, in the order of the text."""
    graph = dict(enumerate(_successors(blocks)))
    return sorted(sorted(loop) for loop in _loops(graph))


def _loops(graph: Mapping[int, Set[int]]) -> Iterator[set[int]]:
    """Cycles without the blocks that enter them hold the loops one level further in."""
    reached = {node: _reached(graph, node) for node in graph}
    left = set(graph)
    while left:
        node = min(left)
        cycle = {other for other in reached[node] if node in reached[other]}
        left -= cycle | {node}
        if not cycle:
            continue
        alone = {other for other in cycle if other in graph[other]}
        entries = {o for n in graph.keys() - cycle for o in graph[n] & cycle} or {min(cycle)}
        rest = cycle - alone - entries
        inner = list(_loops({n: graph[n] & rest for n in rest}))
        yield from ({one} for one in alone)
        yield from inner
        if not inner and not alone:
            yield cycle


def _reached(graph: Mapping[int, Set[int]], start: int) -> set[int]:
    """What can be reached in one step or more."""
    found: set[int] = set()
    ahead = list(graph[start])
    while ahead:
        node = ahead.pop()
        if node not in found:
            found.add(node)
            ahead += graph[node]
    return found


def _tally(
    function: str,
    loop: str,
    code: Sequence[tuple[str, str]],
    syntax: _Syntax,
    base: re.Pattern[str],
) -> Tally:
    n_spills = n_reloads = n_other = 0
    for mnemonic, operands in code:
        if not base.search(operands) or mnemonic.startswith("lea"):
            continue
        if not syntax.vector.search(operands):
            n_other += 1
        elif syntax.store.search(f"{mnemonic} {operands}"):
            n_spills += 1
        else:
            n_reloads += 1
    return Tally(function, loop, len(code), n_spills, n_reloads, n_other)
