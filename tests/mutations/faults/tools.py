# SPDX-License-Identifier: Apache-2.0
# Faults in tools/octet and what belongs to it: data misread, answers miscounted, options without effect. By file, (text that is
# there once, what it becomes, why that is wrong).
FAULTS = {
    'io/interface_json.cpp': [
        ('{"shorter", p.shorter}', '{"shorter", 0}', 'the shorter side is not written'),
    ],
    'quant/fuse.cpp': [
        ('    fused.interface = model_.interface;\n', '', 'fusing loses the interface'),
    ],
    'tools/octet/check.cpp': [
        ('!(d <= (codes ? 0 : least))', '!(d <= (codes ? 1 : least))', 'codes off by one pass'),
        ('session->run(in)[0], number_of(o.tolerance) * largest',
         'session->run(in)[0], largest', 'the tolerance of floats is everything'),
        ('counts[1] > 0 || (o.strict', 'counts[1] > 1 || (o.strict', 'one wrong case is no failure'),
    ],
    'tools/octet/compare.cpp': [
        ('differ += x.data<double>()[i] != y.data<double>()[i]',
         'differ += x.data<double>()[i] < y.data<double>()[i]', 'half of the codes that differ are counted'),
    ],
    'tools/octet/firmware.cpp': [
        ('  model.rounding = rounding;\n', '', 'another rounding is counted and not used'),
    ],
    'tools/octet/inspect.cpp': [
        ('double{q.scale[c]} * (q.qmax - q.zero_point[c])',
         'double{q.scale[c]} * q.qmax', 'the range of codes forgets the zero point'),
    ],
    'tools/octet/picture.cpp': [
        ('left = (from.width - width) / 2', 'left = (from.width - width) / 4', 'what is cut out is not the centre'),
        ('/ 255.0F - of_channel(how.mean', '/ 256.0F - of_channel(how.mean', 'white is not one'),
    ],
    'tools/octet/recipe.cpp': [
        ('if (given("--seed")) r.seed = given_.seed;', '', '--seed is not heard'),
        ('if (has("observer")) r.observer', 'if (has("none")) r.observer', "a recipe's observer is not read"),
        ('for (const std::string& prefix : r.keep_float) map[prefix] = std::nullopt;', '', '--keep-float keeps nothing'),
    ],
    'tools/octet/run.cpp': [
        ('port.preprocessing = o.samples.preprocessing(model, k++);', 'k++;', '--store stores nothing'),
    ],
    'tools/octet/running.cpp': [
        ('row[c] == row[label] && c < label', 'row[c] == row[label] && c != label', 'ties are never right'),
        ('right += before < top;', 'right += before <= top;', 'the second class counts as right'),
        ('for (int64_t at = 0; at < rows; at += batch_)',
         'for (int64_t at = 0; at + batch_ <= rows; at += batch_)', 'rows behind the last full batch are lost'),
    ],
    'tools/octet/samples.cpp': [
        ('if (!mean.empty()) p.mean = numbers_of(mean);', '', '--mean is not heard'),
        ('fitted(nchw ? channels_last(*file.array) : *file.array, takes)',
         'fitted(*file.array, takes)', '--layout nchw transposes nothing'),
    ],
}
