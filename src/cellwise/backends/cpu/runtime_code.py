"""The code of the runtime, in parts that are compiled when first needed."""

from __future__ import annotations

from llvmlite import ir

from cellwise.backends.cpu.blocking import N_VECTORS as OUTER_WIDTH
from cellwise.backends.cpu.outer import emit_sum_outer
from cellwise.backends.cpu.packing import emit_pack
from cellwise.backends.cpu.products import emit_products
from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.sums import emit_sums


def emit_runtime(form: Form, width: int) -> str:
    """The LLVM IR of the products of panels of `width` vectors.

    With those that sums of outer products take comes the rest of the runtime.
    """
    module = ir.Module("runtime")
    module.triple = form.target.triple
    emit_products(module, form, [width])
    if width == OUTER_WIDTH:
        emit_pack(module, form)
        emit_sums(module, form)
        emit_sum_outer(module, form)
    return str(module)
