"""The processor's mode for denormal numbers: flushed to zero inside kernels, the caller's outside.

Arithmetic on denormals takes many times longer on some processors. Only the flushing bits change:
rounding and traps stay as the caller set them; the whole word returns at the kernel's end, so
flags that the kernel raised vanish too.
"""

from __future__ import annotations

from llvmlite import ir

from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, intrinsic

_X86_BITS = 0x8040  # flush to zero: results (bit 15) and operands (bit 6)
_ARM_BITS = 1 << 24


def emit_flush_on(e: Emitter) -> Value:
    """Flushes denormals from here on; what it returns, `emit_flush_off` takes."""
    b = e.builder
    if e.target.family == "arm":
        saved = b.call(intrinsic(e.module, "llvm.aarch64.get.fpcr", [], I64), [])
        _set_arm(e, b.or_(saved, ir.Constant(I64, _ARM_BITS)))
        return saved
    slot = _slot(e)
    b.call(intrinsic(e.module, "llvm.x86.sse.stmxcsr", [POINTER], ir.VoidType()), [slot])
    saved = b.load(slot, typ=I32)
    _set_x86(e, b.or_(saved, ir.Constant(I32, _X86_BITS)), slot)
    return saved


def emit_flush_off(e: Emitter, saved: Value) -> None:
    """Brings back the mode from before `emit_flush_on`, in the same function."""
    if e.target.family == "arm":
        _set_arm(e, saved)
    else:
        _set_x86(e, saved, _slot(e))


def _set_arm(e: Emitter, word: Value) -> None:
    e.builder.call(intrinsic(e.module, "llvm.aarch64.set.fpcr", [I64], ir.VoidType()), [word])


def _set_x86(e: Emitter, word: Value, slot: Value) -> None:
    e.builder.store(word, slot)
    load = intrinsic(e.module, "llvm.x86.sse.ldmxcsr", [POINTER], ir.VoidType())
    e.builder.call(load, [slot])


def _slot(e: Emitter) -> Value:
    with e.builder.goto_entry_block():
        return e.builder.alloca(I32)
