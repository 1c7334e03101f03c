#include "lib/services/ports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "lib/base/signals.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// True when who reached a service at `before` reaches it at `now`: the address
// may be another one, but none of this host alone when it was not.
bool replaces(const Endpoint& now, const Endpoint& before) {
  return now.port == before.port &&
         (!now.is_loopback() || before.is_loopback());
}

bool lasts(const Endpoint& listener) {
  return !is_ephemeral(listener.port);
}

bool has_replacement(const Endpoint& before, const Endpoints& listeners) {
  return std::ranges::any_of(listeners, [&](const Endpoint& listener) {
    return replaces(listener, before);
  });
}

}  // namespace

ExpectedPorts expected_again(const Endpoints& recorded,
                             const std::optional<Endpoints>& listeners,
                             bool one_is_silent) {
  Endpoints in_use = listeners.value_or(Endpoints{});
  std::erase_if(in_use, std::not_fn(lasts));
  const bool has_moved =
      std::ranges::any_of(in_use, [&](const Endpoint& listener) {
        return std::ranges::none_of(recorded, [&](const Endpoint& before) {
          return replaces(listener, before);
        });
      });
  Endpoints left = recorded;
  std::erase_if(left, [&](const Endpoint& before) {
    return !has_replacement(before, in_use);
  });
  if (left.empty()) {
    return {.listens = recorded,
            .may_move = has_moved && !recorded.empty(),
            .came_late = has_moved && recorded.empty()};
  }
  return {.listens = one_is_silent && !has_moved ? recorded : left};
}

Endpoints accepting(const std::optional<Endpoints>& listeners) {
  Ports ports({}, false, "");
  ports.look(listeners, true);
  return ports.accepting().value_or(Endpoints{});
}

Ports::Ports(Endpoints expected, bool may_move, std::string way_to_move)
    : expected_(std::move(expected)),
      may_move_(may_move),
      way_to_move_(std::move(way_to_move)) {
  std::erase_if(expected_, std::not_fn(lasts));
}

void Ports::look(const std::optional<Endpoints>& listeners, bool is_early,
                 const std::string& by_unit) {
  if (is_early && listeners) {
    early_ = *listeners;
  }
  listeners_ = listeners;
  by_unit_ = by_unit.empty() ? "" : fmt::format(" ({})", by_unit);
}

std::optional<std::string> Ports::why_not_listening() const {
  if (!listeners_ || expected_.empty()) {
    return std::nullopt;
  }
  if (may_move_) {
    return std::ranges::any_of(*listeners_, lasts)
               ? std::nullopt
               : std::optional<std::string>("it does not listen on any port");
  }
  for (const Endpoint& before : expected_) {
    if (!has_replacement(before, *listeners_)) {
      return fmt::format(
          "{}{}; if the push moves it on purpose: {}; if it takes longer to "
          "start: health-timeout",
          describe_missing(before), by_unit_, way_to_move_);
    }
  }
  return std::nullopt;
}

bool Ports::accept_another_port(bool may_vanish) {
  const auto is_there = [&](const Endpoint& before) {
    return has_replacement(before, *listeners_);
  };
  if (has_moved_ || !listeners_ || expected_.empty() ||
      std::ranges::any_of(expected_, is_there)) {
    return false;
  }
  if (std::ranges::any_of(*listeners_, lasts)) {
    may_move_ = true;
  } else if (may_vanish) {
    expected_.clear();
  } else {
    return false;
  }
  has_moved_ = true;
  return true;
}

std::optional<std::string> Ports::why_no_connection() {
  if (!listeners_ || expected_.empty()) {
    return std::nullopt;
  }
  std::optional<std::string> problem;
  for (const Endpoint& listener : *listeners_) {
    if (may_move_ ? !lasts(listener) : !is_expected(listener)) {
      continue;
    }
    problem = ask(listener);
    if (problem.has_value() != may_move_) {  // one that answers is enough then
      return problem;
    }
  }
  return problem;
}

std::optional<Endpoints> Ports::accepting() {
  if (!listeners_) {
    return std::nullopt;
  }
  const auto deadline = steady_clock::now() + 1s;
  Endpoints found;
  Endpoints silent = *listeners_;
  std::erase_if(silent, [&](const Endpoint& listener) {
    return !lasts(listener) || !(is_expected(listener) ||
                                 std::ranges::count(early_, listener) != 0);
  });
  for (;;) {  // all have the same time
    std::erase_if(silent, [&](const Endpoint& listener) {
      const bool answers = !ask(listener);
      if (answers) {
        found.push_back(listener);
      }
      return answers;
    });
    if (silent.empty() || steady_clock::now() >= deadline) {
      std::ranges::sort(found);
      return found;
    }
    wait_for(50ms);
  }
}

bool Ports::is_expected(const Endpoint& endpoint) const {
  return std::ranges::any_of(expected_, [&](const Endpoint& before) {
    return replaces(endpoint, before);
  });
}

std::string Ports::describe_missing(const Endpoint& before) const {
  const auto other =
      std::ranges::find(*listeners_, before.port, &Endpoint::port);
  return other == listeners_->end()
             ? fmt::format("it does not listen on port {}, as it did before",
                           before.port)
             : fmt::format("it listens on {}, and no longer on {}",
                           to_string(*other), to_string(before));
}

// A connection that failed is made anew by the next question.
std::optional<std::string> Ports::ask(const Endpoint& listener) {
  const auto probe = probes_.try_emplace(listener, listener).first;
  const auto problem = probe->second.problem();
  if (!problem) {
    return std::nullopt;
  }
  if (probe->second.has_failed()) {
    probes_.erase(probe);
  }
  return fmt::format("it takes no connection at {}{}: {}", to_string(listener),
                     by_unit_, *problem);
}

}  // namespace deployment
