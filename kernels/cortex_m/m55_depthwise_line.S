// SPDX-License-Identifier: Apache-2.0
// The inner block of the M55 depthwise 3x3 convolution (m55_depthwise_line.h), hand-allocated. OCTET_ROUNDING chooses the
// requantization: 0 real, 2 fixed_double, 3 fixed_single.
//
// r0: the argument, r1: inputs, r2 r4 r6 r8: accumulators of four outputs, r3: output, r5 r7 r9: start, multiplier, shift; r10: zero
// point, r11: bytes of four outputs, r12: channel; q0: weights, q3: places of four outputs, q4 q5: limits, q6: multiplier.
#if defined(__ARM_FEATURE_MVE)
#if OCTET_ROUNDING == 0 || OCTET_ROUNDING == 2 || OCTET_ROUNDING == 3
#if OCTET_ROUNDING == 0
#define NAME1 octet_m55_depthwise_s1_real
#define NAME2 octet_m55_depthwise_s2_real
#elif OCTET_ROUNDING == 2
#define NAME1 octet_m55_depthwise_s1_fixed_double
#define NAME2 octet_m55_depthwise_s2_fixed_double
#else
#define NAME1 octet_m55_depthwise_s1_fixed_single
#define NAME2 octet_m55_depthwise_s2_fixed_single
#endif

  .syntax unified
  .thumb

  .set kRing, 0
  .set kPitch, 4
  .set kTurn, 8
  .set kChannels, 12
  .set kBlocks, 16
  .set kOverlap, 20
  .set kStep, 24
  .set kPacked, 28
  .set kOut, 32
  .set kZero, 36
  .set kLow, 40
  .set kInvScale, 48

  .macro BLOCK stride
  vldrb.u8 q1, [r1], #4 * \stride
  vldrb.u8 q2, [r1], #4 * \stride
  vmladav.s8 r2, q1, q0
  vldrb.u8 q1, [r1], #4 * \stride
  vmladav.s8 r4, q2, q0
  vldrb.u8 q2, [r1], #4 * \stride
  vmladav.s8 r6, q1, q0
  vmladav.s8 r8, q2, q0
  vmov q1[2], q1[0], r2, r6
  vmov q1[3], q1[1], r4, r8
  vadd.i32 q1, q1, r5
#if OCTET_ROUNDING == 0
  vcvt.f32.s32 q1, q1
  ldrd r2, r4, [r0, #kInvScale]
  vmul.f32 q1, q1, r7
  vadd.f32 q1, q1, r9
  vmul.f32 q1, q1, r2
  vadd.f32 q1, q1, r4
  vcvtn.s32.f32 q1, q1
  vmax.s32 q1, q1, q4
  vmin.s32 q1, q1, q5
  vadd.i32 q1, q1, r10
#else
#if OCTET_ROUNDING == 2
  vqrdmulh.s32 q1, q1, r7
  vshr.s32 q2, q1, #31
  vadd.i32 q1, q1, q2
#else
  vmulh.s32 q1, q1, q6
#endif
  vrshl.s32 q1, r9
  vadd.i32 q1, q1, r10
  vmax.s32 q1, q1, q4
  vmin.s32 q1, q1, q5
#endif
  vstrb.32 q1, [r3, q3]
  add r3, r3, r11
  .endm

  .macro FUNCTION name, stride
  .section .text.\name, "ax", %progbits
  .balign 4
  .global \name
  .type \name, %function
  .thumb_func
\name:
  push {r4-r11, lr}
  vpush {d8-d13}
  ldrd r6, r7, [r0, #kLow]
  vdup.32 q4, r6
  vdup.32 q5, r7
  ldrd r11, r12, [r0, #kStep]     // and kPacked
  ldr r10, [r0, #kZero]
  movs r2, #0
  vidup.u32 q3, r2, #1
  vmul.i32 q3, q3, r11
  lsl r11, r11, #2
  ldr r2, [r0, #kTurn]
  lsl r2, r2, #3
  str r2, [r0, #kTurn]
1:                                // a channel
  ldr r2, [r0, #kTurn]
  vldrw.u32 q0, [r12]
  sub r4, r2, #32
  vmov q1, q0
  vshl.u32 q0, r2                 // the weights' slots turned like the ring's
  vshl.u32 q1, r4
  vorr q0, q0, q1
  ldr r5, [r12, #16]
  ldr r7, [r12, #20]
  ldr r9, [r12, #24]
  add r12, r12, #28
#if OCTET_ROUNDING == 3
  vdup.32 q6, r7
#endif
  ldr r1, [r0, #kRing]
  ldr r3, [r0, #kOut]
  ldr lr, [r0, #kBlocks]
  dls lr, lr
2:
  BLOCK \stride
  le lr, 2b
  ldr r2, [r0, #kOverlap]
  cbz r2, 3f
  mul r4, r2, r11
  sub r1, r1, r2, lsl #(1 + \stride)
  sub r3, r3, r4, lsr #2
  BLOCK \stride
3:
  ldrd r2, r4, [r0, #kRing]       // and kPitch
  ldr r6, [r0, #kOut]
  add r2, r2, r4
  ldr r8, [r0, #kChannels]
  adds r6, r6, #1
  str r2, [r0, #kRing]
  subs r8, r8, #1
  str r6, [r0, #kOut]
  str r8, [r0, #kChannels]
  bne 1b
  vpop {d8-d13}
  pop {r4-r11, pc}
  .size \name, . - \name
  .endm

  FUNCTION NAME1, 1
  FUNCTION NAME2, 2
#endif
#endif
