#include "lib/environments/npm.hpp"

namespace deployment {

Sequence npm_install(const std::string& purpose, const Context& context) {
  return {{.purpose = purpose,
           .program = "npm",
           .arguments = {"install", "--no-save"},
           .context = context}};
}

}  // namespace deployment
