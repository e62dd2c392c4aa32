# SPDX-License-Identifier: Apache-2.0
# Faults in compile/ and io/: by file, (text that is there once, what it becomes, why that is wrong).
FAULTS = {
    'compile/arena_plan.cpp': [
        ('at = std::max(at, offsets[p] + blocks[p].bytes);',
         'at = offsets[p] + blocks[p].bytes;',
         'a block is put below one that it overlaps'),
        ('return a.first <= b.last && b.first <= a.last;',
         'return a.first < b.last && b.first < a.last;',
         'two values of one step share memory'),
        ('plan.optimal = plan.bytes == plan.lower_bound;', 'plan.optimal = true;', 'every plan is called proved'),
    ],
    'compile/plan.cpp': [
        ('if (overlap(in, other) && other.last > i) return false;', '', 'overwrites what is still read'),
        ('if (overlap(in, other) && !(run.kernel->may_overwrite(j) && other.offset == in.offset)) return false;',
         '',
         'overwrites its own other input'),
        ('v.block = whole, v.offset += offset;', 'v.block = whole, v.offset = offset;', 'parts of a part lose their place'),
        ('to.first = std::min(to.first, from.first), to.last', 'to.last', 'a joined block begins too late'),
        ('plan_.memory.scratch = std::max(plan_.memory.scratch, run.kernel->scratch_bytes());',
         'plan_.memory.scratch = run.kernel->scratch_bytes();',
         'scratch memory of the last kernel'),
    ],
    'compile/program.cpp': [
        ('prefix.size() >= length', 'prefix.size() <= length', 'the shortest override wins'),
        ('inputs.end()), threads);', 'inputs.end()), 1);', 'plans of other thread counts are taken'),
    ],
    'compile/session.cpp': [
        ('const ThreadsScope scope(plan->threads);', '', 'runs with the thread count of the moment'),
        ('  if (x.qparams() == v.qparams) {\n', '  if (x.qparams()) {\n', 'codes of another meaning are copied'),
        ('if (x.qparams() && (step.runs.empty() || x.qparams() == v.qparams)) check_codes(x, path);',
         '',
         'codes outside their range run'),
        ('if (x[0].size(0) != prepared)', 'if (!session)', 'the last, smaller batch'),
    ],
    'io/file.cpp': [
        ('if (exists && S_ISREG(info.st_mode)) require(::fchmod(file.get(), info.st_mode & 07777) == 0, path);',
         '',
         'a replaced file loses its permissions'),
    ],
    'io/firmware_plan.cpp': [
        ('        values_of_[w.module] = kept;\n', '', 'second float output of one module reads floats'),
        ('dies && !other && plan_', 'dies && plan_', 'writes over an input that is read twice'),
        ('plan_.values[v].last == at && blocks', 'blocks', 'writes over what is still read'),
        ('  for (const FirmwarePort& p : plan_.outputs) plan_.values[p.value].last = end;\n',
         '',
         'an output is overwritten before it is read'),
        ('return f < i; }', 'return f <= i; }', "the next input's data"),
        ('lives.push_back({plan_.steps[s].scratch_bytes, static_cast<int>(s) + 1, static_cast<int>(s) + 1});',
         'lives.push_back({plan_.steps[s].scratch_bytes, static_cast<int>(s), static_cast<int>(s)});',
         'scratch is free while it is used'),
    ],
    'io/firmware_report.cpp': [
        ('check(s.live_bytes <= ram_bytes, s.path', 'check(s.live_bytes < ram_bytes, s.path', 'a layer that just fits is blamed'),
        ('if (ram_bytes > 0 && plan.arena_bytes > ram_bytes) {',
         'if (ram_bytes > 0 && plan.arena_bytes >= ram_bytes) {',
         'a budget of exactly the arena is refused'),
    ],
    'io/idx.cpp': [
        ('check(bytes.size() - h.bytes == h.elements, name',
         'check(bytes.size() - h.bytes >= h.elements, name',
         'bytes behind the data'),
    ],
    'io/image.cpp': [
        ('if (c < 0x20 || c > 0x7e) c = ', 'if (c < 0x20) c = ', 'names beyond ASCII'),
    ],
    'io/json.cpp': [
        ('check(keys.back().insert(key).second, name', 'check(keys.back().insert(key).second || true, name', 'the same key twice'),
    ],
    'io/model_file.cpp': [
        ('check(file.tensors.empty(), name', 'check(true, name', 'tensors of no module'),
        ('      hook->load(state);\n', '', 'hooks are loaded without their state'),
        ('m.fused.push_back(json::string(f, where + " fused"));', 'static_cast<void>(f);', 'names of fused modules are lost'),
        ('check(name_of(op) == op_name, where', 'check(true, where', 'a tied module of another operator'),
    ],
    'io/npy.cpp': [
        ('v < T(0x1p31)', 'v <= T(0x1p31)', '2^31 as a label'),
        ('check(!*h.fortran, name', 'check(true, name', 'Fortran order read as C'),
        ('check(data.size() == needed, name', 'check(data.size() >= needed, name', 'bytes behind an npy array'),
    ],
    'io/safetensors.cpp': [
        ('check(stored_data.mapped() == data_now, name', 'check(true, name', 'damaged data'),
        ('check(e.begin == expected, name', 'check(e.begin >= expected, name', 'holes between tensors'),
        ('check(stored_data.empty() == stored_header.empty(), name', 'check(true, name', 'one checksum of two'),
        ('check(e.end - e.begin == bytes, name', 'check(e.end - e.begin >= bytes, name', 'a tensor with room behind'),
    ],
}
