// SPDX-License-Identifier: Apache-2.0
// The data behind the header, as what is asked for.
#include "io/npy.h"

#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "io/npy_header.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

constexpr uint64_t kMaxFile = uint64_t{1} << 34;

struct Array {
  NpyHeader header;
  std::span<const std::byte> data;
};

Array parse(std::span<const std::byte> bytes, std::string_view name) {
  NpyHeader h = parse_npy_header(bytes, name);
  const std::span<const std::byte> data = bytes.subspan(h.begin);
  check(data.size() == h.bytes, name, ": npy shape ", to_string(h.shape), " of ", size_of(h.element), "-byte elements needs ",
        h.bytes, " bytes of data, the file has ", data.size());
  return {std::move(h), data};
}

/// Where elements of a file in Fortran order go, asked for one after the other: the first axis counts fastest.
class FortranPlaces {
 public:
  explicit FortranPlaces(const Shape& shape) : shape_(shape), at_(shape.size()), strides_(shape.size()) {
    int64_t stride = 1;
    for (size_t axis = shape.size(); axis-- > 0; stride *= shape[axis]) strides_[axis] = stride;
  }
  size_t next() {
    const int64_t place = place_;
    for (size_t axis = 0; axis < at_.size(); ++axis) {
      place_ += strides_[axis];
      if (++at_[axis] < shape_[axis]) break;
      place_ -= at_[axis] * strides_[axis];
      at_[axis] = 0;
    }
    return static_cast<size_t>(place);
  }

 private:
  Shape shape_, at_, strides_;
  int64_t place_ = 0;
};

/// act(i, place, value) for every element: where it is in the file, and in the tensor.
template <class Act>
void each_value(const Array& a, Act&& act) {
  if (a.header.bytes == 0) return;
  FortranPlaces places(a.header.shape);
  each_element(a.header.element, a.data, a.header.swapped,
               [&, fortran = a.header.fortran](size_t i, auto v) { act(i, fortran ? places.next() : i, v); });
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, std::string_view name) {
  const FloatScope environment;
  const Array a = parse(bytes, name);
  const NpyHeader& h = a.header;
  if (!h.swapped && !h.fortran) return tensor_of(h.element, h.shape, a.data, name);
  if (!h.fortran) return tensor_of(h.element, h.shape, a.data, name, h.swapped, [](size_t i) { return i; });
  if (h.bytes == 0) return Tensor(h.shape, held_as(h.element));
  return tensor_of(h.element, h.shape, a.data, name, h.swapped,
                   [places = FortranPlaces(h.shape)](size_t) mutable { return places.next(); });
}

Tensor parse_npy_integers(std::span<const std::byte> bytes, std::string_view name) {
  const FloatScope environment;
  const Array a = parse(bytes, name);
  Tensor t(a.header.shape, DType::i32);
  const auto to = t.mutable_data<int32_t>();
  each_value(a, [&]<class T>(size_t i, size_t place, T v) {
    if constexpr (std::is_floating_point_v<T>) {
      check(std::trunc(v) == v, name, ": element ", i, " is ", v,
            ", expected an integer");  // NaN is not equal; infinities are caught below
      check(v >= T(-0x1p31) && v < T(0x1p31), name, ": element ", i, " is ", v, ", which does not fit 32 bits");
    } else {
      check(std::in_range<int32_t>(v), name, ": element ", i, " is ", +v, ", which does not fit 32 bits");
    }
    to[place] = static_cast<int32_t>(v);
  });
  return t;
}

Tensor parse_npy_floats(std::span<const std::byte> bytes, std::string_view name) {
  const FloatScope environment;
  const Array a = parse(bytes, name);
  Tensor t(a.header.shape, DType::f32);
  const auto to = t.mutable_data<float>();
  each_value(a, [&]<class T>(size_t i, size_t place, T v) {
    if constexpr (std::is_same_v<T, double>)  // the largest finite f32, and half a unit beyond it
      check(!std::isfinite(v) || std::abs(v) < 0x1.ffffffp127, name, ": element ", i, " is ", v, ", which float32 cannot hold");
    to[place] = static_cast<float>(v);
  });
  return t;
}

Tensor load_npy_integers(const std::string& path) { return parse_npy_integers(read_file(path, kMaxFile), path); }
Tensor load_npy_floats(const std::string& path) { return parse_npy_floats(read_file(path, kMaxFile), path); }

Tensor load_npy(const std::string& path) { return parse_npy(read_file(path, kMaxFile), path); }

Bytes npy_bytes(const Tensor& t) {
  check(t.rank() <= kMaxRank, "npy: shape ", to_string(t.shape()), " has more than ", kMaxRank, " axes");
  std::string header = "{'descr': '" + npy_spelling(t.dtype());
  header += "', 'fortran_order': False, 'shape': (";
  for (const int64_t d : t.shape()) header += std::to_string(d) + ", ";
  if (t.rank() > 1) header.resize(header.size() - 2);  // (3, 4) but (3, )
  header += "), }";
  // Version 1 with data at a multiple of 64, as NumPy writes it; eight dimensions always fit its 16-bit length.
  header.append(63 - (kNpyMagic.size() + 4 + header.size()) % 64, ' ').push_back('\n');
  std::string text(kNpyMagic);
  text += {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  text += header;
  Bytes bytes(text.size() + t.bytes());
  std::memcpy(bytes.data(), text.data(), text.size());
  if (t.bytes() > 0) std::memcpy(bytes.data() + text.size(), t.raw(), t.bytes());
  return bytes;
}

void save_npy(const std::string& path, const Tensor& t) { write_file(path, npy_bytes(t)); }

}  // namespace octet
