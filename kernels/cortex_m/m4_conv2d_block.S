// SPDX-License-Identifier: Apache-2.0
// The inner block of the M4 convolution (m4_conv2d_block.h), hand-allocated: the 2 x 4 block needs 14 registers, more than compilers
// use without spilling. OCTET_ROUNDING chooses the requantization: 0 real, 2 fixed_double, 3 fixed_single.
//
// r0 r1: 256 A + B of pixel 0 and 1, r2 r3: B, r4 r5: 256 C + D, r6 r7: D; r8 r9: inputs, r10 r11: weights; r12: x, lr: stream.
#if defined(__thumb2__) && defined(__ARM_FEATURE_DSP)
#if OCTET_ROUNDING == 0 || OCTET_ROUNDING == 2 || OCTET_ROUNDING == 3
#if defined(OCTET_SUMS)  // the accumulators themselves: m4_conv2d_sums_block.S
#if OCTET_ROUNDING == 0
#define NAME octet_m4_conv2d_sums_real
#elif OCTET_ROUNDING == 2
#define NAME octet_m4_conv2d_sums_fixed_double
#else
#define NAME octet_m4_conv2d_sums_fixed_single
#endif
#elif OCTET_ROUNDING == 0
#define NAME octet_m4_conv2d_real
#elif OCTET_ROUNDING == 2
#define NAME octet_m4_conv2d_fixed_double
#else
#define NAME octet_m4_conv2d_fixed_single
#endif

  .syntax unified
  .thumb
#if OCTET_ROUNDING == 0
  .fpu fpv4-sp-d16
#endif

  .set kX, 0
  .set kXEnd, 4
  .set kOut, 8
  .set kGroups, 16
  .set kEntry, 20
  .set kFrame, 24
  .set kUnroll, 8

  .macro STEP
  ldrd r8, r9, [r12], #8
  ldrd r10, r11, [lr], #8
  smlad r0, r8, r10, r0
  smlad r1, r9, r10, r1
  sxtb16 r10, r10
  smlad r4, r8, r11, r4
  smlad r5, r9, r11, r5
  sxtb16 r11, r11
  smlad r2, r8, r10, r2
  smlad r3, r9, r10, r3
  smlad r6, r8, r11, r6
  smlad r7, r9, r11, r7
  .endm

  // One channel's two accumulators to codes at [r8] and [r9].
  .macro CHANNEL p, q
#if defined(OCTET_SUMS)
  str \p, [r8], #4
  str \q, [r9], #4
#else
#if OCTET_ROUNDING == 0
  ldmia lr!, {r10, r11, r12}
  vmov s0, s1, \p, \q
  vmov s2, s3, r10, r11
  vcvt.f32.s32 s0, s0
  vcvt.f32.s32 s1, s1
  vmul.f32 s0, s0, s2
  vmul.f32 s1, s1, s2
  vadd.f32 s0, s0, s3
  vadd.f32 s1, s1, s3
  vmul.f32 s0, s0, s4
  vmul.f32 s1, s1, s4
  vadd.f32 s0, s0, s5
  vadd.f32 s1, s1, s5
  vcvtr.s32.f32 s0, s0
  vcvtr.s32.f32 s1, s1
  vmov \p, \q, s0, s1
  usat \p, #8, \p
  usat \q, #8, \q
  eor \p, \p, #128
  eor \q, \q, #128
#else
  ldmia lr!, {r10, r11, r12}
#if OCTET_ROUNDING == 2
  smmlar \p, \p, r10, \p
  smmlar \q, \q, r10, \q
  add \p, \p, \p, asr #31
  add \q, \q, \q, asr #31
#else
  smmul \p, \p, r10
  smmul \q, \q, r10
#endif
  add \p, \p, r11
  add \q, \q, r11
  asr \p, \p, r12
  asr \q, \q, r12
  ssat \p, #8, \p
  ssat \q, #8, \q
#endif
  strb \p, [r8], #1
  strb \q, [r9], #1
#endif
  .endm

  .section .text.NAME, "ax", %progbits
  .balign 4
  .global NAME
  .type NAME, %function
  .thumb_func
NAME:
  push {r4-r11, lr}
  sub sp, sp, #kFrame
#if OCTET_ROUNDING == 0
  vldr s4, [r0, #24]
  vldr s5, [r0, #28]
#endif
  ldm r0, {r4-r9}                 // x, steps, groups, stream, out0, out1
  add r10, r4, r5, lsl #3         // end of x
  rsb r11, r5, #0
  and r11, r11, #kUnroll - 1      // steps of the unrolled loop to leave out at first
  adr r12, .Lloop + 1
  add r11, r11, r11, lsl #1       // 48 bytes a step
  add r12, r12, r11, lsl #4
  str r4, [sp, #kX]
  str r10, [sp, #kXEnd]
  strd r8, r9, [sp, #kOut]
  str r6, [sp, #kGroups]
  str r12, [sp, #kEntry]
  mov lr, r7
.Lgroup:
  ldm lr!, {r0, r2, r4, r6}
  mov r1, r0
  mov r3, r2
  mov r5, r4
  mov r7, r6
  ldr r12, [sp, #kX]
  ldr pc, [sp, #kEntry]
  .balign 4
.Lloop:
  .rept kUnroll
  STEP
  .endr
  ldr r8, [sp, #kXEnd]
  cmp r12, r8
  bne .Lloop
  ldrd r8, r9, [sp, #kOut]
  sub r0, r0, r2
  sub r1, r1, r3
  sub r4, r4, r6
  sub r5, r5, r7
#if OCTET_ROUNDING == 2 || defined(OCTET_SUMS)
  asr r0, r0, #8
  asr r1, r1, #8
  asr r4, r4, #8
  asr r5, r5, #8
#endif
  CHANNEL r0, r1
  CHANNEL r2, r3
  CHANNEL r4, r5
  CHANNEL r6, r7
  strd r8, r9, [sp, #kOut]
  ldr r10, [sp, #kGroups]
  subs r10, r10, #1
  str r10, [sp, #kGroups]
  bne .Lgroup
  add sp, sp, #kFrame
  pop {r4-r11, pc}
  .size NAME, . - NAME
#endif
#endif
