"""The code of the runtime, in parts that are compiled when first needed."""

from __future__ import annotations

from llvmlite import ir

from cellwise.backends.cpu.moves import emit_moves
from cellwise.backends.cpu.outer import emit_sums_outer
from cellwise.backends.cpu.packing import emit_pack
from cellwise.backends.cpu.products import emit_products, emit_products_ahead
from cellwise.backends.cpu.registers import Form, most_vectors
from cellwise.backends.cpu.sums import emit_sums


def emit_part(form: Form, kind: str, width: int) -> str:
    """The LLVM IR of the products of panels of `width` vectors, `near` or `ahead`.

    With the near ones that sums of outer products take comes the rest of the runtime.
    """
    module = ir.Module("runtime")
    module.triple = form.target.triple
    if kind == "ahead":
        emit_products_ahead(module, form, width)
        return str(module)
    emit_products(module, form, [width])
    if width == most_vectors(form.target):
        emit_pack(module, form)
        emit_sums(module, form)
        emit_sums_outer(module, form)
        emit_moves(module, form)
    return str(module)
