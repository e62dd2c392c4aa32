// SPDX-License-Identifier: Apache-2.0
// Models in files: float, prepared (with observer state) or int8. A safetensors file whose metadata entry "octet.model" is the
// graph as JSON; parameters are tensors "<path>.<name>", hook state is "<path>/hooks/<point>/<key>". See docs/architecture.md.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"
#include "io/file.h"

namespace octet {

/// Makes a hook of this kind (Hook::kind()), whose state is loaded afterwards; throws Error if it knows no such kind.
using HookFactory = std::function<HookBox(std::string_view kind)>;
/// The factory of a program without hooks: refuses every kind.
HookBox no_hooks(std::string_view kind);

/// Makes a user's own operator of what was stored (CustomFunction::kind(), attributes()); throws Error if it knows no such kind.
using CustomFactory = std::function<std::shared_ptr<const CustomFunction>(std::string_view kind, std::string_view attributes)>;
/// The factory of a program without operators of its own: refuses every kind.
std::shared_ptr<const CustomFunction> no_custom(std::string_view kind, std::string_view attributes);

struct LoadedModel {
  Model model;
  std::vector<std::string> notes;  ///< what was unusual but no error: a file without checksums
};

/// Writes completely or not at all. Throws Error naming the module if something in the model could not be loaded again.
void save_model(const std::string& path, const Model&);

/// Rebuilds the model module by module, so that every check of Model::add runs; throws Error naming the file and the module.
LoadedModel load_model(const std::string& path, const HookFactory& = no_hooks, const CustomFactory& = no_custom);

/// The same from and to memory; `name` stands for the file in messages.
Bytes model_bytes(const Model&, std::string_view name);
LoadedModel parse_model(std::span<const std::byte> bytes, std::string_view name, const HookFactory& = no_hooks,
                        const CustomFactory& = no_custom);

}  // namespace octet
