// SPDX-License-Identifier: Apache-2.0
// Finding, reading and shaping data.
#include "tools/octet/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "engine/quantize.h"
#include "io/npy.h"
#include "io/npz.h"
#include "tools/octet/arguments.h"
#include "tools/octet/picture.h"
#include "tools/octet/verb.h"

namespace octet::cli {
namespace {

namespace fs = std::filesystem;

std::vector<float> numbers_of(const std::string& text) {
  std::vector<float> list;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    list.push_back(static_cast<float>(number_of(text.substr(at, end - at))));
    at = end + 1;
  }
  return list;
}

std::vector<const Module*> inputs_of(const Model& model) {
  std::vector<const Module*> inputs;
  for (const Module& m : model.modules)
    if (std::holds_alternative<Input>(m.op)) inputs.push_back(&m);
  return inputs;
}

bool same_rows(const Shape& takes, const Shape& got, size_t skip) {
  return got.size() == takes.size() - 1 + skip &&
         std::equal(takes.begin() + 1, takes.end(), got.begin() + static_cast<ptrdiff_t>(skip));
}

Shape without_first(const Shape& s) { return {s.begin() + 1, s.end()}; }

/// [n, c, …] as [n, …, c].
Tensor channels_last(const Tensor& t) {
  if (t.rank() < 3) return t;
  Shape flat{t.size(0), t.size(1), t.numel() / std::max<int64_t>(t.size(0) * t.size(1), 1), 1};
  Shape shape{t.size(0)};
  shape.insert(shape.end(), t.shape().begin() + 2, t.shape().end());
  shape.push_back(t.size(1));
  return nhwc_from_nchw(t.reshape(flat)).reshape(shape);
}

/// The array in the shape of the input, whose rows it may have as [n, …], as one sample, or as [n, 1, …].
std::optional<Tensor> fitted(const Tensor& t, const Shape& takes) {
  if (same_rows(takes, t.shape(), 1)) return t;
  if (same_rows(takes, t.shape(), 0)) {
    Shape one = t.shape();
    one.insert(one.begin(), 1);
    return t.reshape(one);
  }
  if (t.rank() == takes.size() + 1 && without_first(t.shape()) == takes) {
    Shape rows = takes;
    rows[0] *= t.size(0);
    return t.reshape(rows);
  }
  return std::nullopt;
}

/// The array as codes of the input.
Tensor as_codes(const Tensor& t, const Module& input, const std::string& path, const std::string& model_file) {
  check(!input.out_q.empty() && input.out_q[0].has_value(), path, ": --codes, but input ", input.path, " of ", model_file,
        " takes floats");
  check(t.dtype() == code_dtype(*input.out_q[0]), path, ": has elements of type ", to_string(t.dtype()), ", the codes of input ",
        input.path, " of ", model_file, " are ", to_string(code_dtype(*input.out_q[0])));
  const Tensor codes = t.with(*input.out_q[0]);
  check_codes(codes, path);
  return codes;
}

}  // namespace

CLI::Validator number_list(bool positive) {
  return CLI::Validator(
      [positive](std::string& text) -> std::string {
        try {
          const std::vector<float> list = numbers_of(text);
          if (!positive || std::ranges::all_of(list, [](float v) { return v > 0; })) return "";
        } catch (const Error&) {  // said below
        }
        return std::string("expected ") + (positive ? "positive " : "") + "numbers with commas between them, got \"" + text + "\"";
      },
      "");
}

CLI::Option* SampleOptions::add(CLI::App& verb, const std::string& names, const std::string& what) {
  CLI::Option* option = verb.add_option(names, files, what)->required()->type_name("FILE");
  verb.add_option("--mean", mean, "of pictures: what is subtracted from pixel / 255, one value or one a channel")
      ->check(number_list(false))
      ->type_name("X[,X...]")
      ->group(kDataGroup);
  verb.add_option("--std", std, "of pictures: what the difference is divided by")
      ->check(number_list(true))
      ->type_name("X[,X...]")
      ->group(kDataGroup);
  verb.add_option(
          "--resize", resize,
          "of pictures: stretch, crop (shorter side fitted, centre cut out), none, or the pixels of the shorter side before "
          "the centre is cut out")
      ->check(CLI::Validator(
          [](std::string& text) -> std::string {
            if (text == "stretch" || text == "crop" || text == "none" || whole_number(1, 1 << 14)(text).empty()) return "";
            return "expected stretch, crop, none or a number of pixels, got \"" + text + "\"";
          },
          ""))
      ->type_name("HOW")
      ->group(kDataGroup);
  verb.add_option("--layout", layout, "order of axes in arrays: nhwc, or nchw, which is transposed")
      ->check(CLI::IsMember({"nhwc", "nchw"}))
      ->group(kDataGroup);
  verb.add_flag("--codes", codes, "arrays are integer codes of the input's own type and meaning")->group(kDataGroup);
  return option;
}

Preprocessing SampleOptions::preprocessing(const Model& model, size_t index) const {
  Preprocessing p;
  const Interface& face = model.interface;
  if (index < face.inputs.size() && face.inputs[index].preprocessing) p = *face.inputs[index].preprocessing;
  if (!mean.empty()) p.mean = numbers_of(mean);
  if (!std.empty()) p.std = numbers_of(std);
  if (!layout.empty()) p.layout = layout == "nchw" ? Layout::nchw : Layout::nhwc;
  if (resize.empty()) return p;
  p.shorter = 0;
  p.resize = resize == "stretch" ? Resize::stretch : resize == "none" ? Resize::none : Resize::crop;
  if (resize[0] >= '0' && resize[0] <= '9') p.shorter = static_cast<int64_t>(number_of(resize));
  return p;
}

namespace {

/// "x.npz:images" is an array of an archive; "x.npz" the only one it has.
std::optional<Tensor> array_of_archive(const std::string& path) {
  const size_t end = path.rfind(".npz");
  if (end == std::string::npos || (end + 4 != path.size() && path[end + 4] != ':')) return std::nullopt;
  const std::string file = path.substr(0, end + 4), name = end + 4 == path.size() ? "" : path.substr(end + 5);
  const std::map<std::string, Tensor> arrays = load_npz(file);
  std::vector<std::string> names;
  for (const auto& [key, tensor] : arrays) names.push_back(key);
  if (name.empty() && arrays.size() == 1) return arrays.begin()->second;
  const auto found = arrays.find(name);
  check(found != arrays.end(), path, name.empty() ? ": which of its arrays? It has " : ": has no such array; it has ",
        fmt::format("{}", fmt::join(names, ", ")), " (", file, ":NAME names one)");
  return found->second;
}

}  // namespace

Tensor SampleFiles::array_of(const std::string& path, bool codes) {
  const std::optional<Tensor> packed = array_of_archive(path);
  const std::string kind = packed ? "" : kind_of_file(path);
  check(kind.empty() || kind.starts_with("a NumPy"), path,
        ": expected inputs as a .npy file, a picture or a folder of them, this is ", kind);
  Tensor x = packed ? (codes ? *packed : packed->to(DType::f32)) : codes ? load_npy(path) : load_npy_floats(path);
  check(x.rank() > 0 && x.numel() > 0, path, ": expected a batch of inputs, got shape ", to_string(x.shape()));
  if (codes) return x;
  const std::span<const float> values = x.data<float>();
  const auto bad = std::ranges::find_if(values, [](float v) { return !std::isfinite(v); });
  check(bad == values.end(), path, ": element ", bad - values.begin(), " is ", bad == values.end() ? 0 : *bad);
  return x;
}

std::vector<SampleFiles::File> SampleFiles::listed(const std::string& folder, bool codes, bool nested) {
  std::vector<std::string> files, folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) folders.push_back(entry.path().string());
    if (entry.is_regular_file() && (is_picture(entry.path().string()) || entry.path().extension() == ".npy"))
      files.push_back(entry.path().string());
  }
  std::ranges::sort(files);
  std::ranges::sort(folders);
  std::vector<File> list;
  const auto take = [&](const std::string& path, int32_t group) {
    list.push_back({path, is_picture(path) ? std::nullopt : std::optional(array_of(path, codes)), group});
  };
  for (const std::string& path : files) take(path, -1);
  if (!list.empty()) return list;
  for (size_t c = 0; c < folders.size(); ++c)
    for (const File& file : nested ? std::vector<File>{} : listed(folders[c], codes, true))
      list.push_back({file.path, file.array, static_cast<int32_t>(c)});
  check(!list.empty(), folder, ": no pictures and no .npy files in this folder");
  return list;
}

SampleFiles::SampleFiles(const SampleOptions& options) : options_(options) {
  for (const std::string& path : options.files) {
    std::error_code unknown;
    if (fs::is_directory(path, unknown))
      given_.push_back(listed(path, options.codes));
    else if (is_picture(path))
      given_.push_back({{path, std::nullopt, -1}});
    else
      given_.push_back({{path, array_of(path, options.codes), -1}});
  }
}

Samples SampleFiles::fit(const Model& model, const std::string& model_file) const {
  const std::vector<const Module*> inputs = inputs_of(model);
  check(!inputs.empty(), model_file, ": has no inputs");
  check(inputs.size() == 1 || given_.size() == inputs.size(), model_file, ": has ", inputs.size(), " inputs, ", given_.size(),
        given_.size() == 1 ? " file of data was given" : " files of data were given");
  Samples samples;
  for (size_t k = 0; k < inputs.size(); ++k) {
    const Module& input = *inputs[k];
    const Shape& takes = input.nominal[0];
    const Preprocessing how = options_.preprocessing(model, k);
    std::vector<File> files;
    if (inputs.size() > 1) files = given_[k];
    for (size_t i = 0; i < given_.size() && inputs.size() == 1; ++i) files.insert(files.end(), given_[i].begin(), given_[i].end());
    std::vector<Tensor> parts;
    bool pictures = false;
    for (const File& file : files) {
      pictures |= !file.array;
      if (!file.array) {
        parts.push_back(read_picture(file.path, takes, how));
      } else {
        const bool nchw = how.layout == Layout::nchw;
        std::optional<Tensor> fit = fitted(nchw ? channels_last(*file.array) : *file.array, takes);
        check(fit.has_value(), file.path, ": has shape ", to_string(file.array->shape()), ", input ", input.path, " of ",
              model_file, " takes ", to_string(takes), " with any number of rows",
              !nchw && fitted(channels_last(*file.array), takes) ? "; --layout nchw reads arrays in N,C,H,W" : "");
        parts.push_back(options_.codes ? as_codes(*fit, input, file.path, model_file) : *fit);
      }
      const int64_t rows = parts.back().size(0);
      if (k == 0 && file.group >= 0) samples.classes.insert(samples.classes.end(), static_cast<size_t>(rows), file.group);
      if (k == 0) samples.names.insert(samples.names.end(), static_cast<size_t>(rows), rows == 1 ? file.path : "");
    }
    check(parts.size() == 1 || std::ranges::all_of(parts, [&](const Tensor& t) { return t.dtype() == parts[0].dtype(); }),
          files[0].path, ": pictures and codes cannot be mixed");
    samples.inputs.push_back(parts.size() == 1 ? parts[0] : concat(parts, 0));
    check(samples.inputs[k].size(0) == samples.rows(), files[0].path, ": has ", samples.inputs[k].size(0), " rows, ",
          given_[0][0].path, " has ", samples.rows());
    if (pictures) samples.notes.push_back(fmt::format("pictures of {}: {}", input.path, described(how, takes)));
  }
  return samples;
}

Tensor read_labels(const std::string& path) {
  if (const std::optional<Tensor> packed = array_of_archive(path)) return parse_npy_integers(npy_bytes(*packed), path);
  const std::string kind = kind_of_file(path);
  check(kind.empty() || kind.starts_with("a NumPy"), path, ": expected labels as a .npy file, this is ", kind);
  return load_npy_integers(path);
}

}  // namespace octet::cli
