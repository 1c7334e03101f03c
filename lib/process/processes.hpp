// The processes of this host, as /proc lists them (proc(5)).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <vector>

namespace deployment {

// The ids of all processes that this one may see. Empty without /proc.
std::vector<pid_t> process_ids();

// Returns true for a process that has not been waited for, whoever's it is.
bool is_alive(pid_t pid);

// /proc/PID
std::filesystem::path process_folder(pid_t pid);

// The first line of a file in such a folder; empty when it cannot be read.
std::string first_line_of(const std::filesystem::path& path);

}  // namespace deployment
