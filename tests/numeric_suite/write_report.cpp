// SPDX-License-Identifier: Apache-2.0
// Writes the report of a small network with one sabotaged layer, for the test that opens it in a browser, and what the report was
// made from, for the test of the command that makes one.
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
  int8["dw"].out_q[0]->scale[0] /= 8;
  std::vector<Tensor> labels(3, Tensor::zeros({8}, DType::i32));
  const Report report = make_report(model, int8, data, {.title = "A <sabotaged> network & its \"cause\"", .labels = labels});
  const std::string folder = argv[1];
  std::ofstream(folder + "/report.html") << to_html(report);
  std::ofstream(folder + "/report.json") << to_json(report);
  save_model(folder + "/float.octet", model);
  save_model(folder + "/int8.octet", int8);
  save_npy(folder + "/data.npy", concat(data, 0));
  save_npy(folder + "/labels.npy", concat(labels, 0));
  save_npy(folder + "/labels_few.npy", Tensor::zeros({23}, DType::i32));
  save_npy(folder + "/labels_column.npy", Tensor::zeros({24, 1}, DType::i32));
  return 0;
}
