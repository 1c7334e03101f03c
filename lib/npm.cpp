#include "lib/npm.hpp"

namespace deployment {

void npm_install(CommandRunner& runner, Command prototype) {
  prototype.program = "npm";
  prototype.arguments = {"install", "--no-save"};
  runner.run_checked(prototype);
}

}  // namespace deployment
