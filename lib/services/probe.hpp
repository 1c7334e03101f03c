// Connects to a service, to see whether it takes the connection.
#pragma once

#include "lib/base/file.hpp"
#include "lib/model/endpoint.hpp"

namespace deployment {

// A connection to a socket that a service listens on. Nothing is sent, and it
// is closed as soon as it was accepted.
class Probe {
 public:
  // Begins to connect; to loopback when the service listens on all addresses.
  explicit Probe(const Endpoint& listener);

  // Says why the service has not accepted the connection so far; nullopt when
  // it has. The kernel makes connections for whoever holds a socket that
  // listens: a supervisor whose server has died, or the service manager.
  std::optional<std::string> problem();

  // Returns true when it never will: only another Probe can tell more.
  bool has_failed() const { return error_ != 0; }

 private:
  bool is_connected() const;
  bool is_accepted() const;

  bool is_done_ = false;  // it was accepted, and is closed
  int error_ = 0;
  Descriptor socket_;
};

}  // namespace deployment
