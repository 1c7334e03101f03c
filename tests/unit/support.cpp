#include "tests/unit/support.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace deployment {
namespace fs = std::filesystem;

std::vector<std::vector<CommandResult>> FakeRunner::run_sequences(
    std::span<const Sequence> sequences) {
  std::vector<std::vector<CommandResult>> results;
  for (const Sequence& sequence : sequences) {
    results.emplace_back();
    for (const Command& command : sequence) {
      asked.push_back(command);
      results.back().push_back(answer_(command));
      if (!results.back().back().status.success()) {
        break;
      }
    }
  }
  return results;
}

std::vector<std::string> FakeRunner::lines() const {
  std::vector<std::string> lines;
  for (const Command& command : asked) {
    lines.push_back(describe(command));
  }
  return lines;
}

Folder::Folder() {
  std::string name = fs::temp_directory_path() / "unit-tests.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    throw_errno("create a folder for the test");
  }
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void write_file(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  REQUIRE(file.flush().good());
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Variable::Variable(const char* name, const char* value)
    : name_(name), before_(std::getenv(name)) {
  if (before_ != nullptr) {
    value_before_ = before_;
  }
  if (value == nullptr) {
    unsetenv(name);
  } else {
    setenv(name, value, 1);
  }
}

Variable::~Variable() {
  if (before_ == nullptr) {
    unsetenv(name_.c_str());
  } else {
    setenv(name_.c_str(), value_before_.c_str(), 1);
  }
}

}  // namespace deployment
