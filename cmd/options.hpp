// The command line and the configuration file, made into values.
#pragma once

#include "lib/deploy/run.hpp"

namespace deployment {

struct Options {
  bool help = false;
  bool version = false;
  bool status = false;
  bool history = false;
  int count = 10;  // of the history
  bool check = false;
  bool verbose = false;
  std::optional<std::string> hold = {};  // the reason
  bool release = false;
  std::optional<std::string> poll = {};  // the unit to start
  Request request = {};
  Config config = {};
};

// Reads the command line, and the configuration file that it names or that is
// there. Throws UsageError: one line that names the option or key, where it
// stands, and what is allowed.
Options parse_options(int argc, const char* const argv[]);

// Returns true when these options change nothing.
bool only_looks(const Options& options);

// Throws UsageError when they do not go together.
void require_sense(const Options& options);

std::string help_text();

}  // namespace deployment
