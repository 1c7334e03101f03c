#include "lib/services/health.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

// Exit codes of curl(1) that tell of this host and its configuration alone: it
// lacks the protocol or an option, finds no memory, cannot read the address or
// resolve its name, or does not trust the certificate.
constexpr int curl_failures[] = {1, 2, 3, 4, 5, 6, 27, 48, 60, 77};

// Exit codes of sh(1) for a command that was not found or cannot be run.
constexpr int not_run[] = {126, 127};

// True for an end that says nothing of the service: one of `codes`, or a signal
// that this program did not send.
template <typename Codes>
bool is_no_answer(const ExitStatus& status, const Codes& codes) {
  return !status.timed_out &&
         (status.signal != 0 || std::ranges::count(codes, status.code) != 0);
}

// Returns one line about how the check ended.
std::string said_by(const Command& command, const CommandResult& result) {
  const std::string_view err = tail(result.err, 1);
  const std::string_view said = err.empty() ? tail(result.out, 1) : err;
  return said.empty() || result.status.timed_out
             ? describe(result.status, command)
             : std::string(said);
}

std::optional<std::string> ask_address(CommandRunner& runner,
                                       const Context& context,
                                       const Component& component) {
  const std::string& url = *component.health_check;
  const Command ask{
      .purpose = "asking " + url,
      .program = "curl",
      .arguments = {"--silent", "--show-error", "--output", "/dev/null",
                    "--write-out", "%{http_code}", "--noproxy", "*", "--", url},
      .context = context};
  const CommandResult result = runner.run(ask);
  if (is_no_answer(result.status, curl_failures)) {
    throw CommandError(ask, result);
  }
  const auto status = parse_number(result.out);
  if (!result.status.success() || !status) {
    const std::string_view said = tail(result.err, 1);
    return fmt::format("{} does not answer: {}", url,
                       said.empty() ? describe(result.status, ask) : said);
  }
  if (!contains(component.health_status, *status)) {
    return fmt::format("{} answers {}, and not {}", url, *status,
                       to_string(component.health_status));
  }
  return std::nullopt;
}

std::optional<std::string> run_command(CommandRunner& runner,
                                       const Context& context,
                                       const Component& component) {
  Command ask{.purpose = "running the health command of " + component.name,
              .program = "sh",
              .arguments = {"-c", *component.health_command},
              .context = context};
  ask.context.directory /= component.directory;
  const CommandResult result = runner.run(ask);
  if (is_no_answer(result.status, not_run)) {
    throw CommandError(ask, result);
  }
  if (!result.status.success()) {
    return fmt::format("its health command fails: {}", said_by(ask, result));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> ask_health(CommandRunner& runner,
                                      const Context& context,
                                      const Component& component) {
  std::optional<std::string> problem;
  if (component.health_check) {
    problem = ask_address(runner, context, component);
  }
  if (!problem && component.health_command) {
    problem = run_command(runner, context, component);
  }
  return problem;
}

void require_health_checks(CommandRunner& runner, const Context& context,
                           const std::vector<Component>& components) {
  const auto asks_by_curl = [](const Component& component) {
    return component.health_check.has_value();
  };
  if (std::ranges::any_of(components, asks_by_curl)) {
    Command look{.purpose = "looking for curl, which health checks need",
                 .program = "curl",
                 .arguments = {"--version"},
                 .context = context};
    look.context.timeout = std::chrono::seconds(30);
    runner.run_checked(look);
  }
}

}  // namespace deployment
