#include "lib/check/access.hpp"

#include <fmt/ranges.h>

#include <array>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

constexpr std::string_view scheme_end = "://";

// Returns a line of shell as the checkout's user runs it.
std::string shell_as(const Access& access, const std::string& line) {
  return command_as(access.user, "sh -c " + quoted(line));
}

// As known_hosts has it (sshd(8)).
std::string name_in_known_hosts(const Access& access) {
  return access.port == "22" ? access.host
                             : fmt::format("[{}]:{}", access.host, access.port);
}

std::string scan(const Access& access) {
  return fmt::format("ssh-keyscan -p {} {} >> {}", access.port,
                     quoted(access.host), quoted(access.known_hosts));
}

Explanation unknown_host(const Access& access) {
  const std::string folder =
      access.known_hosts.substr(0, access.known_hosts.rfind('/'));
  return {fmt::format("ssh does not know the key of {}",
                      name_in_known_hosts(access)),
          "compare what this fetches with the fingerprints that the server's "
          "administrator publishes: " +
              shell_as(access, fmt::format("mkdir -p -m 700 {} && {}",
                                           quoted(folder), scan(access)))};
}

Explanation changed_host(const Access& access) {
  const std::string forget =
      fmt::format("ssh-keygen -f {} -R {}", quoted(access.known_hosts),
                  quoted(name_in_known_hosts(access)));
  return {fmt::format("{} has another key than the one that ssh knows",
                      name_in_known_hosts(access)),
          "ask the server's administrator whether it was replaced; if so, take "
          "the new one: " +
              shell_as(access, forget + " && " + scan(access))};
}

// Returns the name between `begin` and `end` on one line of `said`.
std::optional<std::string> name_between(std::string_view said,
                                        std::string_view begin,
                                        std::string_view end) {
  for (const std::string_view line : split(said, '\n')) {
    const std::size_t last = line.find(end);
    const std::size_t first = line.substr(0, last).rfind(begin);
    if (last != std::string_view::npos && first != std::string_view::npos) {
      const std::size_t start = first + begin.size();
      return std::string(line.substr(start, last - start));
    }
  }
  return std::nullopt;
}

Explanation refused_key(std::string_view said, const Access& access) {
  const std::string host = name_in_known_hosts(access);
  if (const auto key =
          name_between(said, "Load key \"", "\": Permission denied")) {
    // Do not tell root to give it away: the user decides what ssh says.
    return {fmt::format("{} cannot read the key {}",
                        access.user.value_or("this user"), *key),
            "look whose it is, and only if it was made for this, let it belong "
            "to him: ls -l " +
                quoted(*key)};
  }
  if (const auto key = name_between(said, " for '", "' are too open")) {
    return {
        fmt::format("ssh does not use the key {}: others can read it", *key),
        "close it: " + command_as(access.user, "chmod 600 " + quoted(*key))};
  }
  if (!access.locked_keys.empty()) {
    const std::string& key = access.locked_keys.front();
    return {fmt::format("the key {} has a passphrase, which nobody enters for "
                        "the service",
                        key),
            fmt::format(
                "take it away: {}; or use a key of the service's own "
                "(docs/private-repositories.md)",
                command_as(access.user, "ssh-keygen -p -f " + quoted(key)))};
  }
  if (access.keys.empty()) {
    const std::string& key = access.new_key;
    return {fmt::format("there is no key for {}", host),
            fmt::format(
                "make one, and add {}.pub to the repository as a deploy key: "
                "{}",
                key,
                shell_as(access,
                         fmt::format("mkdir -p -m 700 {0} && ssh-keygen -q -t "
                                     "ed25519 -N '' -f {1}",
                                     quoted(key.substr(0, key.rfind('/'))),
                                     quoted(key))))};
  }
  return {fmt::format("{} accepts none of the keys: {}", host,
                      fmt::join(access.keys, ", ")),
          "add it to the repository as a deploy key: " +
              command_as(access.user,
                         "cat " + quoted(access.keys.front() + ".pub"))};
}

Explanation refused_password(const Access& access) {
  return {fmt::format("{} wants a name and a password or token, and the "
                      "service has none that it accepts",
                      access.url),
          "store a token (docs/private-repositories.md): " +
              command_as(access.user, fmt::format("git -C {} config "
                                                  "credential.helper store",
                                                  quoted(access.checkout)))};
}

Explanation untrusted_certificate(const Access& access) {
  return {
      fmt::format("the certificate of {} is not trusted", access.url),
      "install the authorities: apt-get install ca-certificates; for one of "
      "your own: " +
          command_as(access.user,
                     fmt::format("git -C {} config http.sslCAInfo FILE",
                                 quoted(access.checkout)))};
}

Explanation wrong_address(const Access& access) {
  const std::string git = "git -C " + quoted(access.checkout);
  if (access.url == access.remote) {
    return {fmt::format("the checkout has no remote {}", access.remote),
            "add it: " +
                command_as(access.user, fmt::format("{} remote add {} URL", git,
                                                    quoted(access.remote)))};
  }
  return {fmt::format("there is no repository at {}, or not for this user",
                      access.url),
          "look at the address, and at what the key or token may read: " +
              command_as(access.user, git + " remote -v")};
}

Explanation unreachable(const Access& access) {
  return {fmt::format("{} cannot be reached", access.url),
          "look at its name, the network and firewalls: " +
              command_as(access.user, fmt::format("git -C {} ls-remote {}",
                                                  quoted(access.checkout),
                                                  quoted(access.remote)))};
}

}  // namespace

std::optional<Explanation> explain(std::string_view said,
                                   const Access& access) {
  const auto says = [&](std::initializer_list<std::string_view> words) {
    return contains_any(said, words);
  };
  if (says({"HOST IDENTIFICATION HAS CHANGED"})) {
    return changed_host(access);
  }
  if (says({"Host key verification failed", "host key is known for"})) {
    return unknown_host(access);
  }
  if (says({"Permission denied (", "Too many authentication failures"})) {
    return refused_key(said, access);
  }
  if (says({"cannot run ssh", "ssh: not found", "ssh: No such file"})) {
    return Explanation{"there is no ssh",
                       "install it: apt-get install openssh-client"};
  }
  if (says({"could not read Username", "could not read Password",
            "Authentication failed", "terminal prompts disabled",
            "returned error: 401", "returned error: 403"})) {
    return refused_password(access);
  }
  if (says({"certificate"})) {
    return untrusted_certificate(access);
  }
  if (says({"does not appear to be a git repository", "epository not found",
            "returned error: 404", "does not exist", "' not found"})) {
    return wrong_address(access);
  }
  if (says({"Could not resolve", "Name or service not known",
            "Temporary failure in name resolution", "Connection refused",
            "onnection timed out", "No route to host", "Network is unreachable",
            "Failed to connect", "unable to connect", "Couldn't connect"})) {
    return unreachable(access);
  }
  return std::nullopt;
}

std::optional<Destination> destination_of(std::string_view url) {
  constexpr std::array schemes = {"ssh", "git+ssh", "ssh+git"};
  const std::size_t end = url.find(scheme_end);
  if (end == std::string_view::npos) {
    // "git@host:path"; a slash before the colon makes it a path.
    const std::size_t colon = url.find(':');
    return colon == std::string_view::npos || colon == 0 ||
                   url.find('/') < colon
               ? std::nullopt
               : std::optional(Destination{std::string(url.substr(0, colon))});
  }
  if (std::ranges::find(schemes, url.substr(0, end)) == schemes.end()) {
    return std::nullopt;
  }
  url.remove_prefix(end + scheme_end.size());
  url = url.substr(0, url.find('/'));
  const std::size_t port = url.rfind(':');
  if (port == std::string_view::npos || url.ends_with(']')) {
    return Destination{std::string(url)};
  }
  return Destination{std::string(url.substr(0, port)),
                     std::string(url.substr(port + 1))};
}

std::string without_password(const std::string& url) {
  const std::size_t scheme = url.find(scheme_end);
  if (scheme == std::string::npos || destination_of(url)) {
    return url;
  }
  const std::size_t host = scheme + scheme_end.size();
  const std::size_t at = url.rfind('@', url.find('/', host));
  return at == std::string::npos || at < host
             ? url
             : url.substr(0, host) + url.substr(at + 1);
}

}  // namespace deployment
