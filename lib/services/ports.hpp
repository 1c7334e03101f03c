// The ports of a restarted service: what it is expected to listen on, and what
// it does.
#pragma once

#include "lib/services/listening.hpp"
#include "lib/services/probe.hpp"

namespace deployment {

// Tells where services are expected to listen after their restart.
struct ExpectedPorts {
  Endpoints listens = {};
  // They may listen elsewhere instead, but not nowhere.
  bool may_move = false;
  // They listened nowhere when they were verified, and do now.
  bool came_late = false;
};

// Returns what is expected of services that listened where `recorded` says when
// they were verified, and listen at `listeners` now (nullopt: that cannot be
// told; `one_is_silent`: one of them nowhere). Who listens on another port
// instead was moved by another start; who listens on none was not.
ExpectedPorts expected_again(const Endpoints& recorded,
                             const std::optional<Endpoints>& listeners,
                             bool one_is_silent);

// Returns those of `listeners` that accept connections now, but for ports that
// the kernel chose. May wait for a second.
Endpoints accepting(const std::optional<Endpoints>& listeners);

class Ports {
 public:
  // `expected` is where the service listened before; ports that the kernel
  // chooses are left out. With `may_move` it may listen anywhere instead, but
  // not nowhere. `way_to_move` is the command that lets it.
  Ports(Endpoints expected, bool may_move, std::string way_to_move);

  // Takes what was seen: where the service listens now; nullopt when that
  // cannot be told. What is seen in an early look can be expected to be there
  // as soon after the next restart.
  // `by_unit` tells, of several units, which listens where; it is added to what
  // is said of a port that is missing.
  void look(const std::optional<Endpoints>& listeners, bool is_early,
            const std::string& by_unit = "");

  // Says where it does not listen as expected; nullopt when it does, and when
  // that cannot be told.
  std::optional<std::string> why_not_listening() const;

  // Lets it listen elsewhere from here on when it listens on no port as
  // expected, and on another one or, if it `may_vanish`, on none: what nobody
  // can change has to do. Returns false when it does not.
  bool accept_another_port(bool may_vanish);
  bool has_moved() const { return has_moved_; }

  // Says where it takes no connection. Each is made once.
  std::optional<std::string> why_no_connection();

  // Makes the connections anew.
  void connect_again() { probes_.clear(); }

  // Returns where it can be expected to accept connections after its next
  // restart; nullopt when that cannot be told. May wait for a second.
  std::optional<Endpoints> accepting();

 private:
  bool is_expected(const Endpoint& endpoint) const;
  std::string describe_missing(const Endpoint& before) const;
  std::optional<std::string> ask(const Endpoint& listener);

  Endpoints expected_;
  bool may_move_;
  bool has_moved_ = false;  // and was let
  std::string way_to_move_;
  std::optional<Endpoints> listeners_ = {};
  std::string by_unit_ = {};
  Endpoints early_ = {};
  std::map<Endpoint, Probe> probes_ = {};
};

}  // namespace deployment
