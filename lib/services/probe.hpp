// Connects to a service, to see whether it takes the connection.
#pragma once

#include "lib/base/file.hpp"
#include "lib/services/listening.hpp"

namespace deployment {

// A connection to a socket that a service listens on. Nothing is sent.
class Probe {
 public:
  // Begins to connect; to loopback when the service listens on all addresses.
  explicit Probe(const Listener& listener);

  // Says why the service has not taken the connection so far; nullopt when it
  // has. The kernel takes connections for whoever listens. Where the service
  // manager does, it counts only once the service has accepted it.
  std::optional<std::string> problem();

  // Returns true when it never will: only another Probe can tell more.
  bool has_failed() const { return error_ != 0; }

 private:
  bool is_connected() const;
  bool is_accepted() const;

  bool must_be_accepted_;
  int error_ = 0;
  Descriptor socket_;
};

}  // namespace deployment
