#include <fmt/format.h>
#include <unistd.h>

#include "lib/base/text.hpp"
#include "lib/check/access.hpp"
#include "lib/check/questions.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

// Asks as the checkout's user; empty when there is no answer.
std::string ask_as_user(const Question& question, const std::string& program,
                        const Words& arguments) {
  Command command{.purpose = "asking " + program,
                  .program = program,
                  .arguments = arguments,
                  .context = question.context};
  command.context.timeout = 10s;
  try {
    const CommandResult result = question.runner.run(command);
    return result.status.success() ? result.out : "";
  } catch (const Error&) {
    return "";
  }
}

// Puts the home in the place of "~".
std::string expanded(std::string_view path, const std::string& home) {
  return path.starts_with("~/") ? home + std::string(path.substr(1))
                                : std::string(path);
}

// Asks ssh what it makes of the address with the configuration of the user
// (ssh -G). A command of git's configuration is a line of shell, as there.
void ask_ssh(const Question& question, const Destination& destination,
             Access& access) {
  const std::string set = ask_as_user(
      question, "git",
      {"-C", access.checkout, "config", "--get", "core.sshCommand"});
  const std::string ssh = set.empty() ? "ssh" : std::string(trimmed(set));
  Words words = {"-c", ssh + " -G \"$@\"", "ssh"};
  if (destination.port) {
    words.insert(words.end(), {"-p", *destination.port});
  }
  words.push_back(destination.host);
  const std::string answer = ask_as_user(question, "sh", words);
  bool is_first = true;
  for (const std::string_view line : split(answer, '\n')) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string_view key = line.substr(0, blank);
    const std::string_view value = trimmed(line.substr(blank));
    if (key == "hostname") {
      access.host = value;
    } else if (key == "port") {
      access.port = value;
    } else if (key == "userknownhostsfile") {
      access.known_hosts =
          expanded(value.substr(0, value.find(' ')), access.home);
    } else if (key == "identityfile") {
      const std::string file = expanded(value, access.home);
      if (is_first || file.ends_with("/id_ed25519")) {
        access.new_key = file;
      }
      is_first = false;
      if (!ask_as_user(question, "stat", {"--format=%F", "--", file}).empty()) {
        access.keys.push_back(file);
      }
    }
  }
  for (const std::string& key : access.keys) {
    const bool is_open =
        !ask_as_user(question, "ssh-keygen", {"-y", "-P", "", "-f", key})
             .empty();
    const bool is_readable = !ask_as_user(question, "cat", {"--", key}).empty();
    if (!is_open && is_readable) {
      access.locked_keys.push_back(key);
    }
  }
}

Access access_of(const Question& question, const Host& host,
                 const std::string& url) {
  Access access{.remote = host.config.remote,
                .url = without_password(url),
                .checkout = host.config.repo_dir.string()};
  const User user = host.user ? *host.user : this_user();
  if (host.user) {
    access.user = user.name;
  }
  access.home = user.home;
  access.known_hosts = user.home + "/.ssh/known_hosts";
  access.new_key = user.home + "/.ssh/id_ed25519";
  if (const auto destination = destination_of(url)) {
    access.host = destination->host.substr(destination->host.find('@') + 1);
    access.port = destination->port.value_or("22");
    ask_ssh(question, *destination, access);
  }
  return access;
}

// A password in the address is in .git/config, which others may read.
void look_at_password(const Question& question, const Host& host,
                      const std::string& url) {
  const auto status = host.checkout->look_at(".git/config");
  if (without_password(url) != url && status &&
      (status->st_mode & S_IROTH) != 0) {
    question.found.note(
        {.about = "remote",
         .what = "the address of " + host.config.remote +
                 " holds a name or password, and everybody can read it",
         .remedy = "close the file: chmod 600 " +
                   quoted(host.config.repo_dir / ".git/config")});
  }
}

}  // namespace

std::optional<Heads> look_at_remote(const Question& question,
                                    const Host& host) {
  const std::string url = host.git.remote_url();
  look_at_password(question, host, url);
  try {
    const Heads heads = host.git.heads();
    question.found.saw(
        "remote", fmt::format("{} has {} at {}", without_password(url),
                              host.config.branch, heads.tip.abbreviated()));
    return heads;
  } catch (const RemoteUnreachable& error) {
    const auto explanation =
        explain(error.what(), access_of(question, host, url));
    if (explanation) {
      question.found.add({.about = "remote",
                          .what = explanation->what,
                          .remedy = explanation->remedy});
      return std::nullopt;
    }
    throw;
  }
}

}  // namespace deployment
