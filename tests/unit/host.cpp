#include "tests/unit/host.hpp"

#include <fmt/format.h>

#include "lib/deploy/journal.hpp"
#include "lib/model/paths.hpp"
#include "lib/model/record_text.hpp"

namespace deployment {
namespace {

Config config_in(const Folder& folder) {
  using namespace std::chrono_literals;
  Config config;
  config.repo_dir = folder / "app";
  config.state_dir = folder / "state";
  config.settle = 0s;
  config.components = {web, api};
  std::filesystem::create_directories(config.repo_dir / ".git");
  return config;
}

}  // namespace

FakeHost::FakeHost()
    : config(config_in(folder)), host(config, log.log, runner) {
  runner.answer("rev-parse --verify", printed(id('a') + "\n"));
  runner.answer("symbolic-ref", printed("prod\n"));
  runner.answer("for-each-ref", printed("* " + id('a') + " refs/heads/prod\n"));
  runner.answer("rev-list --count", printed("1\n"));
  runner.answer("node --version", printed("v18.19.0\n"));
  runner.answer("log -1", printed("A subject\n"));
  runner.answer("rm -rf --one-file-system", remove_for_real);
  push('a');
}

void FakeHost::push(char tip) {
  runner.answer("ls-remote", printed(id(tip) + "\trefs/heads/prod\n"));
  runner.answer("rev-list --left-right",
                printed(fmt::format("0\t{}\n", tip == 'a' ? 0 : 1)));
}

void FakeHost::install() const {
  for (const Component& component : config.components) {
    const std::filesystem::path live = host.store.live(component);
    std::filesystem::create_directories(live);
    if (component.type == Component::Type::python) {
      write_file(live / "bin/python3", "");
    }
  }
}

void FakeHost::save(const Record& record) const {
  write_file(*config.state_dir / record_name, to_text(record));
}

Record FakeHost::saved() const {
  return Journal(*config.state_dir).record();
}

}  // namespace deployment
