// SPDX-License-Identifier: Apache-2.0
// The inner block of the M4 depthwise 3x3 convolution (m4_depthwise_line.h), hand-allocated. OCTET_ROUNDING chooses the
// requantization: 0 real, 2 fixed_double, 3 fixed_single.
//
// r0 r2 r4 r6: channel c of pixels 0 to 3, r1 r3 r5 r7: channel c + 2; r8 r9 r10: a line's three weights, r11: inputs of a column;
// r12: inputs, lr: stream.
#if defined(__thumb2__) && defined(__ARM_FEATURE_DSP)
#if OCTET_ROUNDING == 0 || OCTET_ROUNDING == 2 || OCTET_ROUNDING == 3
#if OCTET_ROUNDING == 0
#define NAME1 octet_m4_depthwise_s1_real
#define NAME2 octet_m4_depthwise_s2_real
#elif OCTET_ROUNDING == 2
#define NAME1 octet_m4_depthwise_s1_fixed_double
#define NAME2 octet_m4_depthwise_s2_fixed_double
#else
#define NAME1 octet_m4_depthwise_s1_fixed_single
#define NAME2 octet_m4_depthwise_s2_fixed_single
#endif

  .syntax unified
  .thumb
#if OCTET_ROUNDING == 0
  .fpu fpv4-sp-d16
#endif

  // On the stack: the argument, copied up to `out`, and what changes.
  .set kLine0, 0
  .set kDelta1, 4                 // line0 to line1
  .set kDelta2, 8                 // line1 to line2
  .set kPair, 12
  .set kPairs, 16
  .set kBlocks, 20
  .set kOverlap, 24
  .set kStep, 28
  .set kPixel, 32                 // where the next output goes
  .set kOut, 36                   // the pair's first output
  .set kLeft, 40                  // blocks left
  .set kBack, 44                  // overlap not yet done
  .set kDelta0, 48                // line2 to line0's next block
  .set kFrame, 52
  .set kPairStream, 68

  .macro TAP c, d, w
  smlabb \c, r11, \w, \c
  smlatt \d, r11, \w, \d
  .endm

  // One line of three taps on four pixels.
  .macro LINE stride
  ldmia lr!, {r8, r9, r10}
  .if \stride == 1
  ldr r11, [r12]
  TAP r0, r1, r8
  ldr r11, [r12, #4]
  TAP r0, r1, r9
  TAP r2, r3, r8
  ldr r11, [r12, #8]
  TAP r0, r1, r10
  TAP r2, r3, r9
  TAP r4, r5, r8
  ldr r11, [r12, #12]
  TAP r2, r3, r10
  TAP r4, r5, r9
  TAP r6, r7, r8
  ldr r11, [r12, #16]
  TAP r4, r5, r10
  TAP r6, r7, r9
  ldr r11, [r12, #20]
  TAP r6, r7, r10
  .else
  ldr r11, [r12]
  TAP r0, r1, r8
  ldr r11, [r12, #4]
  TAP r0, r1, r9
  ldr r11, [r12, #8]
  TAP r0, r1, r10
  TAP r2, r3, r8
  ldr r11, [r12, #12]
  TAP r2, r3, r9
  ldr r11, [r12, #16]
  TAP r2, r3, r10
  TAP r4, r5, r8
  ldr r11, [r12, #20]
  TAP r4, r5, r9
  ldr r11, [r12, #24]
  TAP r4, r5, r10
  TAP r6, r7, r8
  ldr r11, [r12, #28]
  TAP r6, r7, r9
  ldr r11, [r12, #32]
  TAP r6, r7, r10
  .endif
  .endm

  .macro ADVANCE delta
  ldr r11, [sp, #\delta]
  add r12, r12, r11
  .endm

  // Four pixels' accumulators of one channel to codes.
  .macro CHANNEL p, q, r, s
  ldmia lr!, {r8, r9, r10}
#if OCTET_ROUNDING == 0
  vmov s2, s3, r8, r9
  vmov s0, s1, \p, \q
  vmov s6, s7, \r, \s
  .irp f, s0, s1, s6, s7
  vcvt.f32.s32 \f, \f
  .endr
  .irp f, s0, s1, s6, s7
  vmul.f32 \f, \f, s2
  .endr
  .irp f, s0, s1, s6, s7
  vadd.f32 \f, \f, s3
  .endr
  .irp f, s0, s1, s6, s7
  vmul.f32 \f, \f, s4
  .endr
  .irp f, s0, s1, s6, s7
  vadd.f32 \f, \f, s5
  .endr
  .irp f, s0, s1, s6, s7
  vcvtr.s32.f32 \f, \f
  .endr
  vmov \p, \q, s0, s1
  vmov \r, \s, s6, s7
  .irp a, \p, \q, \r, \s
  usat \a, #8, \a
  eor \a, \a, #128
  .endr
#else
#if OCTET_ROUNDING == 2
  .irp a, \p, \q, \r, \s
  smmlar \a, \a, r8, \a
  .endr
  .irp a, \p, \q, \r, \s
  add \a, \a, \a, asr #31
  .endr
#else
  .irp a, \p, \q, \r, \s
  smmul \a, \a, r8
  .endr
#endif
  .irp a, \p, \q, \r, \s
  add \a, \a, r9
  .endr
  .irp a, \p, \q, \r, \s
  asr \a, \a, r10
  .endr
  .irp a, \p, \q, \r, \s
  ssat \a, #8, \a
  .endr
#endif
  .endm

  .macro FUNCTION name, stride
  .section .text.\name, "ax", %progbits
  .balign 4
  .global \name
  .type \name, %function
  .thumb_func
\name:
  push {r4-r11, lr}
  sub sp, sp, #kFrame
#if OCTET_ROUNDING == 0
  vldr s4, [r0, #40]
  vldr s5, [r0, #44]
#endif
  ldm r0, {r1-r10}                // line0, line1, line2, pair, pairs, blocks, overlap, step, stream, out
  mov lr, r9
  add r11, r3, #-16 * \stride
  rsb r11, r11, #0                // line2 back to line0, four outputs on
  sub r3, r3, r2
  mov r9, r10
  stm sp, {r1-r10}
  str r11, [sp, #kDelta0]
1:                                // a channel pair
  ldr r12, [sp, #kLine0]
  ldrd r8, r9, [sp, #kBlocks]
  ldr r10, [sp, #kOut]
  strd r8, r9, [sp, #kLeft]
  str r10, [sp, #kPixel]
2:                                // four pixels
  ldmia lr!, {r0, r1}
  mov r2, r0
  mov r3, r1
  mov r4, r0
  mov r5, r1
  mov r6, r0
  mov r7, r1
  LINE \stride
  ADVANCE kDelta1
  LINE \stride
  ADVANCE kDelta2
  LINE \stride
  ADVANCE kDelta0
  CHANNEL r0, r2, r4, r6
  CHANNEL r1, r3, r5, r7
  ldrd r8, r9, [sp, #kStep]       // and kPixel
  strb r0, [r9]
  strb r1, [r9, #2]
  add r9, r9, r8
  strb r2, [r9]
  strb r3, [r9, #2]
  add r9, r9, r8
  strb r4, [r9]
  strb r5, [r9, #2]
  add r9, r9, r8
  strb r6, [r9]
  strb r7, [r9, #2]
  add r9, r9, r8
  str r9, [sp, #kPixel]
  ldr r10, [sp, #kLeft]
  sub lr, lr, #kPairStream
  subs r10, r10, #1
  str r10, [sp, #kLeft]
  bne 2b
  ldr r10, [sp, #kBack]
  cmp r10, #0
  beq 3f
  mls r9, r10, r8, r9
  sub r12, r12, r10, lsl #(1 + \stride)
  str r9, [sp, #kPixel]
  movs r10, #0
  movs r11, #1
  strd r11, r10, [sp, #kLeft]     // and kBack
  b 2b
3:                                // pairs (0, 2), (1, 3), (4, 6), ...
  add lr, lr, #kPairStream
  ldrd r8, r9, [sp, #kPair]       // and kPairs
  ldr r10, [sp, #kLine0]
  ldr r11, [sp, #kOut]
  add r10, r10, r8
  subs r9, r9, #1
  add r11, r11, #1
  str r10, [sp, #kLine0]
  str r9, [sp, #kPairs]
  tst r9, #1
  it eq
  addeq r11, r11, #2
  str r11, [sp, #kOut]
  cmp r9, #0
  bne 1b
  add sp, sp, #kFrame
  pop {r4-r11, pc}
  .size \name, . - \name
  .endm

  FUNCTION NAME1, 1
  FUNCTION NAME2, 2
#endif
#endif
