// A run that is at work, for tests of its steps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/deploy/executor.hpp"
#include "tests/unit/host.hpp"

namespace deployment {

inline const Inputs inputs = {{"package.json", std::string(64, '1')}};
inline const Install npm_install = {
    .component = web, .facts = {.inputs = inputs}, .reason = {}};
inline const Install pip_install = {
    .component = api,
    .facts = {.manifests = {"requirements.txt"}, .inputs = inputs},
    .reason = {}};
inline const Exchange new_modules = {
    .component = web, .facts = {.inputs = inputs}, .reason = {}};
inline const Restart restart_web = {.component = web};

// `a` is deployed, and a run deploys `b`.
class Deploying : public FakeHost {
 public:
  Deploying() : journal(save_start()) {
    runner.answer("systemctl show", [this](const Command& show) {
      const std::string restart = "systemctl restart " + show.arguments.back();
      return printed(running_unit(runner.has_run(restart) ? "new" : "old"));
    });
  }

  void apply(const Step& step) { carry_out(step, work); }

  // Returns the commands that the step ran; options that every changing git has
  // are left out.
  std::vector<std::string> run(const Step& step) {
    apply(step);
    std::vector<std::string> lines = runner.lines();
    for (std::string& line : lines) {
      const std::string options =
          " -c gc.auto=0 -c maintenance.auto=false -c submodule.recurse=false";
      if (const auto found = line.find(options); found != std::string::npos) {
        line.erase(found, options.size());
      }
    }
    return lines;
  }

  // Applies `step` and returns the record on disk as it was when the command
  // with `part` ran.
  Record record_during(const Step& step, const std::string& part) {
    std::optional<Record> during;
    runner.answer(part, [&](const Command&) {
      during = saved();
      return CommandResult{};
    });
    apply(step);
    REQUIRE(during.has_value());
    return *during;
  }

  // The run has this record from here on.
  void go_on_with(const Record& record) {
    save(record);
    journal = Journal(*config.state_dir);
  }

  // Builds and keeps an environment of web, as a run before did.
  void keep(const std::string& what) {
    host.store.open_stage();
    write_file(host.store.staged(web) / "what", what);
    host.store.keep_staged(web, inputs);
  }

  Journal journal;
  Work work = {.host = host,
               .journal = journal,
               .change = Change{.from = commit('a'), .to = commit('b')}};

 private:
  const std::filesystem::path& save_start() const {
    Record record = {.deployed = commit('a'),
                     .pending = Pending{.tip = commit('b'), .running = true}};
    record.components["web"] = {.commit = commit('a'), .inputs = {{"f", "1"}}};
    save(record);
    return *config.state_dir;
  }
};

}  // namespace deployment
