// Reads and judges the values of settings.
#pragma once

#include "lib/model/config.hpp"

namespace deployment {

// Thrown for a value that is not allowed; the caller adds source and key.
struct Refused {
  std::string allowed;
};

// True for a relative path that does not climb out of where it starts.
bool stays_inside(const std::filesystem::path& path);

// Unit names of systemd.unit(5); never one that reads as an option.
bool is_unit_name(std::string_view value);

// True for a name that a shell can set; systemd takes no other either.
bool is_variable_name(std::string_view name);

bool is_http_url(std::string_view value);

bool is_not_empty(std::string_view value);

// Each of these throws Refused.

// Reads a path that stays inside the checkout.
std::filesystem::path inside_checkout(const std::string& value);

// Reads a relative path. complete() checks that it stays inside the checkout,
// with the directory.
std::filesystem::path in_directory(const std::string& value);

// Reads the folder of an environment, in that of a component.
std::string to_environment(const std::string& value);

// Reads the path of a file for a collector of metrics.
std::filesystem::path metrics_file(const std::string& value);

// Reads a folder; a relative one counts from the working directory.
std::filesystem::path absolute(const std::string& value);

std::chrono::seconds to_seconds(const std::string& value);

// Reads seconds, at least one.
std::chrono::seconds to_timeout(const std::string& value);

StatusRanges to_status_ranges(const std::string& value);

// Splits a command line by split_words(). The first word is the program.
CommandWords to_command_words(const std::string& value);

}  // namespace deployment
