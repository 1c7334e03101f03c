// Reads settings: keys and values of the command line and the configuration.
#pragma once

#include "lib/model/config.hpp"

namespace deployment {

// Returns true for a key of a configuration file, but for those of a component.
// Some are options of the command line, too.
bool is_setting(const std::string& name);

// Sets one key. Throws UsageError, one line that begins with `source` and
// names the key and what is allowed.
void set(Config& config, const std::string& key, const std::string& value,
         const std::string& source);

// Reads a configuration file's text over `config`; `source` is its path. When
// the text names any component, its components replace those of `config`.
// Throws UsageError.
void apply_config_file(Config& config, std::string_view text,
                       const std::string& source);

}  // namespace deployment
