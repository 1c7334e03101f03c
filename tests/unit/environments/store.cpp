#include "lib/environments/store.hpp"

#include "lib/base/error.hpp"
#include "lib/base/user.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

const Component web = {.name = "web",
                       .type = Component::Type::npm,
                       .directory = "web",
                       .manifests = {"package.json"},
                       .services = {"web.service"}};
const Inputs first = {{"package.json", std::string(64, '1')}};
const Inputs second = {{"package.json", std::string(64, '2')}};

// A checkout with an environment in use, that holds the file `what`.
class Checkout : public Folder {
 public:
  Checkout() {
    fs::create_directories(*this / ".git");
    fs::create_directories(*this / "web/node_modules");
    write_file(*this / "web/node_modules/what", "in use");
  }

  Store store() const {
    auto folder = std::make_shared<Directory>(path());
    return Store(folder, runner_, {.directory = path(), .top = folder});
  }

  // Builds and keeps an environment, as a run does.
  void keep(const Inputs& inputs, const std::string& what) const {
    store().open_stage();
    fs::create_directories(store().staged(web));
    write_file(store().staged(web) / "what", what);
    store().keep_staged(web, inputs);
    store().remove_stage();
  }

  std::string in_use() const {
    return read_file(*this / "web/node_modules/what");
  }

 private:
  mutable FakeRunner runner_{remove_for_real};
};

std::vector<User> nobody_asks() {
  FAIL("the user of a service is asked for");
  return {};
}

TEST_CASE("what is kept is found by what it was made from") {
  const Checkout checkout;
  CHECK_FALSE(checkout.store().find(web, first, commit('a')).has_value());
  checkout.keep(first, "one");
  checkout.keep(second, "two");
  const auto found = checkout.store().find(web, first, commit('a'));
  REQUIRE(found.has_value());
  CHECK(read_file(*found / "what") == "one");
  CHECK_FALSE(fs::exists(checkout.store().stage()));
}

TEST_CASE("what another component kept is found by its place") {
  const Checkout checkout;
  checkout.keep(first, "one");
  Component other = web;
  other.name = "other";
  const auto found = checkout.store().find(other, first, commit('a'));
  REQUIRE(found.has_value());
  CHECK(read_file(*found / "what") == "one");
  other.directory = "elsewhere";
  CHECK_FALSE(checkout.store().find(other, first, commit('a')).has_value());
}

TEST_CASE("a folder with the greatest number is no kept environment") {
  const Checkout checkout;
  checkout.keep(first, "one");
  fs::create_directory(
      checkout.store().find(web, first, commit('a'))->parent_path() /
      "2147483647");
  checkout.keep(second, "two");
  const auto found = checkout.store().find(web, second, commit('a'));
  REQUIRE(found.has_value());
  CHECK(found->filename() == "2");
}

TEST_CASE("an exchange puts one into use and keeps the other") {
  const Checkout checkout;
  Store store = checkout.store();
  store.set_live_label(web, {.inputs = first});
  checkout.keep(second, "new");
  REQUIRE(store.exchange(web, *store.find(web, second, commit('a'))));
  CHECK(checkout.in_use() == "new");
  CHECK(store.live_label(web)->inputs == second);
  const auto kept = store.find(web, first, commit('a'));
  REQUIRE(kept.has_value());
  CHECK(read_file(*kept / "what") == "in use");

  REQUIRE(store.exchange(web, *kept));
  CHECK(checkout.in_use() == "in use");
}

TEST_CASE("where none is in use the kept one moves in") {
  const Checkout checkout;
  fs::remove_all(checkout / "web/node_modules");
  checkout.keep(first, "new");
  REQUIRE(checkout.store().exchange(
      web, *checkout.store().find(web, first, commit('a'))));
  CHECK(checkout.in_use() == "new");
}

TEST_CASE("what killed runs left aside of labels is removed") {
  const Checkout checkout;
  Store store = checkout.store();
  store.remove_left_of_labels(web);  // there is nothing
  checkout.keep(first, "one");
  const fs::path kept = *store.find(web, first, commit('a'));
  for (const fs::path& environment : {kept, store.live(web)}) {
    write_file(environment / ".deployment-update.0123456789abcdef", "half");
  }
  store.remove_left_of_labels(web);
  for (const fs::path& environment : {kept, store.live(web)}) {
    CHECK_FALSE(
        fs::exists(environment / ".deployment-update.0123456789abcdef"));
    CHECK(fs::exists(environment / "what"));
  }
  CHECK(store.find(web, first, commit('a')) == kept);
}

TEST_CASE("pruning keeps those that came last") {
  const Checkout checkout;
  for (const char digit : {'1', '2', '3', '4'}) {
    checkout.keep({{"package.json", std::string(64, digit)}}, {digit});
  }
  checkout.store().prune(web, 2, {}, nobody_asks);
  for (const char digit : {'1', '2', '3', '4'}) {
    CHECK(
        checkout.store()
            .find(web, {{"package.json", std::string(64, digit)}}, commit('a'))
            .has_value() == (digit >= '3'));
  }
  checkout.store().prune(web, 5, {}, nobody_asks);
  CHECK(checkout.store()
            .find(web, {{"package.json", std::string(64, '4')}}, commit('a'))
            .has_value());
}

TEST_CASE("pruning keeps those that served a commit that is still needed") {
  const Checkout checkout;
  Store store = checkout.store();
  for (const char digit : {'1', '2', '3'}) {
    const Inputs made_from = {{"package.json", std::string(64, digit)}};
    checkout.keep(made_from, {digit});
    REQUIRE(store.exchange(web, *store.find(web, made_from, commit('a'))));
    store.set_live_label(web, {.inputs = made_from, .served = commit(digit)});
  }
  store.prune(web, 0, {commit('1')}, nobody_asks);
  CHECK(store.find(web, {}, commit('1')).has_value());
  CHECK_FALSE(store.find(web, {}, commit('2')).has_value());
}

TEST_CASE("an environment is on trial until that ends") {
  const Checkout checkout;
  Store store = checkout.store();
  checkout.keep(first, "new");
  const auto kept = store.find(web, first, commit('a'));
  REQUIRE(kept.has_value());
  store.begin_trial(*kept);
  CHECK(store.find(web, first, commit('a')) == kept);
  CHECK_FALSE(
      store.find(web, first, commit('a'), Store::Trials::left_out).has_value());
  REQUIRE(store.exchange(web, *kept));
  CHECK(store.live_label(web) == Label{.inputs = first, .on_trial = true});
  store.end_trial(web);
  CHECK(store.live_label(web) == Label{.inputs = first});
}

TEST_CASE("an environment serves no other folder than its own") {
  const Checkout checkout;
  Store store = checkout.store();
  checkout.keep(first, "new");
  Component moved = web;
  moved.directory = "site";
  CHECK_FALSE(store.find(moved, first, commit('a')).has_value());
  REQUIRE(store.exchange(web, *store.find(web, first, commit('a'))));
  CHECK(store.live_label(web) == Label{.inputs = first});
  fs::create_directories(store.live(moved).parent_path());
  fs::rename(store.live(web), store.live(moved));
  CHECK(store.has_live_label(moved));
  CHECK_FALSE(store.live_label(moved).has_value());
}

TEST_CASE("what was in use just now is the newest of those kept") {
  const Checkout checkout;
  Store store = checkout.store();
  store.set_live_label(web, {.inputs = first});
  checkout.keep(second, "older");
  checkout.keep({{"package.json", std::string(64, '3')}}, "newer");
  REQUIRE(store.exchange(web, *store.find(web, second, commit('a'))));
  store.prune(web, 1, {}, nobody_asks);
  CHECK(store.find(web, first, commit('a')).has_value());
}

TEST_CASE("an environment without label says nothing of itself") {
  const Checkout checkout;
  CHECK_FALSE(checkout.store().live_label(web).has_value());
  checkout.store().set_live_label(web, {.inputs = first});
  CHECK(checkout.store().live_label(web)->inputs == first);
  checkout.store().remove_live_label(web);
  checkout.store().remove_live_label(web);
  CHECK_FALSE(checkout.store().live_label(web).has_value());
}

TEST_CASE("labels leave an environment as old as it is") {
  const Checkout checkout;
  const fs::path environment = checkout / "web/node_modules";
  const auto before = fs::last_write_time(environment) - std::chrono::hours(1);
  fs::last_write_time(environment, before);
  checkout.store().label_live(web, first);
  REQUIRE(checkout.store().has_live_label(web));
  CHECK(fs::last_write_time(environment) == before);
  checkout.store().remove_live_label(web);
  REQUIRE_FALSE(checkout.store().has_live_label(web));
  CHECK(fs::last_write_time(environment) == before);
}

TEST_CASE("a label that is too long is refused") {
  const Checkout checkout;
  const fs::path label = checkout / "web/node_modules/.deployment-update";
  write_file(label, std::string(longest_label, '\n'));
  CHECK(checkout.store().live_label(web) == Label{});
  write_file(label, std::string(longest_label + 1, '\n'));
  CHECK(contains(
      message_of<Error>([&] { checkout.store().live_label(web); }),
      "web/node_modules/.deployment-update is longer than 262144 bytes"));
}

TEST_CASE("a stage is opened empty, whatever a killed run left in it") {
  const Checkout checkout;
  Store store = checkout.store();
  store.open_stage();
  write_file(store.staged_tree() / "left", "behind");
  store.open_stage();
  CHECK_FALSE(fs::exists(store.staged_tree() / "left"));
}

TEST_CASE("an empty environment is kept for its runtime and its place") {
  const Checkout checkout;
  const Inputs of_18 = {{"node", "18"}};
  const auto make = [&](const std::string& what) {
    checkout.store().open_stage();
    write_file(checkout.store().staged_empty(web) / "what", what);
  };
  const auto take = [&](const Component& component, const Inputs& inputs) {
    checkout.store().open_stage();
    return checkout.store().take_empty(component, inputs);
  };
  checkout.store().open_stage();
  checkout.store().keep_empty(web, of_18);  // there is none
  CHECK_FALSE(take(web, of_18));
  make("one");
  checkout.store().keep_empty(web, of_18);
  make("two");
  checkout.store().keep_empty(web, of_18);

  CHECK_FALSE(take(web, {{"node", "20"}}));
  Component moved = web;
  moved.directory = "site";
  CHECK_FALSE(take(moved, of_18));
  Component other = web;
  other.name = "other";
  CHECK_FALSE(take(other, of_18));

  CHECK(take(web, of_18));
  CHECK(read_file(checkout.store().staged_empty(web) / "what") == "two");
  checkout.store().keep_empty(web, of_18);
  CHECK(take(web, of_18));
  CHECK_FALSE(take(web, of_18));  // it went with the stage
}

TEST_CASE("removing follows no link out of the checkout") {
  const Checkout checkout;
  const Folder elsewhere;
  write_file(elsewhere / "precious", "x");
  const fs::path root = checkout.store().stage().parent_path();

  checkout.store().open_stage();
  fs::create_directory_symlink(elsewhere.path(),
                               checkout.store().staged_tree() / "link");
  checkout.store().remove_stage();
  CHECK(fs::exists(elsewhere / "precious"));

  fs::create_directory(elsewhere / "stage");
  write_file(elsewhere / "stage/precious", "x");
  fs::remove_all(root);
  fs::create_directory_symlink(elsewhere.path(), root);
  checkout.store().remove_stage();  // nothing is there
  CHECK(fs::exists(elsewhere / "stage/precious"));

  fs::remove_all(checkout.path() / ".git");
  fs::create_directory_symlink(elsewhere.path(), checkout.path() / ".git");
  fs::create_directories(elsewhere / "deployment-update/stage/precious");
  checkout.store().remove_stage();
  CHECK(fs::exists(elsewhere / "deployment-update/stage/precious"));
}

// Removes kept environments of web as root does for their owner, who may not
// remove all. `what_rm_does` answers rm, which is told who runs it.
struct Removal {
  explicit Removal(std::function<void(const Command&)> what_rm_does)
      : runner([what_rm_does](const Command& rm) {
          what_rm_does(rm);
          return CommandResult{};
        }) {
    write_file(environment / "cache", "x");
    fs::permissions(checkout.path(), fs::perms(0755));
  }

  void prune(const User& service) {
    auto top = std::make_shared<Directory>(checkout.path());
    Store(top, runner,
          {.directory = checkout.path(), .top = top, .user = owner})
        .prune(web, 0, {}, [&] { return std::vector<User>{service}; });
  }
  std::vector<std::string> who() const {
    std::vector<std::string> names;
    for (const Command& rm : runner.asked) {
      names.push_back(rm.context.user ? rm.context.user->name : "");
    }
    return names;
  }

  const Checkout checkout;
  const fs::path environment =
      checkout / ".git/deployment-update/environments/web/1";
  const User owner = find_user("nobody");
  FakeRunner runner;
};

TEST_CASE(
    "what the owner cannot remove is removed as the user of the service") {
  if (!is_root()) {
    return;
  }
  const User daemon = find_user("daemon");
  Removal by_service([](const Command& rm) {
    if (rm.context.user->name == "daemon") {
      remove_for_real(rm);
    }
  });
  by_service.prune(daemon);
  CHECK(by_service.who() == std::vector<std::string>{"nobody", "daemon"});
  CHECK_FALSE(fs::exists(by_service.environment));

  Removal by_root([](const Command&) {});
  by_root.prune(find_user(0));
  CHECK(by_root.who() == std::vector<std::string>{"nobody"});
  CHECK_FALSE(fs::exists(by_root.environment));

  Removal by_nobody([](const Command&) {});
  CHECK(message_of<Error>([&] { by_nobody.prune(daemon); }) ==
        "cannot remove all of " + by_nobody.environment.string() +
            ": it holds files of other users, or another file system");
  CHECK(fs::exists(by_nobody.environment));
}

}  // namespace
}  // namespace deployment
