# SPDX-License-Identifier: Apache-2.0
# Faults in kernels/: by file, (text that is there once, what it becomes, why that is wrong).
FAULTS = {
    'kernels/cortex_m/average_pool2d.h': [
        ('(divisor - (cells > 0 ? cells : 0))', 'divisor', 'zero points of real cells'),
    ],
    'kernels/cortex_m/m4_conv2d.h': [
        ('out -= rows_here * a.out_w % 2 * a.out_c;', '', 'odd pixels of a batch'),
        ('if (s1 >= rows.end()) s1 -= rows.size();', '', 'the ring of the second pixel'),
    ],
    'kernels/cortex_m/m4_depthwise.cpp': [
        ('if (at < 0 || at >= scan.in_v || count < 0) count = 0;',
         'if (at < 0 || at > scan.in_v || count < 0) count = 0;',
         'the line behind the image'),
    ],
    'kernels/cortex_m/m4_linear.cpp': [
        ('block.stream = stream + whole * group, block.out = spare;',
         'block.stream = stream, block.out = spare;',
         'the last outputs by the first weights'),
    ],
    'kernels/cortex_m/m4_sizes.cpp': [
        ('return 4 * window(a) + 2 * spare_bytes(a) + PaddedRows::bytes(a, 4);',
         'return 4 * window(a) + spare_bytes(a) + PaddedRows::bytes(a, 4);',
         'scratch for one pixel of two'),
        ('if (a.dilation_h != 1 || a.dilation_w != 1) return false;',
         'if (a.dilation_h != 1) return false;',
         'dilated columns are taken'),
    ],
    'kernels/cortex_m/m55_depthwise.cpp': [
        ('line.turn = first % 4;', 'line.turn = 0;', 'lines of a ring in another order'),
    ],
    'kernels/cortex_m/m55_sizes.cpp': [
        ('return 2 * (window(a) + 16) + 2 * spare_bytes(a) + PaddedRows::bytes(a, 16);',
         'return 2 * window(a) + 2 * spare_bytes(a) + PaddedRows::bytes(a, 16);',
         'scratch without what a row writes too much'),
    ],
    'kernels/cortex_m/pack_add.cpp': [
        ('if (swapped && (a.b_multiplier != kHalf || a.b_shift != 0)) refuse("add: neither operand has the multiplier 1/2");',
         '',
         'an addition without the multiplier 1/2'),
        ('if (!equal && shift > -1) refuse("add: the other operand\'s multiplier is above 1/2");', '', 'an operand above 1/2'),
    ],
    'kernels/cortex_m/pack_channel.cpp': [
        ('start = 8 * (code - o.zero_point)', 'start = 8 * (code - o.zero_point + 1)', "a constant channel's code"),
        ('code == code_of(t, rounding, o, c, r.most)', 'true', 'a channel that varies is taken for a constant'),
        ('r.most >= int64_t{1} << 23)', 'false)', 'a high half beyond 24 bits'),
        ('if (both[i] < INT16_MIN) refuse(at_channel(first_channel + p) + "a weight of -128 cannot be paired");',
         '',
         'a paired weight of -128'),
        ('  if (!fits(r.least) || !fits(r.most)) refuse(at_channel(c) + "accumulator exceeds 32 bits");\n',
         '',
         'accumulators beyond 32 bits'),
        ('const int64_t low = w * int64_t{-128 - input_zero_point}, high',
         'const int64_t low = w * int64_t{-128}, high',
         'bounds without the zero point'),
        ('if (t.weight_zero_point != nullptr && t.weight_zero_point[c] != 0) refuse(at_channel(c) + "weights have a zero point");',
         '',
         'weights with zero points'),
    ],
    'kernels/cortex_m/pack_m55.cpp': [
        ('weights[4 * column + line] = channel.weights[columns ? column * 3 + line : line * 3 + column];',
         'weights[4 * column + line] = channel.weights[line * 3 + column];',
         'a scan down the columns'),
        ('const auto padded = static_cast<size_t>(round_up(window, 16));',
         'const auto padded = static_cast<size_t>(round_up(window, 8));',
         'windows of half a vector'),
    ],
    'kernels/cortex_m/padded_rows.h': [
        (' && (a.out_w - 1) * a.stride_w + a.kernel_w <= a.in_w;', ';', 'right padding read in place'),
    ],
    'kernels/f32/elementwise.cpp': [
        ('nesterov ? gradient + momentum * velocity : velocity', 'velocity', 'no Nesterov'),
        ('const float gradient = g[i] + decay * w[i],',
         'const float gradient = g[i] + decay * v[i],',
         'weight decay on the velocity'),
        ('((v > lo) & (v < hi)) ? load', '((v >= lo) & (v < hi)) ? load', 'gradient at the lower limit'),
        ('y[i] = alpha * x[i] + beta * y[i];', 'y[i] = alpha * x[i] + y[i];', 'beta forgotten'),
    ],
    'kernels/float_kernel.cpp': [
        ('return &table_ == &table && how_ == how;', 'return &table_ == &table;', 'panels in another order are read'),
        ('args_.residual ? floats(in[1]) : nullptr, args_.act_min', 'nullptr, args_.act_min', 'a float residual is forgotten'),
        ('for (size_t t = 0; t < row; ++t) plain[o * row + t] = taps_[t * outputs_ + o];',
         'for (size_t t = 0; t < row; ++t) plain[o * row + t] = taps_[o * row + t];',
         'taps are given back in the order of taps'),
    ],
    'kernels/float_scope.cpp': [
        ('if (changed_) write((saved_ & ~kFlags) | (read() & kFlags));',
         'if (changed_) write(kWanted | (read() & kFlags));',
         "the caller's mode does not come back"),
    ],
    'kernels/ref/matmul.cpp': [
        ('static_cast<size_t>(unit % g.m)', 'static_cast<size_t>(unit % g.k)', 'rows of another matrix'),
        ('at * static_cast<size_t>(g.b_batch[axis])', 'at * static_cast<size_t>(g.a_batch[axis])', "a's steps for b"),
    ],
    'kernels/ref/resize.cpp': [
        ('(sum > 0 ? 1 << 19 : -(1 << 19))', '(1 << 19)', 'halves upward'),
        ('const int32_t aw = v.low_weight * h.low_weight, bw = v.low_weight * h.high_weight;',
         'const int32_t aw = v.low_weight * h.low_weight, bw = v.high_weight * h.low_weight;', 'rows and columns swapped'),
    ],
    'kernels/geometry.h': [
        ('to > in + pad_after ? in + pad_after : to;', 'to;', 'float average counts cells beyond the padding'),
    ],
    'kernels/weights.h': [
        ('if (plain_ == nullptr || plain_.use_count() > 1) return plain_ == nullptr;', '', 'weights are freed under a kernel'),
        ('fits(*found)) return found;', 'true) return found;', 'a form of another layout'),
    ],
    'kernels/ref/weighted_16.h': [
        ('constexpr int32_t kRun16 = 256;', 'constexpr int32_t kRun16 = 1024;', 'products added beyond 32 bits'),
        ('acc[i] + wide_bias(channels.bias_codes, c + i)', 'acc[i] + channels.bias_codes[2 * (c + i)]', 'biases of one word'),
    ],
    'kernels/ref/activation.cpp': [
        ('((1 << 25) - r + 511) >> 10', '((1 << 25) - r + 512) >> 10', 'ties of a negative logistic'),
        ('r = table_at(v, 8, 0xffff << 8)', 'r = table_at(v, 8, 0xfffe << 8)', 'the end of tanh'),
        ('a.inverts != 0 ?', 'false ?', 'the sign of a negative slope'),
    ],
    'kernels/ref/add_16.cpp': [
        ('kUnit = 1 << 15', 'kUnit = 1 << 14', 'sums with one bit less'),
    ],
    'kernels/ref/softmax_16.cpp': [
        ('+ (1 << 13)) >> 14', ') >> 14', 'the sum cut off'),
    ],
    'kernels/ref/reduce_16.cpp': [
        ('INT16_MIN, value, larger', '0, value, larger', 'the largest of negative codes'),
    ],
    'kernels/ref/average_pool2d_16.cpp': [
        ('qmath::divide_half_away(sum[i], divisor)', 'sum[i] / divisor', 'means cut off'),
    ],
    'kernels/ref/ref16.h': [
        ('(code & 127) + 64) >> 7', '(code & 127)) >> 7', 'interpolation cut off'),
    ],
    'kernels/info.h': [
        ('"conv2d", true, 2, true}', '"conv2d", true, 3, true}', 'a convolution over its own input'),
        ('(int64_t{a.rows - 1} * a.output_stride + a.row) *',
         '(int64_t{a.rows} * a.output_stride) *',
         'bytes behind the last part'),
        ('"requantize", true, 0, false}', '"requantize", true, 1, false}', 'parts of a concatenation over their input'),
        ('"max_pool2d", false, 0, false}', '"max_pool2d", true, 0, false}', 'a largest value that is asked for by rounding'),
        ('f("pad_top", a.pad_top), f("pad_left", a.pad_left), f("pad_bottom", a.pad_bottom)',
         'f("pad_top", a.pad_top), f("pad_bottom", a.pad_bottom), f("pad_left", a.pad_left)',
         'fields out of order'),
        ('return elements(a) * window / (a.groups > 1 ? a.groups : 1);', 'return elements(a) * window;',
         'products of a grouped convolution counted as of a dense one'),
    ],
    'kernels/multiplier.cpp': [
        ('  if (q31 == int64_t{1} << 31) {\n    q31 /= 2;\n    ++shift;\n  }\n', '', 'a mantissa that rounds up to one'),
        ('if (shift < -31) return {0, 0};', 'if (shift < -40) return {0, 0};', 'a shift no kernel takes'),
    ],
    'kernels/native/elementwise.cpp': [
        ('__builtin_memset(block, *row, kBlock);', '__builtin_memset(block, *row, kBlock / 2);', 'half of a repeated operand'),
        ('for (int k = 1; k < 16; ++k) y |=', 'for (int k = 1; k < 15; ++k) y |=', 'the last sixteenth of a lookup table'),
        ('code(real(a, g.a_scale) - real(b, g.b_scale))',
         'code(real(b, g.a_scale) - real(a, g.b_scale))',
         'operands of a difference swapped'),
        ('static_cast<uint8_t>(g.clamp_min) ^ flip, hi', 'static_cast<uint8_t>(g.clamp_min), hi', 'i8 limits in the wrong domain'),
    ],
    'kernels/native/engine.cpp': [
        ('if (level == Isa::avx512_vnni && blobs != nullptr) {',
         'if (level >= Isa::avx512 && blobs != nullptr) {',
         'VNNI on a CPU without it'),
    ],
    'kernels/native/loop_kernel.cpp': [
        ('return input < inputs_ && (device_op(args_).overwrites >> input & 1) != 0;', 'return true;', 'every kernel in place'),
    ],
    'kernels/native/pool2d.cpp': [
        ('const int32_t offset = codes.zero * cells.height * cells.width;',
         'const int32_t offset = codes.zero * divisor;',
         'zero points of padding that is not there'),
        ('best = best > least ? best : least;\n', '', 'the lower limit of a maximum'),
    ],
    'kernels/native/vnni/copy.h': [
        ('    if (first < 0) first += s.planes;\n', '', 'planes of a padded row'),
    ],
    'kernels/native/vnni/kernel.cpp': [
        ('make_plan(a, blobs), a.residual_scale != 0,', 'make_plan(a, blobs), a.residual_scale != 1,', 'no residual of scale 1'),
        ('return residual_ && input == 1;', 'return residual_;', 'a convolution over its own input'),
    ],
    'kernels/native/vnni/plan.cpp': [
        ('return p.zero_point == unsigned_zero_point(a) && p.joined == joined(a) && p.pairs == in_pairs(a);',
         'return p.joined == joined(a) && p.pairs == in_pairs(a);',
         'packed for another zero point'),
        ('255.0 * std::abs(double{a.residual_scale});', '0;', 'a residual that leaves int32'),
    ],
    'kernels/native/vnni/plan_dense.cpp': [
        ('d.reach_h) * d.source.row_bytes + kSlack + 63)',
         'd.reach_h) * d.source.row_bytes + 63)',
         'no slack behind the copied rows'),
        (' &&\n           a.out_h == a.in_h && a.out_w == a.in_w;', ';', '1x1 with padding below or right treated as flat'),
        ('|| runs.length % 4 != 0;', ';', 'the last group of a run beyond the row'),
        ('d.source.padded_w <= a.in_w;', 'true;', 'right padding read from the next row'),
    ],
    'kernels/native/vnni/plan_depthwise.cpp': [
        ('d.ring = (a.kernel_h - 1) * a.dilation_h + (d.pairs ? 2 : 1);',
         'd.ring = (a.kernel_h - 1) * a.dilation_h + 1;',
         'a pair needs one row more'),
        ('d.groups = (a.kernel_h + 3) / 4;', 'd.groups = a.kernel_h / 4 + 1;', 'a group too many for four rows'),
    ],
    'kernels/parallel.cpp': [
        ('ThreadsScope::~ThreadsScope() { scoped_threads = previous_; }',
         'ThreadsScope::~ThreadsScope() { scoped_threads = 0; }',
         'a scope within a scope'),
    ],
    'kernels/cortex_m/sums.h': [
        ('* (has_residual(a) ? 4 : 1)', '', 'room for codes where sums go'),
        ('residual[c] - zero', 'residual[c]', "a residual's zero point on devices"),
    ],
    'kernels/qmath.h': [
        ('const int64_t scaled = (own + other + (int64_t{1} << (r.shift - 1))) >> r.shift;',
         'const int64_t scaled = (own + other) >> r.shift;',
         'a sum with a residual rounds down'),
        ('return round_then_shift(own + dequantize(difference, r.scale), o);',
         'return round_then_shift(own - dequantize(difference, r.scale), o);',
         'a residual taken off'),
        ('multiplier < 0x7fff0000 ?', 'multiplier < 0x7fffffff ?', 'a 16-bit multiplier of 2^15'),
        ('(multiplier + (1 << 15)) >> 16', 'multiplier >> 16', 'a 16-bit multiplier cut off'),
        ('x = x > lo ? x : lo;\n  x = x < hi ? x : hi;', 'x = x < hi ? x : hi;\n  x = x > lo ? x : lo;', 'NaN and crossed limits'),
        ('const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);',
         'const int32_t threshold = mask >> 1;',
         'halves of negative sums'),
        ('return n > 0 ? (n + d / 2) / d : (n - d / 2) / d;', 'return (n + d / 2) / d;', 'negative means'),
        ('if ((error > 0 || error < 0) && (bits & 1) == 0) {', 'if (false) {', 'double rounding of a fused product'),
        ('return x != x ? o.zero_point : q;', 'return q;', 'NaN is no zero point'),
    ],
    'kernels/ref/average_pool2d.cpp': [
        ('larger(1, rows.divisor * columns.divisor)', 'larger(1, rows.divisor + columns.divisor)', 'cells of a window added'),
        ('sum[i] + a.zero_point * divisor, divisor', 'sum[i] + a.zero_point, divisor', 'zero point once instead of per cell'),
        ('R == Rounding::real ? 1.0f / count :', 'R != Rounding::real ? 1.0f / count :', 'real divides by the scales'),
    ],
    'kernels/ref/conv2d.cpp': [
        ('a.groups == 1 && a.dilation_w == 1;', 'a.groups == 1;', 'dilated taps read as neighbours'),
        ('if (block > 8) block -= block % 8;', 'if (block > 8) block += 1;', 'more channels than fit'),
    ],
    'kernels/ref/taps.h': [
        ('(dilation - 1 - origin) / dilation', '-origin / dilation', 'first tap inside, dilated'),
    ],
    'kernels/ref/linear.cpp': [
        ('nullptr : d.channels.weight_zero_point + o;',
         'nullptr : d.channels.weight_zero_point;',
         'weight zero points of the first block for all'),
    ],
    'kernels/ref/max_pool2d.cpp': [
        ('to[i] = to[i] > q ? to[i] : q;', 'to[i] = to[i] < q ? to[i] : q;', 'the minimum'),
    ],
    'kernels/ref/pool_window.h': [
        ('a.count_include_pad != 0 ? smaller(to, in + pad_after) - from',
         'a.count_include_pad != 0 ? to - from',
         'counted padding beyond the padding'),
    ],
    'kernels/ref/requantize.cpp': [
        ('static_cast<size_t>(r) * static_cast<size_t>(a.output_stride)',
         'static_cast<size_t>(r) * static_cast<size_t>(a.row)',
         'rows without a stride'),
    ],
    'kernels/ref/weighted.h': [
        ('for (int32_t i = 0; i < n; ++i) to[i] = block[i];',
         'for (int32_t i = 0; i + 1 < n; ++i) to[i] = block[i];',
         'the last channel of a block'),
    ],
    'kernels/ref/reduce.cpp': [
        ('smaller(kNeighbours, rows.length() - i), to + i', 'kNeighbours, to + i', 'sums of neighbours beyond the row'),
    ],
}
