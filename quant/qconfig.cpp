// SPDX-License-Identifier: Apache-2.0
// The presets, each written out from the same few observers.
#include "quant/qconfig.h"

#include "quant/observers/histogram.h"
#include "quant/observers/range.h"

namespace octet {
namespace {

using CodeRange = std::pair<int32_t, int32_t>;

constexpr float kQnnpackEps = 0x1p-12F;
constexpr ObserverSpec kActivation{};  // u8 affine, 0..255
constexpr ObserverSpec kHalfActivation{.quant_range = CodeRange{0, 127}};
constexpr ObserverSpec kReducedActivation{.reduce_range = true};
constexpr ObserverSpec kSignedActivation{.dtype = DType::i8, .eps = kQnnpackEps};
constexpr ObserverSpec kWeight{.dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric};
constexpr ObserverSpec kChannelWeight{.dtype = DType::i8, .scheme = QScheme::per_channel_symmetric};
constexpr ObserverSpec kQnnpackWeight{
    .dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric, .quant_range = CodeRange{-127, 127}, .eps = kQnnpackEps};
constexpr ObserverSpec kQnnpackChannelWeight{
    .dtype = DType::i8, .scheme = QScheme::per_channel_symmetric, .quant_range = CodeRange{-127, 127}, .eps = kQnnpackEps};
constexpr float kMemoryless = 1;

// octet's own have no absolute floor: a network computes the same whatever its units are.
constexpr float kNoFloor = 0;
constexpr ObserverSpec kOctetActivation{.eps = kNoFloor};
constexpr ObserverSpec kOctetWeight{.dtype = DType::i8, .scheme = QScheme::per_channel_symmetric, .eps = kNoFloor};
constexpr ObserverSpec kDeviceActivation{.dtype = DType::i8, .eps = kNoFloor};
constexpr ObserverSpec kDeviceWeight{
    .dtype = DType::i8, .scheme = QScheme::per_channel_symmetric, .quant_range = CodeRange{-127, 127}, .eps = kNoFloor};

constexpr ObserverSpec kWideActivation{.dtype = DType::i16, .scheme = QScheme::per_tensor_symmetric, .eps = kNoFloor};

template <class O>
FakeQuantize observing(O observer) {
  return {std::make_unique<O>(std::move(observer)), true, false};
}
/// Weights are constant until convert, which shows them to the observer then.
template <class O>
FakeQuantize at_convert(O observer) {
  return {std::make_unique<O>(std::move(observer)), false, false};
}
template <class O>
FakeQuantize training(O observer) {
  return {std::make_unique<O>(std::move(observer)), true, true};
}

FakeQuantize guarded(FakeQuantize hook) {
  hook.guard.emplace();
  return hook;
}

enum class Backend { fbgemm, x86, qnnpack, onednn };
Backend backend_of(std::string_view name) {
  if (name == "fbgemm") return Backend::fbgemm;
  if (name == "x86") return Backend::x86;
  if (name == "qnnpack") return Backend::qnnpack;
  check(name == "onednn", "qconfig: unknown backend \"", name, "\"; known are fbgemm, x86, qnnpack, onednn");
  return Backend::onednn;
}
bool reduces(Backend backend) { return backend == Backend::fbgemm || backend == Backend::x86; }

}  // namespace

QConfig default_qconfig() { return {observing(MinMaxObserver(kHalfActivation)), at_convert(MinMaxObserver(kWeight))}; }

QConfig default_per_channel_qconfig() {
  return {observing(MinMaxObserver(kHalfActivation)), at_convert(PerChannelMinMaxObserver(kChannelWeight))};
}

QConfig get_default_qconfig(std::string_view name) {
  const Backend backend = backend_of(name);
  const HistogramObserver activation(reduces(backend) ? kReducedActivation : kActivation);
  if (backend == Backend::qnnpack) return {observing(activation), at_convert(MinMaxObserver(kWeight))};
  return {observing(activation), at_convert(PerChannelMinMaxObserver(kChannelWeight))};
}

QConfig default_symmetric_qnnpack_qconfig() {
  return {observing(HistogramObserver(kSignedActivation)), at_convert(MinMaxObserver(kQnnpackWeight))};
}

QConfig default_per_channel_symmetric_qnnpack_qconfig() {
  return {observing(HistogramObserver(kSignedActivation)), at_convert(PerChannelMinMaxObserver(kQnnpackChannelWeight))};
}

QConfig default_qat_qconfig() {
  return {training(MovingAverageMinMaxObserver(kReducedActivation)), training(MovingAverageMinMaxObserver(kWeight))};
}

QConfig default_qat_qconfig_v2() {
  return {training(MovingAverageMinMaxObserver(kActivation)), training(MovingAverageMinMaxObserver(kWeight))};
}

QConfig default_weight_only_qconfig() { return {std::nullopt, training(MovingAverageMinMaxObserver(kWeight))}; }

QConfig default_activation_only_qconfig() { return {training(MovingAverageMinMaxObserver(kReducedActivation)), std::nullopt}; }

QConfig get_default_qat_qconfig(std::string_view name, int version) {
  const Backend backend = backend_of(name);
  check(version == 0 || version == 1, "qconfig: version ", version, " of a default QAT configuration; known are 0 and 1");
  const MovingAverageMinMaxObserver activation(reduces(backend) ? kReducedActivation : kActivation);
  if (backend == Backend::qnnpack) return {training(activation), training(MovingAverageMinMaxObserver(kWeight))};
  return {training(activation), training(MovingAveragePerChannelMinMaxObserver(kChannelWeight))};
}

QConfig default_symmetric_qnnpack_qat_qconfig() {
  return {training(MovingAverageMinMaxObserver(kSignedActivation)), training(MovingAverageMinMaxObserver(kQnnpackWeight))};
}

QConfig default_per_channel_symmetric_qnnpack_qat_qconfig() {
  return {training(MovingAverageMinMaxObserver(kSignedActivation)),
          training(MovingAveragePerChannelMinMaxObserver(kQnnpackChannelWeight))};
}

QConfig octet_qconfig() {
  return {guarded(observing(HistogramObserver(kOctetActivation))), at_convert(PerChannelMinMaxObserver(kOctetWeight)), true};
}

QConfig octet_qat_qconfig() {
  return {guarded(training(MovingAverageMinMaxObserver(kOctetActivation))),
          training(MovingAveragePerChannelMinMaxObserver(kOctetWeight, kMemoryless)), true};
}

QConfig octet_device_qconfig() {
  return {guarded(observing(HistogramObserver(kDeviceActivation))), at_convert(PerChannelMinMaxObserver(kDeviceWeight)), true};
}

QConfig octet_device_qat_qconfig() {
  return {guarded(training(MovingAverageMinMaxObserver(kDeviceActivation))),
          training(MovingAveragePerChannelMinMaxObserver(kDeviceWeight, kMemoryless)), true};
}

QConfig octet_16x8_qconfig() {
  return {guarded(observing(MinMaxObserver(kWideActivation))), at_convert(PerChannelMinMaxObserver(kDeviceWeight)), true};
}

QConfig octet_16x8_qat_qconfig() {
  return {guarded(training(MovingAverageMinMaxObserver(kWideActivation))),
          training(MovingAveragePerChannelMinMaxObserver(kDeviceWeight, kMemoryless)), true};
}

}  // namespace octet
