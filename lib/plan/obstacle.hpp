// Names what stops a run before it changes anything.
#pragma once

#include "lib/base/error.hpp"

namespace deployment {

// Something on this host, and not in the commit, stops a deployment before it
// changes anything. A person takes it away at any time, so each run looks
// again.
class Obstacle : public Error {
 public:
  using Error::Error;
};

}  // namespace deployment
