// SPDX-License-Identifier: Apache-2.0
// The inner block of the M4 fully connected layer (m4_linear_block.h), hand-allocated. OCTET_ROUNDING chooses the requantization:
// 0 real, 2 fixed_double, 3 fixed_single.
//
// r0 r1: 256 A + B and B, r2 r3, r4 r5, r6 r7: the other pairs; r8 r9: inputs, r10 r11: weights; r12: x, lr: stream.
#if defined(__thumb2__) && defined(__ARM_FEATURE_DSP)
#if OCTET_ROUNDING == 0 || OCTET_ROUNDING == 2 || OCTET_ROUNDING == 3
#if OCTET_ROUNDING == 0
#define NAME octet_m4_linear_real
#elif OCTET_ROUNDING == 2
#define NAME octet_m4_linear_fixed_double
#else
#define NAME octet_m4_linear_fixed_single
#endif

  .syntax unified
  .thumb
#if OCTET_ROUNDING == 0
  .fpu fpv4-sp-d16
#endif

  .set kX, 0
  .set kXEnd, 4
  .set kOut, 8
  .set kGroups, 12
  .set kEntry, 16
  .set kFrame, 20
  .set kUnroll, 4

  .macro PAIR both, low
  ldrd r10, r11, [lr], #8
  smlad \both, r8, r10, \both
  smlad \both, r9, r11, \both
  sxtb16 r10, r10
  sxtb16 r11, r11
  smlad \low, r8, r10, \low
  smlad \low, r9, r11, \low
  .endm

  .macro STEP
  ldrd r8, r9, [r12], #8
  PAIR r0, r1
  PAIR r2, r3
  PAIR r4, r5
  PAIR r6, r7
  .endm

  // One output's accumulator to a code at [r8].
  .macro OUTPUT p
  ldmia lr!, {r10, r11, r12}
#if OCTET_ROUNDING == 0
  vmov s0, \p
  vmov s2, s3, r10, r11
  vcvt.f32.s32 s0, s0
  vmul.f32 s0, s0, s2
  vadd.f32 s0, s0, s3
  vmul.f32 s0, s0, s4
  vadd.f32 s0, s0, s5
  vcvtr.s32.f32 s0, s0
  vmov \p, s0
  usat \p, #8, \p
  eor \p, \p, #128
#else
#if OCTET_ROUNDING == 2
  smmlar \p, \p, r10, \p
  add \p, \p, \p, asr #31
#else
  smmul \p, \p, r10
#endif
  add \p, \p, r11
  asr \p, \p, r12
  ssat \p, #8, \p
#endif
  strb \p, [r8], #1
  .endm

  .macro OUTPUTS both, low
  sub \both, \both, \low
#if OCTET_ROUNDING == 2
  asr \both, \both, #8
#endif
  OUTPUT \both
  OUTPUT \low
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
  vldr s4, [r0, #20]
  vldr s5, [r0, #24]
#endif
  ldm r0, {r4-r8}                 // x, steps, groups, stream, out
  add r10, r4, r5, lsl #3         // end of x
  rsb r11, r5, #0
  and r11, r11, #kUnroll - 1      // steps of the unrolled loop to leave out at first
  mov r9, #116                    // bytes of a step
  adr r12, .Lloop + 1
  mla r12, r11, r9, r12
  str r4, [sp, #kX]
  str r10, [sp, #kXEnd]
  str r8, [sp, #kOut]
  str r6, [sp, #kGroups]
  str r12, [sp, #kEntry]
  mov lr, r7
.Lgroup:
  ldm lr!, {r0-r7}
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
  ldr r8, [sp, #kOut]
  OUTPUTS r0, r1
  OUTPUTS r2, r3
  OUTPUTS r4, r5
  OUTPUTS r6, r7
  str r8, [sp, #kOut]
  ldr r10, [sp, #kGroups]
  subs r10, r10, #1
  str r10, [sp, #kGroups]
  bne .Lgroup
  add sp, sp, #kFrame
  pop {r4-r11, pc}
  .size NAME, . - NAME
#endif
#endif
