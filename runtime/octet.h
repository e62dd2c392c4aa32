// SPDX-License-Identifier: Apache-2.0
// octet's runtime for firmware: opens a model image that lies in flash and runs it in an arena the caller owns. C99; no heap, no
// libc beyond memcpy, memmove, memset and memcmp, nothing global, so any number of models and arenas may be used. The image is
// written on the host (docs/firmware.md), together with the list of operators it needs, so that only those are linked.
#ifndef OCTET_RUNTIME_OCTET_H
#define OCTET_RUNTIME_OCTET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Every function that can fail returns one of these; whatever failed has written nothing. */
typedef enum octet_status {
  OCTET_OK = 0,
  OCTET_ERROR_NULL = 1,       /**< a pointer is NULL, or the model was not opened */
  OCTET_ERROR_ALIGNMENT = 2,  /**< image or arena is not aligned to OCTET_ALIGNMENT bytes */
  OCTET_ERROR_ARENA = 3,      /**< the arena is smaller than octet_arena_size */
  OCTET_ERROR_SIZE = 4,       /**< the image is truncated, or longer than it says */
  OCTET_ERROR_MAGIC = 5,      /**< not an image */
  OCTET_ERROR_VERSION = 6,    /**< an image, record or flag of a version this runtime does not know */
  OCTET_ERROR_CHECKSUM = 7,   /**< the image is damaged */
  OCTET_ERROR_RECORD = 8,     /**< a record that breaks the format */
  OCTET_ERROR_RANGE = 9,      /**< an offset, index or overlap that breaks the format */
  OCTET_ERROR_ARGUMENTS = 10, /**< a layer's arguments contradict each other, its buffers or its tables */
  OCTET_ERROR_BOUND = 11,     /**< a layer's sums could exceed 32 bits, of a 16-bit layer 48 */
  OCTET_ERROR_ROUNDING = 12,  /**< the operators given compute with another rounding than the model's */
  OCTET_ERROR_OPERATOR = 13,  /**< the model needs an operator that was not given */
  OCTET_ERROR_KERNEL = 14,    /**< the weights are packed for another kernel than the one given */
  OCTET_ERROR_SCRATCH = 15,   /**< the image plans less scratch memory than the kernel given needs */
  OCTET_ERROR_INDEX = 16      /**< no such input or output */
} octet_status;

/** Of images and arenas, in bytes. */
#define OCTET_ALIGNMENT 16

/** Storage of a tensor's elements. */
typedef enum octet_type { OCTET_U8 = 0, OCTET_I8 = 1, OCTET_F32 = 2, OCTET_I16 = 3 } octet_type;

/** An input or output: real = scale * (code - zero_point) for codes. The name lies in the image and is not terminated. */
typedef struct octet_tensor {
  octet_type type;
  uint32_t bytes;
  uint32_t rank;
  int32_t shape[6];
  float scale;
  int32_t zero_point;
  const char* name;
  uint32_t name_bytes;
} octet_tensor;

/** Inputs of a step, and outputs. */
#define OCTET_MAX_OPERANDS 4
/** Sets of weights of a step. */
#define OCTET_MAX_TABLES 2

/** Constants of a layer with weights: `channels` elements each, of the bias codes of 16-bit layers two words, the low one first;
 * NULL where the rounding has none. */
typedef struct octet_tables {
  const int8_t* weight; /**< NULL where only packed weights are stored */
  uint32_t weight_bytes, channels;
  const int32_t* weight_zero_point;
  const float *scale, *bias;
  const int32_t *bias_codes, *multiplier, *shift;
} octet_tables;

/** One layer as an operator sees it. While an image is checked the buffers are NULL and only their sizes are known. */
typedef struct octet_step {
  const void* args; /**< the kind's struct of runtime/args.h, aligned */
  uint32_t args_bytes;
  uint32_t input_count, output_count, table_count;
  const void* input[OCTET_MAX_OPERANDS]; /**< the second: of an addition, or a fused residual; NULL without one */
  uint32_t input_bytes[OCTET_MAX_OPERANDS];
  void* output[OCTET_MAX_OPERANDS];
  uint32_t output_bytes[OCTET_MAX_OPERANDS]; /**< from the pointer to the end of the tensor, of inputs too */
  octet_tables tables[OCTET_MAX_TABLES];
  const void* packed; /**< weights in the layout of the operator's kernel family, NULL if the image has none */
  uint32_t packed_bytes;
  void* scratch;
  uint32_t scratch_bytes;
} octet_step;

/** An operator: what kind of layer it computes, and how. Operators are constants; pass those your model needs to octet_model_open
 * (the host writes the list), or your own for an accelerator. */
typedef struct octet_op {
  uint16_t kind;      /**< record kind of the image format, runtime/image.h */
  uint8_t rounding;   /**< octet::Rounding, or OCTET_ANY_ROUNDING */
  uint8_t overwrites; /**< bit i: the output may lie exactly on input i */
  uint16_t family;    /**< kernel family whose packed weights it reads; 0: none */
  uint16_t family_version;
  octet_status (*check)(const octet_step*); /**< once, when the model is opened: is it safe to run? */
  void (*run)(const octet_step*);
} octet_op;
#define OCTET_ANY_ROUNDING 255

/** An opened model: plain data, small, copyable; the image and the operators must outlive it. */
typedef struct octet_model {
  const void* image;
  const octet_op* const* ops;
  uint32_t op_count;
} octet_model;

/** A layer that has just run, for callbacks. */
typedef struct octet_layer {
  uint32_t index;
  uint16_t kind;
  const char* name; /**< in the image, not terminated */
  uint32_t name_bytes;
  uint32_t output_count;
  const void* output[OCTET_MAX_OPERANDS]; /**< whole tensors */
  uint32_t output_bytes[OCTET_MAX_OPERANDS];
} octet_layer;
typedef void (*octet_layer_callback)(void* user, const octet_layer* layer);

/** Bytes in front of an image from which its length can be read. */
#define OCTET_HEADER_BYTES 48
/** Length of the image whose first OCTET_HEADER_BYTES are at `header` (any alignment); 0 if no image of this version begins there.
 * For images in a file or a partition that is larger than they are. */
uint32_t octet_image_bytes(const void* header);

/** Checks the whole image in time proportional to its size and constant memory, and opens it. On failure *model is unchanged. */
octet_status octet_model_open(octet_model* model, const void* image, size_t bytes, const octet_op* const* ops, size_t op_count);

/** Bytes of memory a run needs, inputs and outputs included; 0 if the model was not opened. */
size_t octet_arena_size(const octet_model* model);

uint32_t octet_input_count(const octet_model* model);
uint32_t octet_output_count(const octet_model* model);
octet_status octet_input_info(const octet_model* model, uint32_t index, octet_tensor* info);
octet_status octet_output_info(const octet_model* model, uint32_t index, octet_tensor* info);

/** Where an input must be written before every run (a run may reuse its memory), and where an output lies after it; NULL if there
 * is no such input or output. */
void* octet_input(const octet_model* model, void* arena, uint32_t index);
const void* octet_output(const octet_model* model, const void* arena, uint32_t index);

/** Runs the model. `callback` (may be NULL) is called after every layer. Nothing is written outside the first octet_arena_size
 * bytes of the arena, which must be aligned to OCTET_ALIGNMENT. */
octet_status octet_run(const octet_model* model, void* arena, size_t arena_bytes, octet_layer_callback callback, void* user);

/** CRC-32 (as in zlib) of bytes, continuing `so_far` (0 to begin): for comparing layers' outputs between a board and the host. */
uint32_t octet_crc32(const void* bytes, size_t count, uint32_t so_far);

/** "OCTET_ERROR_ARENA", …; never NULL. */
const char* octet_status_name(octet_status status);

/* The operators of this library, one object file each: X(name) for all of which there is one for each rounding, for those that
 * compute the same in every rounding, and for those on weights that the host packed for Cortex-M4 and M7 (m4) or Cortex-M55 (m55).
 * Those of 16-bit codes are operators of their own: OCTET_OPS_16 for each fixed rounding, the others for both.
 */
#define OCTET_OPS_BY_ROUNDING(X) \
  X(conv2d) X(linear) X(matmul) X(add) X(binary) X(reduce) X(requantize) X(average_pool2d) X(quantize) X(softmax) X(resize)
#define OCTET_OPS_OF_ANY_ROUNDING(X) \
  X(max_pool2d) X(clamp) X(dequantize) X(transpose) X(lookup) X(gather) X(constant) OCTET_OPS_16_OF_ANY_ROUNDING(X)
#define OCTET_OPS_16_OF_ANY_ROUNDING(X)                                                                                    \
  X(conv2d_16)                                                                                                             \
  X(linear_16) X(matmul_16) X(max_pool2d_16) X(average_pool2d_16) X(clamp_16) X(quantize_16) X(dequantize_16) X(lookup_16) \
      X(resize_16)
#define OCTET_OPS_16(X) X(add_16) X(binary_16) X(reduce_16) X(requantize_16) X(softmax_16) X(activation)
#define OCTET_OPS_PACKED(X) \
  X(m4_conv2d) X(m4_conv2d_sums) X(m4_depthwise) X(m4_linear) X(m55_conv2d) X(m55_conv2d_sums) X(m55_depthwise) X(m55_linear)
#define OCTET_OPS_PACKED_FIXED(X) X(m4_add) X(m55_add) /* no rounding "real" */

#define OCTET_DECLARE_OP(name) extern const octet_op octet_op_##name;
#define OCTET_DECLARE_FIXED(name) extern const octet_op octet_op_##name##_fixed_double, octet_op_##name##_fixed_single;
#define OCTET_DECLARE_ALL(name) OCTET_DECLARE_OP(name##_real) OCTET_DECLARE_FIXED(name)
OCTET_OPS_BY_ROUNDING(OCTET_DECLARE_ALL)
OCTET_OPS_OF_ANY_ROUNDING(OCTET_DECLARE_OP)
OCTET_OPS_PACKED(OCTET_DECLARE_ALL)
OCTET_OPS_PACKED_FIXED(OCTET_DECLARE_FIXED)
OCTET_OPS_16(OCTET_DECLARE_FIXED)
#undef OCTET_DECLARE_OP
#undef OCTET_DECLARE_FIXED
#undef OCTET_DECLARE_ALL

#ifdef __cplusplus
}
#endif
#endif
