// Listening sockets of the test's own process, which looks like a unit.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "lib/base/file.hpp"
#include "lib/model/endpoint.hpp"
#include "lib/services/systemd.hpp"
#include "tests/unit/processes.hpp"

namespace deployment {

// The control group (version 2) that this process is in.
std::string own_control_group();

// True where there are such control groups; otherwise it says that the test is
// skipped.
bool has_control_groups();

// A control group without processes, below that of this process.
class EmptyGroup {
 public:
  EmptyGroup();
  ~EmptyGroup();
  EmptyGroup(const EmptyGroup&) = delete;
  EmptyGroup& operator=(const EmptyGroup&) = delete;

  // False where this user can make none; then it says that the test is skipped.
  bool is_there() const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::filesystem::path folder_;  // empty: it could not be made
};

// A unit whose main process is this one.
UnitState own_unit();

// Returns a port that the kernel does not choose by itself and where nobody
// listens.
int free_port();

// Listens while it lives.
class Server {
 public:
  // With a `backlog` of 0 one connection waits, and no other is made.
  explicit Server(const Endpoint& endpoint, int backlog = 16);

  const Endpoint& endpoint() const { return endpoint_; }
  int port() const { return endpoint_.port; }

  // Fails the test when no connection comes in time.
  Descriptor accept() const;

  void close() { fd_.reset(); }

 private:
  Endpoint endpoint_;
  Descriptor fd_;
};

// Starts a process that accepts all connections to a server, as a child of a
// supervisor does that holds the socket, too.
Helper accepting(const Server& server);

inline Endpoint on_loopback(int port) {
  return ipv4_endpoint({127, 0, 0, 1}, port);
}

inline Endpoint on_all(int port) {
  return ipv4_endpoint({0, 0, 0, 0}, port);
}

}  // namespace deployment
