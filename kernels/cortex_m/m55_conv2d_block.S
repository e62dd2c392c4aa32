// SPDX-License-Identifier: Apache-2.0
// The inner block of the M55 convolution (m55_conv2d_block.h), hand-allocated: VMLADAVA accumulates into even registers only, and the
// block needs all eight. OCTET_ROUNDING chooses the requantization: 0 real, 2 fixed_double, 3 fixed_single.
//
// r0 r4 r8 r12: channels 0 to 3 of pixel 0, r2 r6 r10 lr: of pixel 1; r1 r3: x, r5: stream, r7: steps left, r9: bytes of a window,
// r11: the argument.
#if defined(__ARM_FEATURE_MVE)
#if OCTET_ROUNDING == 0 || OCTET_ROUNDING == 2 || OCTET_ROUNDING == 3
#if defined(OCTET_SUMS)  // the accumulators themselves: m55_conv2d_sums_block.S
#if OCTET_ROUNDING == 0
#define NAME octet_m55_conv2d_sums_real
#elif OCTET_ROUNDING == 2
#define NAME octet_m55_conv2d_sums_fixed_double
#else
#define NAME octet_m55_conv2d_sums_fixed_single
#endif
#elif OCTET_ROUNDING == 0
#define NAME octet_m55_conv2d_real
#elif OCTET_ROUNDING == 2
#define NAME octet_m55_conv2d_fixed_double
#else
#define NAME octet_m55_conv2d_fixed_single
#endif

  .syntax unified
  .thumb

  .set kGroups, 12
  .set kOut, 20
  .set kZero, 28
  .set kLow, 32
  .set kInvScale, 40
  .set kRealZero, 44

  .macro CHANNEL instruction, p, q
  vldrb.u8 q2, [r5], #16
  \instruction \p, q0, q2
  \instruction \q, q1, q2
  .endm

  .macro STEP instruction
  vldrb.u8 q0, [r1], #16
  vldrb.u8 q1, [r3], #16
  CHANNEL \instruction, r0, r2
  CHANNEL \instruction, r4, r6
  CHANNEL \instruction, r8, r10
  CHANNEL \instruction, r12, lr
  .endm

  .section .text.NAME, "ax", %progbits
  .balign 4
  .global NAME
  .type NAME, %function
  .thumb_func
NAME:
  push {r4-r11, lr}
  vpush {d8-d11}
  mov r11, r0
  ldm r0, {r1-r5}                 // x0, x1, steps, groups, stream
  mov r9, r3
  mov r3, r2
  lsl r9, r9, #4
  ldrd r6, r7, [r11, #kLow]
  vdup.32 q4, r6
  vdup.32 q5, r7
.Lgroup:
  lsr r7, r9, #4
  STEP vmladav.s8
  subs r7, r7, #1
  beq .Ldone
.Lloop:
  STEP vmladava.s8
  subs r7, r7, #1
  bne .Lloop
.Ldone:
  vmov q0[2], q0[0], r0, r8
  vmov q0[3], q0[1], r4, r12
  vmov q1[2], q1[0], r2, r10
  vmov q1[3], q1[1], r6, lr
  vldrw.u32 q2, [r5], #16
  vadd.i32 q0, q0, q2
  vadd.i32 q1, q1, q2
#if !defined(OCTET_SUMS)
  vldrw.u32 q2, [r5], #16
  vldrw.u32 q3, [r5], #16
  ldr r0, [r11, #kZero]
#if OCTET_ROUNDING == 0
  ldrd r6, r7, [r11, #kInvScale]
  vcvt.f32.s32 q0, q0
  vcvt.f32.s32 q1, q1
  vmul.f32 q0, q0, q2
  vmul.f32 q1, q1, q2
  vadd.f32 q0, q0, q3
  vadd.f32 q1, q1, q3
  vmul.f32 q0, q0, r6
  vmul.f32 q1, q1, r6
  vadd.f32 q0, q0, r7
  vadd.f32 q1, q1, r7
  vcvtn.s32.f32 q0, q0
  vcvtn.s32.f32 q1, q1
  vmax.s32 q0, q0, q4
  vmax.s32 q1, q1, q4
  vmin.s32 q0, q0, q5
  vmin.s32 q1, q1, q5
  vadd.i32 q0, q0, r0
  vadd.i32 q1, q1, r0
#else
#if OCTET_ROUNDING == 2
  vqrdmulh.s32 q0, q0, q2
  vqrdmulh.s32 q1, q1, q2
  vshr.s32 q2, q0, #31
  vadd.i32 q0, q0, q2
  vshr.s32 q2, q1, #31
  vadd.i32 q1, q1, q2
#else
  vmulh.s32 q0, q0, q2
  vmulh.s32 q1, q1, q2
#endif
  vrshl.s32 q0, q0, q3
  vrshl.s32 q1, q1, q3
  vadd.i32 q0, q0, r0
  vadd.i32 q1, q1, r0
  vmax.s32 q0, q0, q4
  vmax.s32 q1, q1, q4
  vmin.s32 q0, q0, q5
  vmin.s32 q1, q1, q5
#endif
#endif
  ldrd r2, r4, [r11, #kOut]
#if defined(OCTET_SUMS)
  vstrw.32 q0, [r2], #16
  vstrw.32 q1, [r4], #16
#else
  vstrb.32 q0, [r2], #4
  vstrb.32 q1, [r4], #4
#endif
  strd r2, r4, [r11, #kOut]
  ldr r7, [r11, #kGroups]
  sub r1, r1, r9
  sub r3, r3, r9
  subs r7, r7, #1
  str r7, [r11, #kGroups]
  bne .Lgroup
  vpop {d8-d11}
  pop {r4-r11, pc}
  .size NAME, . - NAME
#endif
#endif
