#include "lib/environments/store.hpp"

#include "lib/base/error.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

const Component web = {.name = "web",
                       .type = Component::Type::npm,
                       .directory = "web",
                       .manifests = {"package.json"},
                       .service = "web.service"};
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

  Store store() const { return Store(path(), std::nullopt); }

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
};

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

TEST_CASE("pruning keeps those that came last") {
  const Checkout checkout;
  for (const char digit : {'1', '2', '3', '4'}) {
    checkout.keep({{"package.json", std::string(64, digit)}}, {digit});
  }
  checkout.store().prune(web, 2);
  for (const char digit : {'1', '2', '3', '4'}) {
    CHECK(
        checkout.store()
            .find(web, {{"package.json", std::string(64, digit)}}, commit('a'))
            .has_value() == (digit >= '3'));
  }
  checkout.store().prune(web, 5);
  CHECK(checkout.store()
            .find(web, {{"package.json", std::string(64, '4')}}, commit('a'))
            .has_value());
}

TEST_CASE("what was in use just now is the newest of those kept") {
  const Checkout checkout;
  Store store = checkout.store();
  store.set_live_label(web, {.inputs = first});
  checkout.keep(second, "older");
  checkout.keep({{"package.json", std::string(64, '3')}}, "newer");
  REQUIRE(store.exchange(web, *store.find(web, second, commit('a'))));
  store.prune(web, 1);
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

TEST_CASE("a stage is opened empty, whatever a killed run left in it") {
  const Checkout checkout;
  Store store = checkout.store();
  store.open_stage();
  write_file(store.staged_tree() / "left", "behind");
  store.open_stage();
  CHECK_FALSE(fs::exists(store.staged_tree() / "left"));
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
  CHECK_THROWS_AS(checkout.store().remove_stage(), Error);
  CHECK(fs::exists(elsewhere / "stage/precious"));

  fs::remove_all(checkout.path() / ".git");
  fs::create_directory_symlink(elsewhere.path(), checkout.path() / ".git");
  fs::create_directories(elsewhere / "deployment-update/stage/precious");
  checkout.store().remove_stage();
  CHECK(fs::exists(elsewhere / "deployment-update/stage/precious"));
}

}  // namespace
}  // namespace deployment
