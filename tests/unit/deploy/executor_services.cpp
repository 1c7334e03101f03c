#include <sched.h>
#include <sys/mount.h>

#include <memory>

#include "lib/base/error.hpp"
#include "lib/deploy/executor.hpp"
#include "lib/model/transitions.hpp"
#include "tests/unit/deploy/deploying.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

TEST_CASE(
    "installs with pip in the component's folder, and logs what it says") {
  Deploying fake;
  const Lines lines = fake.run(pip_install);
  CHECK(lines.front() == "rm -rf -- venv");
  CHECK(lines.back().ends_with(
      "venv/bin/python3 -m pip install -r requirements.txt"));
  const Context& context = fake.runner.asked.back().context;
  CHECK(context.directory == fake.checkout() / "api");
  CHECK(context.timeout == fake.config.install_timeout);
  context.on_line("Collecting flask");
  context.on_line(" ");
  CHECK(fake.log.text() == "api | Collecting flask\n");
}

TEST_CASE("forgets the label of an environment before it installs in place") {
  Deploying fake;
  fs::create_directories(fake.checkout() / "web/node_modules");
  fake.host.store.set_live_label(web, {.inputs = inputs});
  fake.runner.answer("npm ", failed(1));
  CHECK_THROWS_AS(fake.apply(npm_install), CommandError);
  CHECK(fake.host.store.live_label(web) == std::nullopt);
}

TEST_CASE("builds in the stage and keeps the environments that succeeded") {
  Deploying fake;
  fake.runner.answer("-m pip install -r", failed(1, "no such package\n"));
  const Build build = {.commit = commit('b'),
                       .installs = {npm_install, pip_install}};
  CHECK(contains(message_of<CommandError>([&] { fake.apply(build); }),
                 "no such package"));
  const Store& store = fake.host.store;
  CHECK(store.find(web, inputs, commit('b')).has_value());
  CHECK_FALSE(store.find(api, inputs, commit('b')).has_value());
  CHECK_FALSE(fs::exists(store.stage()));
  for (const Command& command : fake.runner.asked) {
    const std::set<std::string> others = {"git", "cp", "rm"};
    const bool installs =
        command.arguments.back() == "venv" || !others.contains(command.program);
    CHECK(command.context.mounts.size() == (installs ? 4 : 0));
  }
}

TEST_CASE("exchanges an environment and keeps the one that was in use") {
  Deploying fake;
  fake.keep("new");
  write_file(fake.checkout() / "web/node_modules/what", "old");
  fake.apply(new_modules);
  CHECK(read_file(fake.checkout() / "web/node_modules/what") == "new");
  // It had no label: it gets one from the record.
  CHECK(fake.host.store.find(web, {{"f", "1"}}, commit('a')).has_value());
  CHECK(fake.host.store.live_label(web) ==
        Label{.inputs = inputs, .on_trial = true});
  const Record record = fake.saved();
  CHECK(record.components.at("web").inputs == inputs);
  CHECK(record.components.at("web").commit == std::nullopt);
  CHECK(record.pending->reached == Reached::moved);
}

// The labels of an environment in use, and of it when another one has taken its
// place.
struct Replaced {
  const char* what;
  Label before;
  Label after;
};

TEST_CASE("says in its label which commit an environment served") {
  const Inputs old = {{"package.json", std::string(64, '2')}};
  for (const Replaced& row : {Replaced{"it is known what it was made from",
                                       {.inputs = old},
                                       {.inputs = old, .served = commit('a')}},
                              Replaced{"it served another one before",
                                       {.inputs = {}, .served = commit('c')},
                                       {.inputs = {}, .served = commit('a')}},
                              Replaced{"it served none yet",
                                       {.inputs = old, .on_trial = true},
                                       {.inputs = old, .on_trial = true}}}) {
    INFO(row.what);
    Deploying fake;
    fake.keep("new");
    fs::create_directories(fake.checkout() / "web/node_modules");
    fake.host.store.set_live_label(web, row.before);
    fake.apply(new_modules);
    const fs::path kept = ".git/deployment-update/environments/web/2";
    Label label =
        parse_label(read_file(fake.checkout() / kept / ".deployment-update"));
    CHECK(label.folder == (fake.checkout() / "web/node_modules").string());
    label.folder.clear();
    CHECK(label == row.after);
  }
}

TEST_CASE("on the way back takes none that is on trial, and tries none") {
  Deploying fake;
  fake.keep("old");
  fake.keep("tried");
  const auto tried = fake.host.store.find(web, inputs, commit('a'));
  REQUIRE(tried.has_value());
  fake.host.store.begin_trial(*tried);
  const Label bad = {.inputs = inputs, .on_trial = true};
  fs::create_directories(fake.checkout() / "web/node_modules");
  fake.host.store.set_live_label(web, bad);
  Record record = fake.saved();
  record.roll_back_to = commit('a');
  fake.go_on_with(record);
  fake.apply(new_modules);
  CHECK(read_file(fake.checkout() / "web/node_modules/what") == "old");
  CHECK(fake.host.store.live_label(web) == Label{.inputs = inputs});
}

TEST_CASE("puts an environment aside that replaced none") {
  Deploying fake;
  write_file(fake.checkout() / "web/node_modules/what", "new");
  fake.host.store.set_live_label(web, {.inputs = inputs});
  fake.journal.write(transition::environment_ready, std::string("web"), inputs,
                     std::string(), false);
  fake.apply(PutAside{.component = web});
  CHECK_FALSE(fs::exists(fake.checkout() / "web/node_modules"));
  CHECK(fake.host.store.find(web, inputs, commit('a')).has_value());
  // Nothing is known of the component any more.
  CHECK_FALSE(fake.saved().components.contains("web"));
}

TEST_CASE("puts the first environment into use") {
  Deploying fake;
  fake.keep("new");
  fs::create_directories(fake.checkout() / "web");
  fake.apply(new_modules);
  CHECK(fs::exists(fake.checkout() / "web/node_modules/what"));
}

// A mount namespace with one more file system, for the life of this. Folders
// that were opened before do not see it.
class FileSystem {
 public:
  FileSystem() {
    may_mount_ =
        unshare(CLONE_NEWNS) == 0 &&
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }
  ~FileSystem() {
    if (!folder_.empty()) {
      umount(folder_.c_str());
    }
  }
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  bool may_mount() const { return may_mount_; }
  void mount_at(const fs::path& folder) {
    fs::create_directories(folder);
    REQUIRE(mount("none", folder.c_str(), "tmpfs", 0, nullptr) == 0);
    folder_ = folder;
  }

 private:
  bool may_mount_ = false;
  fs::path folder_;
};

TEST_CASE("moves in turn the environments that cannot be exchanged") {
  FileSystem other;
  if (!other.may_mount()) {
    WARN("skipped: there is no mount namespace to be had");
    return;
  }
  Deploying fake;
  other.mount_at(fake.checkout() / "web");
  fake.keep("new");
  const fs::path in_use = fake.checkout() / "web/node_modules/what";
  write_file(in_use, "old");
  fake.runner.answer("mv -T -- ", [](const Command& move) {
    const fs::path from = move.context.directory / move.arguments[2];
    const fs::path to = move.context.directory / move.arguments[3];
    CHECK_FALSE(fs::exists(to));
    fs::copy(from, to, fs::copy_options::recursive);
    fs::remove_all(from);
    return CommandResult{};
  });
  fake.apply(new_modules);
  CHECK(read_file(in_use) == "new");
  const auto kept = fake.host.store.find(web, {{"f", "1"}}, commit('a'));
  REQUIRE(kept.has_value());
  CHECK(read_file(*kept / "what") == "old");
  CHECK(contains(fake.log.text(), "one after the other"));
  CHECK(fake.saved().components.at("web").inputs == inputs);
}

TEST_CASE("refuses to exchange an environment that is not kept") {
  Deploying fake;
  CHECK(message_of<Error>([&] { fake.apply(new_modules); }) ==
        "cannot find the node_modules of web to put into use");
  CHECK(fake.saved().components.at("web").inputs == Inputs{{"f", "1"}});
}

TEST_CASE("restarts a unit after it cleared its failures") {
  Deploying fake;
  CHECK(fake.run(restart_web) == Lines{"systemctl reset-failed web.service",
                                       "systemctl restart web.service"});
}

}  // namespace
}  // namespace deployment
