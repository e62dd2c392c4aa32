// SPDX-License-Identifier: Apache-2.0
// Writes the report of a small network with one sabotaged layer, for the test that opens it in a browser, and what the report was
// made from, for the test of the command that makes one.
#include <algorithm>
#include <fstream>
#include <iostream>

#include "io/model_file.h"
#include "io/npy.h"
#include "numeric_suite/report.h"
#include "tests/numeric_suite/support.h"

using namespace octet;
using namespace octet::suite_test;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_report FOLDER\n";
    return 2;
  }
  const Model model = small_network(1);
  const std::vector<Tensor> data = batches({8, 8, 8, 3}, 3, 2);
  Model int8 = post_training(model, data);
  const Model good = int8;
  int8["dw"].out_q[0]->scale[0] /= 8;
  // The float network is right, so that what int8 gets wrong counts.
  std::vector<Tensor> labels(3, Tensor::zeros({8}, DType::i32));
  for (size_t b = 0; b < data.size(); ++b) {
    const Tensor y = infer(model, {&data[b], 1})[0];
    for (int64_t i = 0; i < 8; ++i) {
      const auto row = y.data<float>().subspan(i * y.size(1), y.size(1));
      labels[b].mutable_data<int32_t>()[i] = static_cast<int32_t>(std::ranges::max_element(row) - row.begin());
    }
  }
  const Report report = make_report(model, int8, data, {.title = "A <sabotaged> network & its \"cause\"", .labels = labels});
  const std::string folder = argv[1];
  std::ofstream(folder + "/report.html") << to_html(report);
  std::ofstream(folder + "/report.json") << to_json(report);
  save_model(folder + "/float.octet", model);
  save_model(folder + "/int8.octet", int8);
  save_model(folder + "/int8_good.octet", good);
  Model wrong = good;  // one class that wins more often than it should
  wrong["head"].params.at("bias").mutable_data<float>()[4] += 0.2F;
  save_model(folder + "/int8_wrong.octet", wrong);
  // The same as if it had been built for training batches of 64.
  Model trained = int8;
  const std::vector<std::vector<Shape>> shapes = infer_shapes(int8, std::vector<Shape>{{64, 8, 8, 3}});
  for (size_t i = 0; i < shapes.size(); ++i) trained.modules[i].nominal = shapes[i];
  std::get<Input>(trained["image"].op).shape = {64, 8, 8, 3};
  save_model(folder + "/int8_batch64.octet", trained);
  save_npy(folder + "/data.npy", concat(data, 0));
  save_npy(folder + "/labels.npy", concat(labels, 0));
  save_npy(folder + "/labels_few.npy", Tensor::zeros({23}, DType::i32));
  save_npy(folder + "/labels_column.npy", Tensor::zeros({24, 1}, DType::i32));
  // Two inputs, each with data of its own.
  const Model both = two_inputs(1);
  const std::vector<std::vector<Tensor>> sides = pairs(1, 24, 7);
  Model prepared = prepare(both, {{"", octet_qconfig()}});
  calibrate(prepared, sides);
  save_model(folder + "/both.octet", both);
  save_model(folder + "/both_int8.octet", convert(prepared));
  save_npy(folder + "/left.npy", sides[0][0]);
  save_npy(folder + "/right.npy", sides[0][1]);
  return 0;
}
