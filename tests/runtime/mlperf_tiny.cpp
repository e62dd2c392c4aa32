// SPDX-License-Identifier: Apache-2.0
// The trained int8 models of MLPerf Tiny as octet models: codes and scales are taken as they are, multipliers are computed anew and
// must come out equal to the file's.
#include <cstdlib>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include "io/npy.h"
#include "io/safetensors.h"
#include "kernels/kernel.h"
#include "tests/runtime/networks.h"

namespace octet::device {
namespace {

using Json = nlohmann::json;

QParams codes(const Json& scale, const Json& zero_point) {
  QParams q;
  q.scale = {scale.get<float>()};
  q.zero_point = {zero_point.get<int32_t>()};
  q.qmin = -128, q.qmax = 127;
  return q;
}

class Loader {
 public:
  Loader(const std::string& folder, Rounding rounding) : file_(load_safetensors(folder + "/int8.safetensors").tensors) {
    const Bytes text = read_file(folder + "/int8_graph.json", 1 << 20);
    graph_ = Json::parse(reinterpret_cast<const char*>(text.data()), reinterpret_cast<const char*>(text.data()) + text.size());
    model_.rounding = rounding;
  }

  Model run() {
    const Json& in = graph_["input"];
    at_["input"] = model_.add("input", Input{in["shape"].get<Shape>()});
    model_.modules[0].out_q = {codes(in["scale"], in["zero_point"])};
    for (const Json& op : graph_["ops"]) add(op);
    return std::move(model_);
  }

 private:
  const Tensor& tensor(const std::string& name) const {
    const auto found = file_.find(name);
    check(found != file_.end(), "int8.safetensors: no ", name);
    return found->second;
  }

  void add(const Json& op) {
    const std::string name = op["name"], kind = op["op"];
    if (kind == "SOFTMAX") return;
    const Json& from = op["inputs"][0];
    int input = at_.at(from["frm"]);
    const QParams out = codes(op["out_scale"], op["out_zero_point"]);
    const Activation act = op["activation"] == "relu" ? Activation::relu : Activation::none;
    if (kind == "AVERAGE_POOL_2D") {
      const Shape k = op["kernel"].get<Shape>(), s = op["stride"].get<Shape>();
      input = model_.add(name, Pool2d{.kind = Pool::average, .kernel = {k[0], k[1]}, .stride = {s[0], s[1]}}, {{input, 0}});
      model_.modules[input].out_q = {*model_.modules[model_.modules[input].inputs[0].module].out_q[0]};
    } else if (kind == "RESHAPE") {
      const QParams same = *model_.modules[input].out_q[0];
      input = model_.add(name, Reshape{op["out_shape"].get<Shape>()}, {{input, 0}});
      model_.modules[input].out_q = {same};
    } else if (kind == "FULLY_CONNECTED") {
      const Tensor& w = tensor(name + ".weight_q");
      input = model_.add(name, Linear{.in = w.size(1), .out = w.size(0), .act = act}, {{input, 0}});
      weigh(input, name, w, out);
    } else {
      const bool depthwise = kind == "DEPTHWISE_CONV_2D";
      check(depthwise || kind == "CONV_2D", "int8_graph.json: ", name, " is a ", kind);
      Tensor w = tensor(name + ".weight_q");
      if (depthwise) w = channels_first(w);
      const Shape k = op["kernel"].get<Shape>(), s = op["stride"].get<Shape>(), p = op["pads_tlbr"].get<Shape>();
      const int64_t in = op["in_shape"][3];
      input = model_.add(name,
                         Conv2d{.in = in,
                                .out = w.size(0),
                                .kernel = {k[0], k[1]},
                                .stride = {s[0], s[1]},
                                .padding = {p[0], p[1], p[2], p[3]},
                                .groups = depthwise ? in : 1,
                                .act = act},
                         {{input, 0}});
      weigh(input, name, w, out);
    }
    at_[name] = input;
  }

  /// 1,h,w,c to c,h,w,1.
  static Tensor channels_first(const Tensor& w) {
    Tensor y({w.size(3), w.size(1), w.size(2), 1}, DType::i8);
    const int64_t taps = w.size(1) * w.size(2), channels = w.size(3);
    for (int64_t t = 0; t < taps; ++t)
      for (int64_t c = 0; c < channels; ++c) y.mutable_data<int8_t>()[c * taps + t] = w.data<int8_t>()[t * channels + c];
    return y;
  }

  void weigh(int index, const std::string& name, const Tensor& w, const QParams& out) {
    Module& m = model_.modules[index];
    m.out_q = {out};
    QParams q;
    const auto scales = tensor(name + ".weight_scale").data<float>();
    q.scale.assign(scales.begin(), scales.end());
    q.zero_point.assign(scales.size(), 0);
    q.axis = scales.size() > 1 ? 0 : -1;
    q.qmin = -127, q.qmax = 127;
    m.params.insert_or_assign("weight", w.with(q));
    const float sx = model_.modules[m.inputs[0].module].out_q[0]->scale[0];
    const auto bias_q = tensor(name + ".bias_q").data<int32_t>();
    Tensor bias({static_cast<int64_t>(bias_q.size())}, DType::f32);
    for (size_t c = 0; c < bias_q.size(); ++c)
      bias.mutable_data<float>()[c] =
          static_cast<float>(double{sx} * double{scales[scales.size() > 1 ? c : 0]} * static_cast<double>(bias_q[c]));
    m.params.insert_or_assign("bias", bias);
    if (model_.rounding != Rounding::real) compare_tables(index, name);
  }

  /// What lower computes must be what the file says, or equal logits would be luck.
  void compare_tables(int index, const std::string& name) const {
    const Shape in = model_.modules[model_.modules[index].inputs[0].module].nominal[0];
    const Lowered lowered = lower(model_, index, {&in, 1});
    const Blobs& b = *lowered.calls[0].blobs;
    const auto expect = [&](const char* what, const std::vector<int32_t>& got) {
      const auto expected = tensor(name + what).data<int32_t>();
      for (size_t c = 0; c < got.size(); ++c)
        check(got[c] == expected[expected.size() > 1 ? c : 0], name, what, "[", c, "]: expected ",
              expected[expected.size() > 1 ? c : 0], ", lower gave ", got[c]);
    };
    expect(".bias_q", b.bias_codes);
    expect(".multiplier", b.multiplier);
    expect(".shift", b.shift);
  }

  std::map<std::string, Tensor> file_;
  Json graph_;
  Model model_;
  std::map<std::string, int> at_;
};

}  // namespace

std::optional<Example> mlperf_tiny(const std::string& folder, Rounding rounding, int samples, Tensor* golden) {
  const char* root = std::getenv("OCTET_MODELS");
  const std::string path = (root != nullptr ? std::string(root) : std::string("../shared/models")) + "/" + folder;
  if (!std::filesystem::exists(path)) return std::nullopt;
  Example e{folder, Loader(path, rounding).run(), {}};
  const bool pictures = std::filesystem::exists(path + "/samples_int8_nhwc.npy");
  const Tensor all = load_npy(path + (pictures ? "/samples_int8_nhwc.npy" : "/synthetic_samples_int8.npy"));
  const QParams& q = *e.int8.modules[0].out_q[0];
  for (int i = 0; i < samples && i < all.size(0); ++i) e.samples.push_back(slice_rows(all, i, i + 1).with(q));
  if (golden != nullptr)
    *golden =
        load_npy(path + (rounding == Rounding::fixed_single ? "/golden_int8_logits_single.npy" : "/golden_int8_logits_double.npy"));
  return e;
}

std::optional<Example> example(const std::string& name, Rounding rounding, int samples) {
  if (name == "dscnn") return mlperf_tiny("mlperf-tiny-kws-dscnn", rounding, samples);
  if (name == "autoencoder") return mlperf_tiny("mlperf-tiny-ad-autoencoder", rounding, samples);
  if (name == "every_op") return quantized(name, every_op(), rounding, true, samples);
  if (name == "resnet8") return quantized(name, resnet8(), rounding, true, samples);
  if (name == "demo") return quantized(name, demo(), rounding, true, samples);
  if (name == "tiny_separable") return quantized(name, tiny_separable(), rounding, true, samples);
  if (name == "tiny_pruned") return quantized(name, tiny_separable(), rounding, true, samples, prune_some);
  if (name == "mobilenet") return quantized(name, mobilenet(), rounding, true, samples);
  if (name == "mobilenet_pruned") return quantized(name, mobilenet(), rounding, true, samples, prune_some);
  if (name.ends_with("_16") && rounding == Rounding::real) return std::nullopt;
  if (name == "every_op_16") return wide(name, every_op(), rounding, samples);
  if (name == "functions_16") return wide(name, functions(), rounding, samples);
  if (name == "arrangements_16") return wide(name, arrangements(), rounding, samples);
  fail("no model \"", name,
       "\"; there are dscnn, autoencoder, every_op, resnet8, demo, tiny_separable, tiny_pruned, mobilenet, mobilenet_pruned, "
       "every_op_16, functions_16, arrangements_16");
}

}  // namespace octet::device
