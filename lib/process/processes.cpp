#include "lib/process/processes.hpp"

#include <cerrno>
#include <csignal>
#include <fstream>

#include "lib/base/text.hpp"

namespace deployment {
namespace fs = std::filesystem;

std::vector<pid_t> process_ids() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    if (const auto pid = parse_number(entry.path().filename().string())) {
      pids.push_back(*pid);
    }
  }
  return pids;
}

bool is_alive(pid_t pid) {
  return ::kill(pid, 0) == 0 || errno == EPERM;
}

fs::path process_folder(pid_t pid) {
  return fs::path("/proc") / std::to_string(pid);
}

std::string first_line_of(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace deployment
