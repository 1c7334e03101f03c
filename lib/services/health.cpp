#include "lib/services/health.hpp"

#include "lib/base/text.hpp"

namespace deployment {

std::string ask_health(CommandRunner& runner, Command prototype,
                       const std::string& url) {
  prototype.purpose = "asking " + url;
  prototype.program = "curl";
  prototype.arguments = {"--silent", "--show-error", "--fail",
                         "--output", "/dev/null",    "--noproxy",
                         "*",        "--",           url};
  const CommandResult result = runner.run(prototype);
  if (result.status.success()) {
    return {};
  }
  const std::string_view said = tail(result.err, 1);
  return said.empty() ? describe(result.status, prototype) : std::string(said);
}

}  // namespace deployment
