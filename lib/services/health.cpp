#include "lib/services/health.hpp"

#include "lib/base/text.hpp"

namespace deployment {

std::optional<std::string> ask_health(CommandRunner& runner,
                                      const Context& context,
                                      const std::string& url) {
  const Command ask{
      .purpose = "asking " + url,
      .program = "curl",
      .arguments = {"--silent", "--show-error", "--fail", "--output",
                    "/dev/null", "--noproxy", "*", "--", url},
      .context = context};
  const CommandResult result = runner.run(ask);
  if (result.status.success()) {
    return std::nullopt;
  }
  const std::string_view said = tail(result.err, 1);
  return said.empty() ? describe(result.status, ask) : std::string(said);
}

}  // namespace deployment
