// SPDX-License-Identifier: Apache-2.0
// QConfig: which hooks a module's output and weight get, and PyTorch's presets by their names.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "quant/fake_quantize.h"

namespace octet {

/// Prototypes that prepare() copies onto modules; an empty one leaves that point alone.
struct QConfig {
  std::optional<FakeQuantize> activation, weight;
  bool averages = false;  ///< average pools and means have an observer of their own (Codes::either), not their input's codes
};

/// By dotted path prefix ("" is the whole model); the longest match wins, nullopt keeps the modules below in float.
using QConfigMap = std::map<std::string, std::optional<QConfig>>;

// Post-training presets. Activations u8; default_qconfig and default_per_channel_qconfig use codes 0..127 on every engine.
QConfig default_qconfig();              ///< MinMax activations, per-tensor symmetric weights
QConfig default_per_channel_qconfig();  ///< MinMax activations, per-channel symmetric weights
/// "fbgemm", "x86" (reduced range), "qnnpack" (per-tensor weights), "onednn" (full range): histogram activations. Throws for
/// another name.
QConfig get_default_qconfig(std::string_view backend = "x86");
QConfig default_symmetric_qnnpack_qconfig();  ///< i8 histogram activations, weights -127..127, scales >= 2^-12
QConfig default_per_channel_symmetric_qnnpack_qconfig();

// Quantization-aware presets: the same hooks with rounding on.
QConfig default_qat_qconfig();              ///< moving-average activations 0..127, moving-average per-tensor weights
QConfig default_qat_qconfig_v2();           ///< the same with activations 0..255
QConfig default_weight_only_qconfig();      ///< weights only
QConfig default_activation_only_qconfig();  ///< activations only
/// Backends as above; version 0 and 1 differ in PyTorch only by a fused operator and are equal here.
QConfig get_default_qat_qconfig(std::string_view backend = "x86", int version = 1);
QConfig default_symmetric_qnnpack_qat_qconfig();
QConfig default_per_channel_symmetric_qnnpack_qat_qconfig();

// octet's own.
/// Histogram activations and per-channel symmetric weights, both with all 256 codes: exact on every engine here, so nothing is
/// given away. Unlike PyTorch's presets octet's have no absolute floor for scales (ObserverSpec::eps = 0), so that a network's
/// units do not matter, limit absurd values in calibration data (OutlierGuard), and give averages a range of their own: over
/// sparse values it is a small part of their input's.
QConfig octet_qconfig();
/// Its training twin: moving-average activations, weights observed anew at every step.
QConfig octet_qat_qconfig();
/// For microcontrollers: i8 activations and weights -127..127, which the packed kernels of firmware take.
QConfig octet_device_qconfig();
QConfig octet_device_qat_qconfig();
/// 16-bit activations around zero and int8 weights -127..127 per channel (TensorFlow Lite's 16x8): min-max activations, because
/// 32767 codes leave nothing to win by clipping. Needs rounding fixed_double or fixed_single.
QConfig octet_16x8_qconfig();
/// Its training twin.
QConfig octet_16x8_qat_qconfig();

}  // namespace octet
