// SPDX-License-Identifier: Apache-2.0
// Quantized fully connected layer through oneDNN's matmul; slices are runs of rows, or of nothing where there is one row.
#include <algorithm>

#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"
#include "kernels/onednn/self_test.h"

namespace octet::onednn {

using dnnl::memory;
using kernels::LinearArgs;

Made make_untested(const LinearArgs& a, std::shared_ptr<const Blobs> blobs) {
  const Layer layer{.args = a,
                    .output = a.output,
                    .input_type = a.input_type,
                    .output_type = a.output_type,
                    .residual_type = a.output_type,
                    .input_zero_point = a.input_zero_point,
                    .residual_zero_point = 0,
                    .residual_scale = 0,
                    .rounding = a.rounding,
                    .out_c = a.out,
                    .scale_mask = 2,
                    .blobs = std::move(blobs)};
  if (std::string why = refusal(layer); !why.empty()) return {nullptr, why};
  if (output_bytes(a) == 0) return {nullptr, "onednn: an empty output"};
  try {
    const OneThread one;
    const dnnl::primitive_attr attributes = layer.attributes();
    const int count = std::clamp(slices_for(a), 1, a.rows);
    std::vector<std::vector<Part>> slices;
    for (int i = 0; i < count; ++i) {
      const int64_t begin = int64_t{a.rows} * i / count, end = int64_t{a.rows} * (i + 1) / count;
      LinearArgs rows = a;
      rows.rows = static_cast<int32_t>(end - begin);
      slices.push_back({Part{rows, begin * a.in, begin * a.out}});
    }
    const auto make = [&](const KernelArgs& part) {
      const memory::dim rows = std::get<LinearArgs>(part).rows;
      const dnnl::matmul::primitive_desc description(cpu(), {{rows, a.in}, layer.input_data(), memory::format_tag::ab},
                                                     {{a.in, a.out}, memory::data_type::s8, memory::format_tag::any},
                                                     {{1, a.out}, memory::data_type::f32, memory::format_tag::ab},
                                                     {{rows, a.out}, layer.output_data(), memory::format_tag::ab}, attributes);
      return Primitive{description, dnnl::matmul(description)};
    };
    return finish(layer, std::move(slices), make, {{a.in, a.out}, memory::data_type::s8, memory::format_tag::ba});
  } catch (const dnnl::error& e) {
    return {nullptr, std::string("onednn: no implementation for this product (") + e.what() + ")"};
  }
}

Made make(const LinearArgs& a, std::shared_ptr<const Blobs> blobs) {
  Made made = make_untested(a, std::move(blobs));
  if (made.kernel != nullptr && !linear_self_test().empty()) return {nullptr, linear_self_test()};
  return made;
}

}  // namespace octet::onednn
