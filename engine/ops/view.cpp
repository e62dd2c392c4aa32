// SPDX-License-Identifier: Apache-2.0
// What each operator that only shows its input otherwise shows of it.
#include <algorithm>

#include "engine/check.h"
#include "engine/ops/view.h"

namespace octet {
namespace {

View whole(const Shape& x) { return {x, row_major(x)}; }

void check_axes(const Shape& axes, int64_t rank, std::string_view path) {
  for (const int64_t axis : axes) {
    check(axis >= 0 && axis < rank, path, ": axis ", axis, " of ", rank, " axes");
    check(std::ranges::count(axes, axis) == 1, path, ": axis ", axis, " is named twice");
  }
}

const Shape& picture(const Shape& x, std::string_view path) {
  check(x.size() == 4, path, ": expected N,H,W,C, got shape ", to_string(x));
  return x;
}

/// Slices along the axis: of memory where it is the first that is longer than one.
std::vector<View> pieces(const Split& op, const Shape& x) {
  const auto axis = static_cast<size_t>(op.axis);
  std::vector<View> views;
  int64_t at = 0;
  for (const int64_t size : op.sizes) {
    View& view = views.emplace_back(View{x, row_major(x), at * row_major(x)[axis]});
    view.shape[axis] = size;
    at += size;
  }
  return views;
}

}  // namespace

View Transpose::view(const Shape& x, std::string_view path) const {
  check(order.size() == x.size() && x.size() <= 6 && is_permutation(order), path, ": order ", to_string(order),
        " is no permutation of the axes of ", to_string(x), " (six axes at most)");
  const Shape strides = row_major(x);
  View view;
  for (const int64_t axis : order) view.shape.push_back(x[axis]), view.strides.push_back(strides[axis]);
  return view;
}

View Slice::view(const Shape& x, std::string_view path) const {
  check(x.size() <= 6, path, ": shape ", to_string(x), " has more than six axes");
  check(starts.size() == axes.size() && ends.size() == axes.size() && (steps.empty() || steps.size() == axes.size()), path, ": ",
        axes.size(), " axes with ", starts.size(), " starts, ", ends.size(), " ends and ", steps.size(), " steps");
  check_axes(axes, static_cast<int64_t>(x.size()), path);
  View view = whole(x);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    const int64_t n = x[axis], step = steps.empty() ? 1 : steps[i];
    check(step > 0, path, ": step ", step, " along axis ", axis);
    const auto place = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + n : at, 0, n); };
    const int64_t from = place(starts[i]), to = place(ends[i]);
    view.shape[axis] = to > from ? (to - from - 1) / step + 1 : 0;
    view.offset += view.shape[axis] > 0 ? from * view.strides[axis] : 0;
    view.strides[axis] *= view.shape[axis] > 1 ? step : 1;
  }
  return view;
}

View Squeeze::view(const Shape& x, std::string_view path) const {
  check_axes(axes, static_cast<int64_t>(x.size()), path);
  const View all = whole(x);
  View view;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool goes = std::ranges::find(axes, static_cast<int64_t>(i)) != axes.end();
    check(!goes || x[i] == 1, path, ": axis ", i, " of shape ", to_string(x), " is not 1 long");
    if (!goes) view.shape.push_back(x[i]), view.strides.push_back(all.strides[i]);
  }
  check(view.shape.size() <= 6, path, ": shape ", to_string(view.shape), " has more than six axes");
  return view;
}

View Unsqueeze::view(const Shape& x, std::string_view path) const {
  const size_t rank = x.size() + axes.size();
  check(rank <= 6, path, ": an output of ", rank, " axes, at most six");
  check_axes(axes, static_cast<int64_t>(rank), path);
  View view{Shape(rank, 1), Shape(rank, 1)};
  for (size_t i = 0, from = 0; i < rank; ++i)
    if (std::ranges::find(axes, static_cast<int64_t>(i)) == axes.end()) view.shape[i] = x[from++];
  view.strides = row_major(view.shape);
  return view;
}

View Expand::view(const Shape& x, std::string_view path) const {
  check(shape.size() >= x.size() && shape.size() <= 6, path, ": shape ", to_string(x), " expanded to ", to_string(shape));
  const size_t before = shape.size() - x.size();
  const Shape strides = row_major(x);
  View view{shape, Shape(shape.size(), 0)};
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool own = i >= before;
    check(shape[i] >= 0 || (shape[i] == -1 && own), path, ": dimension ", shape[i], " in ", to_string(shape));
    if (!own) continue;
    const int64_t n = x[i - before];
    if (shape[i] == -1) view.shape[i] = n;
    check(n == view.shape[i] || n == 1, path, ": shape ", to_string(x), " cannot be expanded to ", to_string(shape));
    if (n != 1) view.strides[i] = strides[i - before];
  }
  return view;
}

View DepthToSpace::view(const Shape& x, std::string_view path) const {
  picture(x, path);
  check(block > 0 && block < 1 << 15 && x[3] % (block * block) == 0, path, ": blocks of ", block, "x", block, " out of ", x[3],
        " channels");
  const int64_t c = x[3] / (block * block), w = x[3], h = w * x[2], n = h * x[1];
  View view{{x[0], x[1], block, x[2], block, c}, {n, h, crd ? block : block * c, w, crd ? 1 : c, crd ? block * block : 1}};
  view.as = Shape{x[0], x[1] * block, x[2] * block, c};
  return view;
}

View SpaceToDepth::view(const Shape& x, std::string_view path) const {
  picture(x, path);
  check(block > 0 && x[1] % block == 0 && x[2] % block == 0, path, ": blocks of ", block, "x", block, " out of shape ",
        to_string(x));
  const int64_t c = x[3], w = c, h = w * x[2], n = h * x[1];
  View view{{x[0], x[1] / block, x[2] / block, block, block, c}, {n, h * block, w * block, h, w, 1}};
  if (crd) view.shape = {x[0], x[1] / block, x[2] / block, c, block, block}, view.strides = {n, h * block, w * block, 1, h, w};
  view.as = Shape{x[0], x[1] / block, x[2] / block, c * block * block};
  return view;
}

View ChannelShuffle::view(const Shape& x, std::string_view path) const {
  check(!x.empty() && x.size() <= 5, path, ": shape ", to_string(x), ", expected one to five axes");
  check(groups > 0 && x.back() % groups == 0, path, ": ", groups, " groups of ", x.back(), " channels");
  View view = whole(x);
  const int64_t each = x.back() / groups;
  view.shape.back() = each, view.shape.push_back(groups);
  view.strides.push_back(each);
  view.as = x;
  return view;
}

std::vector<Shape> Split::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  check(axis >= 0 && axis < static_cast<int64_t>(x.size()) && x.size() <= 6, call.path, ": axis ", axis, " of shape ", to_string(x),
        " (six axes at most)");
  check(!sizes.empty() && sizes.size() <= kMostPieces, call.path, ": ", sizes.size(), " pieces, expected 1 to ", kMostPieces);
  int64_t left = x[static_cast<size_t>(axis)];
  for (const int64_t size : sizes) {
    check(size > 0 && size <= left, call.path, ": pieces ", to_string(sizes), " of axis ", axis, " of shape ", to_string(x));
    left -= size;
  }
  check(left == 0, call.path, ": pieces ", to_string(sizes), " leave ", left, " of axis ", axis, " of shape ", to_string(x));
  std::vector<Shape> shapes;
  for (const View& view : pieces(*this, x)) shapes.push_back(view.shape);
  return shapes;
}

std::vector<Var> Split::forward(const Call& call) const {
  std::vector<Var> outputs;
  for (const View& view : pieces(*this, call.inputs[0].shape())) outputs.push_back(shown(call.inputs[0], view));
  return outputs;
}

Lowered Split::lower(const LowerCall& call) const { return lowered(pieces(*this, call.input_shapes[0]), call.inputs[0]); }

LoweredFloats Split::lower_float(const FloatLowerCall& call) const { return lowered_floats(pieces(*this, call.input_shapes[0])); }

}  // namespace octet
