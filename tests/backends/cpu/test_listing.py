from __future__ import annotations

import pytest
from llvmlite import ir

from cellwise.backends.cpu.emitter import I64, POINTER, Emitter, integer
from cellwise.backends.cpu.listing import Tally, tallies
from cellwise.backends.cpu.machine import assembly
from cellwise.backends.cpu.target import target

TARGETS = ("avx512", "avx2", "sse2", "neon")

NESTED_X86 = """\
	.text
	.file	"<string>"
	.section	.rodata.cst4,"aM",@progbits,4
.LCPI0_0:
	.long	0x3f800000
	.globl	outer
	.type	outer,@function
outer:                                  # @outer
	.cfi_startproc
	pushq	%rbp
	subq	$64, %rsp
	vmovups	%ymm7, 32(%rsp)                 # 32-byte Spill
	movq	%rdi, 8(%rsp)
	jmp	.LBB0_2
.LBB0_1:
	incq	%rax
.LBB0_2:                                # an outer loop
	vmovups	(%rbp), %ymm0                   # %rbp is no frame here
	leaq	16(%rsp), %r8
.LBB0_3:                                # inner loop
	vfmadd231ps	32(%rsp), %ymm0, %ymm1
	vmovups	%zmm2, -64(%rsp) {%k1}
	vbroadcastss	(%rsp,%rax,4), %ymm3
	cmpq	8(%rsp), %rcx
	jl	.LBB0_3
	vmovups	(%rsi), %ymm4
	cmpq	%rax, %rdx
	jl	.LBB0_1
	addq	$64, %rsp
	popq	%rbp
	retq
.Lfunc_end0:
	.size	outer, .Lfunc_end0-outer
	.globl	second
second:
	pushq	%rbp
	movq	%rsp, %rbp
	vmovups	%xmm0, -16(%rbp)
	retq
	.section	.data
table:
	.quad	outer
"""


def test_loops_and_traffic_with_the_stack_are_found_in_x86():
    assert tallies(NESTED_X86, target("avx512")) == [
        Tally("outer", "", 19, 2, 2, 2),
        Tally("outer", ".LBB0_3", 5, 1, 2, 1),
        Tally("second", "", 4, 1, 0, 0),
    ]


ARM = """\
	.p2align	2
	.type	outer,@function
outer:
	stp	d9, d8, [sp, #-80]!
	stp	x29, x30, [sp, #16]
	add	x29, sp, #16
	cbz	x0, .LBB0_4
.LBB0_1:                                // an outer loop
	mov	x8, x1
	b	.LBB0_3
.LBB0_2:
	ldp	q0, q1, [sp, #32]
	fmla	v2.4s, v0.4s, v1.4s
	stur	q2, [x29, #-48]
	ldr	x9, [sp, #24]
	str	q3, [x9, #16]
	subs	x8, x8, #1
.LBB0_3:
	ld1r	{ v4.4s }, [sp]
	cbnz	x8, .LBB0_2
	subs	x0, x0, #1
	b.ne	.LBB0_1
.LBB0_4:
	ldp	d9, d8, [sp], #80
	ret
.Lfunc_end0:
"""


def test_loops_and_traffic_with_the_stack_are_found_in_arm():
    assert tallies(ARM, target("neon")) == [
        Tally("outer", "", 18, 2, 3, 2),
        Tally("outer", ".LBB0_2", 8, 1, 2, 1),
    ]


NEITHER = """\
f:
	jmp	.LBB0_2
.LBB0_1:
	retq
.LBB0_2:
	testq	%rdi, %rdi
	je	.LBB0_1
	callq	g
	jmp	.LBB0_1
"""


def test_a_jump_back_to_a_shared_end_is_no_loop():
    assert [tally.loop for tally in tallies(NEITHER, target("avx2"))] == [""]


MACH = """\
	.section	__TEXT,__text,regular,pure_instructions
	.globl	_LSTM2
	.p2align	2
_LSTM2:                                 ; @LSTM2
	mov	x29, sp
LBB0_1:                                 ; =>This Inner Loop Header: Depth=1
	ldr	q0, [x29, #16]          ; 16-byte Folded Reload
	subs	x0, x0, #1
	b.ne	LBB0_1
	ret
"""


def test_the_form_of_apple_is_read():
    assert tallies(MACH, target("neon")) == [
        Tally("_LSTM2", "", 5, 0, 1, 0),
        Tally("_LSTM2", "LBB0_1", 3, 0, 1, 0),
    ]


BESIDE = """\
f:
.LBB0_1:
	addq	$1, %rax
.LBB0_2:
	decq	%rdi
	jne	.LBB0_2
	movq	%rsi, %rdi
.LBB0_3:
	decq	%rdi
	decq	%rdi
	jne	.LBB0_3
	jmp	.LBB0_1
"""


def test_two_loops_within_an_endless_one():
    found = [(tally.loop, tally.n_instructions) for tally in tallies(BESIDE, target("avx2"))]
    assert found == [("", 8), (".LBB0_2", 2), (".LBB0_3", 3)]


def sums(name, n_sums):
    """For every row: n sums over k, all in registers at once if there are enough."""
    machine = target(name)
    lanes = machine.lanes("f32")
    module = ir.Module()
    module.triple = machine.triple
    kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, I64])
    function = ir.Function(module, kind, "sums")
    e = Emitter(function, machine, "f32")
    source, out, n_rows, depth = function.args

    def over_k(k, found):
        start = e.at(source, e.builder.mul(k, integer(lanes)))
        one = e.load(start, lanes)
        return [e.fma(one, e.load_spread(e.at(start, i), lanes), x) for i, x in enumerate(found)]

    def row(number, _carried):
        zeros = [e.splat(0.0, lanes)] * n_sums
        to = e.at(out, e.builder.mul(number, integer(n_sums * lanes)))
        for i, total in enumerate(e.loop(integer(0), depth, 1, over_k, zeros)):
            e.store(total, e.at(to, i * lanes))
        return []

    e.loop(integer(0), n_rows, 1, row)
    e.builder.ret_void()
    return tallies(assembly(str(module), machine)[1], machine)


@pytest.mark.parametrize("name", TARGETS)
def test_of_real_code_what_fits_into_the_registers_does_not_spill(name):
    whole, loop = sums(name, 6)
    assert (whole.function, whole.loop) == ("sums", "")
    assert loop.loop
    assert 0 < loop.n_instructions < whole.n_instructions
    assert loop.n_spills == loop.n_reloads == 0


@pytest.mark.parametrize("name", TARGETS)
def test_of_real_code_what_does_not_fit_is_seen_to_spill(name):
    whole, loop = sums(name, target(name).n_registers + 8)
    assert loop.n_spills > 0
    assert loop.n_reloads > 0
    assert whole.n_spills >= loop.n_spills
