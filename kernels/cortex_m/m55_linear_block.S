// SPDX-License-Identifier: Apache-2.0
// The inner block of the M55 fully connected layer (m55_linear_block.h), hand-allocated. OCTET_ROUNDING chooses the requantization:
// 0 real, 2 fixed_double, 3 fixed_single.
//
// r0: the argument, r1: inputs, r2 r4 r6 r8: accumulators of four outputs, r3: stream, r5: output, r7: groups left.
#if defined(__ARM_FEATURE_MVE)
#if OCTET_ROUNDING == 0 || OCTET_ROUNDING == 2 || OCTET_ROUNDING == 3
#if OCTET_ROUNDING == 0
#define NAME octet_m55_linear_real
#elif OCTET_ROUNDING == 2
#define NAME octet_m55_linear_fixed_double
#else
#define NAME octet_m55_linear_fixed_single
#endif

  .syntax unified
  .thumb

  .set kX, 0
  .set kZero, 20
  .set kLow, 24
  .set kInvScale, 32

  .macro STEP instruction
  vldrb.u8 q0, [r1], #16
  vldrb.u8 q1, [r3], #16
  \instruction r2, q0, q1
  vldrb.u8 q1, [r3], #16
  \instruction r4, q0, q1
  vldrb.u8 q1, [r3], #16
  \instruction r6, q0, q1
  vldrb.u8 q1, [r3], #16
  \instruction r8, q0, q1
  .endm

  .section .text.NAME, "ax", %progbits
  .balign 4
  .global NAME
  .type NAME, %function
  .thumb_func
NAME:
  push {r4-r11, lr}
  vpush {d8-d11}
  ldrd r6, r7, [r0, #kLow]
  vdup.32 q4, r6
  vdup.32 q5, r7
  ldr r12, [r0, #kZero]
#if OCTET_ROUNDING == 0
  ldrd r10, r11, [r0, #kInvScale]
#endif
  ldm r0, {r1, r2, r7}            // x, steps, groups
  sub r9, r2, #1
  ldrd r3, r5, [r0, #12]          // stream, out
.Lgroup:
  ldr r1, [r0, #kX]
  STEP vmladav.s8
  wls lr, r9, .Ldone
.Lloop:
  STEP vmladava.s8
  le lr, .Lloop
.Ldone:
  vmov q0[2], q0[0], r2, r6
  vmov q0[3], q0[1], r4, r8
  vldrw.u32 q1, [r3], #16
  vldrw.u32 q2, [r3], #16
  vadd.i32 q0, q0, q1
  vldrw.u32 q3, [r3], #16
#if OCTET_ROUNDING == 0
  vcvt.f32.s32 q0, q0
  vmul.f32 q0, q0, q2
  vadd.f32 q0, q0, q3
  vmul.f32 q0, q0, r10
  vadd.f32 q0, q0, r11
  vcvtn.s32.f32 q0, q0
  vmax.s32 q0, q0, q4
  vmin.s32 q0, q0, q5
  vadd.i32 q0, q0, r12
#else
#if OCTET_ROUNDING == 2
  vqrdmulh.s32 q0, q0, q2
  vshr.s32 q1, q0, #31
  vadd.i32 q0, q0, q1
#else
  vmulh.s32 q0, q0, q2
#endif
  vrshl.s32 q0, q0, q3
  vadd.i32 q0, q0, r12
  vmax.s32 q0, q0, q4
  vmin.s32 q0, q0, q5
#endif
  vstrb.32 q0, [r5], #4
  subs r7, r7, #1
  bne .Lgroup
  vpop {d8-d11}
  pop {r4-r11, pc}
  .size NAME, . - NAME
#endif
#endif
