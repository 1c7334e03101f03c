#include "tests/unit/support.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "lib/base/file.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

// Returns all that was written to `file`.
std::string content_of(std::FILE* file) {
  REQUIRE(std::fflush(file) == 0);
  return read_file(fmt::format("/proc/self/fd/{}", fileno(file)));
}

}  // namespace

std::string json(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<' && i + 2 < text.size() && text[i + 2] == '>') {
      out += id(text[i + 1]);
      i += 2;
    } else {
      out += text[i] == '\'' ? '"' : text[i];
    }
  }
  return out;
}

CommandResult printed(std::string out) {
  return {.out = std::move(out)};
}

CommandResult remove_for_real(const Command& command) {
  std::filesystem::remove_all(command.context.directory /
                              command.arguments.back());
  return {};
}

CommandResult failed(int code, std::string err) {
  return {.status = {.code = code}, .err = std::move(err)};
}

std::string running_unit(const std::string& invocation, int restarts) {
  return fmt::format(
      "ActiveState=active\nSubState=running\nResult=success\nMainPID={}\n"
      "InvocationID={}\nNRestarts={}\n",
      getpid(), invocation, restarts);
}

std::vector<std::vector<CommandResult>> FakeRunner::run_sequences(
    std::span<const Sequence> sequences) {
  std::vector<std::vector<CommandResult>> results;
  for (const Sequence& sequence : sequences) {
    Results& done = results.emplace_back();
    while (!ends(sequence, done)) {
      asked.push_back(sequence[done.size()]);
      done.push_back(answer_to(asked.back()));
    }
  }
  return results;
}

CommandResult FakeRunner::answer_to(const Command& command) const {
  const std::string line = describe(command);
  const auto found = std::find_if(
      answers_.rbegin(), answers_.rend(),
      [&](const auto& entry) { return contains(line, entry.first); });
  return found == answers_.rend() ? answer_(command) : found->second(command);
}

void FakeRunner::answer(std::string part, Answer answer) {
  answers_.emplace_back(std::move(part), std::move(answer));
}

void FakeRunner::answer(std::string part, CommandResult result) {
  answer(std::move(part), [=](const Command&) { return result; });
}

bool FakeRunner::has_run(std::string_view part) const {
  const auto all = lines();
  return std::any_of(all.begin(), all.end(), [&](const std::string& line) {
    return contains(line, part);
  });
}

std::vector<std::string> FakeRunner::lines() const {
  std::vector<std::string> lines;
  for (const Command& command : asked) {
    lines.push_back(describe(command));
  }
  return lines;
}

FakeRunner::Answer lays_out(std::map<std::string, std::string> files) {
  return [files = std::move(files)](const Command& command) {
    const std::string option = "--prefix=";
    const auto place = std::ranges::find_if(
        command.arguments,
        [&](const std::string& word) { return word.starts_with(option); });
    REQUIRE(place != command.arguments.end());
    for (const auto& [path, text] : files) {
      write_file(place->substr(option.size()) + path, text);
    }
    return CommandResult{};
  };
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

TextLog::TextLog() : TextLog(std::tmpfile()) {}

TextLog::TextLog(std::FILE* file)
    : log(file, Log::Target::plain, false), file_(file, std::fclose) {
  REQUIRE(file_);
}

std::string TextLog::text() const {
  return content_of(file_.get());
}

std::string printed_by(const std::function<void()>& act) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(),
                                                             std::fclose);
  REQUIRE(file);
  std::fflush(stdout);
  const Descriptor before(dup(STDOUT_FILENO));
  dup2(fileno(file.get()), STDOUT_FILENO);
  std::exception_ptr thrown;
  try {
    act();
  } catch (...) {
    thrown = std::current_exception();
  }
  std::fflush(stdout);
  dup2(before.get(), STDOUT_FILENO);
  if (thrown) {
    std::rethrow_exception(thrown);
  }
  return content_of(file.get());
}

bool is_root() {
  if (geteuid() == 0) {
    return true;
  }
  WARN("skipped: only root can do this");
  return false;
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
