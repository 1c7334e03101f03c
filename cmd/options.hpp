// The command line and the configuration file, made into values.
#pragma once

#include "lib/deploy/deploy.hpp"

namespace deployment {

struct Options {
  bool help = false;
  bool version = false;
  bool status = false;
  bool verbose = false;
  Request request = {};
  Config config = {};
};

// Reads the command line, and the configuration file that it names or that is
// there. Throws UsageError: one line that names the option or key, where it
// stands, and what is allowed.
Options parse_options(int argc, const char* const argv[]);

std::string help_text();

}  // namespace deployment
