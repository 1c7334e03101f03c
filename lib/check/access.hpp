// Explains why a remote cannot be asked, from what git and ssh say.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deployment {

// The remote, and how the checkout's user reaches it.
struct Access {
  std::string remote = {};  // its name
  std::string url = {};     // its address, without a password
  std::string checkout = {};
  std::optional<std::string> user = {};  // nullopt: that of this process
  std::string home = {};
  // Of ssh, as its configuration resolves them.
  std::string host = {};
  std::string port = "22";
  std::string known_hosts = {};
  std::string new_key = {};  // the path of one to make, where there is none
  std::vector<std::string> keys = {};         // that are there
  std::vector<std::string> locked_keys = {};  // of these: with a passphrase
};

struct Explanation {
  std::string what = {};
  std::string remedy = {};
};

// Returns nullopt for words that are not known.
std::optional<Explanation> explain(std::string_view said, const Access& access);

// Returns where ssh goes for an address, "git@host" or "host", and its port;
// nullopt for an address that is not of ssh.
struct Destination {
  std::string host = {};
  std::optional<std::string> port = {};
};
std::optional<Destination> destination_of(std::string_view url);

// Returns the address without user and password, unless it is one of ssh; the
// user of that is no secret.
std::string without_password(const std::string& url);

}  // namespace deployment
