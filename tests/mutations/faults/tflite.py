# SPDX-License-Identifier: Apache-2.0
# Faults in io/tflite/: by file, (text that is there once, what it becomes, why that is wrong).
FAULTS = {
    'io/tflite/elementwise.cpp': [
        ('if (node.rounds_graph_input()) return;', '', 'a network that rounds its input runs on no board'),
        ('const Unary rescaled{UnaryFn::leaky_relu, below};', 'const Unary rescaled{UnaryFn::leaky_relu, 1.0};',
         'relu lets through'),
        ('return emit_clamped(node, rescaled, {node.wire(0)}, above);', 'return node.emit(rescaled, {node.wire(0)});',
         'a rescaling relu6 without its limit'),
        ('q.scale[0] == scale && q.zero_point[0] == zero', 'true', 'sigmoid to codes that its formula does not give'),
    ],
    'io/tflite/file.cpp': [
        ('std::max<int>(code.number<int8_t>(code_field::old_code), code.number<int32_t>(code_field::code))',
         'code.number<int32_t>(code_field::code)', 'the code of old files'),
        ('bits != 0 && !t.sparse && bytes != static_cast<int64_t>(t.data.size())', 'false', 'data of another length'),
        ('if (i < least || i >= static_cast<int64_t>(tensors))', 'if (i < least)', 'numbers of tensors beyond the last'),
        ('t.constant = !t.data.empty();', 't.constant = true;', 'an empty buffer is a constant'),
    ],
    'io/tflite/flat.cpp': [
        ('demand(offset >= 4 && offset + size <= flatbuffers::EndianScalar(vtable[1]), "a field outside its table");', '',
         'fields outside their table'),
        ('demand(at_->VerifyTableStart(file.verifier()), "a table outside the file");', '', 'tables outside the file'),
        ('if (bytes > budget_) damaged', 'if (false) damaged', 'a small file that says too much'),
        ('demand(step != 0, "a reference to a place outside the file");', '', 'references outside the file'),
    ],
    'io/tflite/layers.cpp': [
        ('if (q.axis >= 0) q.axis = 0;', '', 'depthwise scales along another axis'),
        ('static_cast<size_t>(t * channels + c) * size', 'static_cast<size_t>(t + c * taps) * size',
         'depthwise weights not turned'),
        ('node.demand(code >= INT32_MIN && code <= INT32_MAX,', 'node.demand(true,', 'biases cut to 32 bits'),
        ('units.push_back(node.input_qparams(at.x)->scale[0] * w);', 'units.push_back(w);', 'biases in other units'),
        ('more = size - have;', 'more = 0;', 'transposed convolutions of the wrong size'),
        ('node.is_wide() ? t.type == Type::i64 : t.type == Type::i32', 'true', 'int32 biases of 16-bit layers'),
    ],
    'io/tflite/moves.cpp': [
        ('int64_t to = (end_mask >> i & 1) != 0 ? n :', 'int64_t to =', 'an end that is masked'),
        ('clamped(relative ? begin[i] + end[i] : end[i])', 'clamped(end[i])', 'an end that is relative'),
        ('from = begin[i] < 0 ? begin[i] + n : begin[i], to = from + 1;', 'from = 0, to = 1;',
         'the element that is left of an axis'),
        ('size[i] < 0 ? x[i] : begin[i] + size[i]', 'begin[i] + std::abs(size[i])', 'a slice to the end'),
    ],
    'io/tflite/node.cpp': [
        ('demand(shape == t.shape, "gives shape "', 'demand(true, "gives shape "', 'shapes other than the file says'),
        ('demand(x == y, "input "', 'demand(true, "input "', 'codes that would have to be rescaled'),
        ('check(!t.free_size, where,', 'check(true, where,', 'sizes that are not known'),
        ('readers(import_->file, number) != 1) return false;\n  Module& m', 'false) return false;\n  Module& m',
         'floats that others read, too, become codes'),
    ],
    'io/tflite/windows.cpp': [
        ('return {total / 2, total - total / 2};', 'return {total - total / 2, total / 2};', 'the odd padding in front'),
        ('.count_include_pad = false', '.count_include_pad = true', 'padding counts in an average'),
        ('NearestMode::floor : NearestMode::round_prefer_ceil', 'NearestMode::floor : NearestMode::floor',
         'nearest of half pixels'),
    ],
}
