#include "lib/environments/npm.hpp"

namespace deployment {

Sequence npm_install(Command prototype) {
  prototype.program = "npm";
  prototype.arguments = {"install", "--no-save"};
  return {prototype};
}

}  // namespace deployment
