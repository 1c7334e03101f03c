#include <algorithm>

#include "lib/base/error.hpp"
#include "lib/environments/store.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

const Component web = {.name = "web",
                       .type = Component::Type::npm,
                       .directory = "web",
                       .manifests = {"package.json"}};
const Inputs first = {{"package.json", std::string(64, '1')}};
const Inputs second = {{"package.json", std::string(64, '2')}};

// A checkout with the environment `first` in use.
class Checkout : public Folder {
 public:
  Checkout() {
    fs::create_directories(*this / ".git");
    fs::create_directories(*this / "web/node_modules");
    store.set_live_label(web, {.inputs = first, .served = commit('a')});
  }

  // Builds and keeps an environment with outputs, files or folders with a slash
  // at the end, each with its text.
  fs::path keep(const Inputs& inputs,
                const std::map<std::string, std::string>& outputs) {
    store.open_stage();
    fs::create_directories(store.staged(web));
    Store::Made made;
    for (const auto& [name, text] : outputs) {
      const bool is_folder = name.ends_with('/');
      const std::string path =
          name.substr(0, name.size() - (is_folder ? 1 : 0));
      const fs::path place = store.staged_tree() / path;
      write_file(is_folder ? place / "in" : place, text);
      made[path] = false;
    }
    store.keep_staged(web, inputs, made);
    store.remove_stage();
    return *find(inputs);
  }

  std::optional<fs::path> find(
      const Inputs& inputs, const std::set<std::string>& tracked = {}) const {
    return store.find(web, inputs, commit('b'), Store::Trials::allowed,
                      tracked);
  }
  void put_into_use(const Inputs& inputs,
                    const std::set<std::string>& tracked = {}) {
    REQUIRE(store.exchange(web, *find(inputs), tracked));
  }
  // Returns the text of a file, or of the one in a folder; empty: there is
  // none.
  std::string read(const std::string& path) const {
    const fs::path place = *this / path;
    return fs::is_directory(place) ? read_file(place / "in")
           : fs::exists(place)     ? read_file(place)
                                   : "";
  }

 private:
  FakeRunner runner_{remove_for_real};
  std::shared_ptr<Directory> top_ = std::make_shared<Directory>(path());

 public:
  Store store{top_, runner_, {.directory = path(), .top = top_}};
};

TEST_CASE("outputs come, leave and come back with their environment") {
  Checkout checkout;
  checkout.keep(second, {{"web/dist/", "2"}, {"gen", "2"}});
  write_file(checkout / "gen", "a person's");
  CHECK(checkout.store.displaced_by(web, *checkout.find(second)) ==
        Names{"gen"});
  checkout.put_into_use(second);
  CHECK(checkout.read("web/dist") == "2");
  CHECK(checkout.read("gen") == "2");
  checkout.put_into_use(first);
  CHECK(checkout.read("web/dist").empty());
  CHECK(checkout.read("gen") == "a person's");
  checkout.put_into_use(second);
  CHECK(checkout.read("gen") == "2");
}

TEST_CASE("an environment without one of its outputs serves nobody") {
  Checkout checkout;
  const fs::path kept = checkout.keep(second, {{"web/dist/", "2"}});
  CHECK_FALSE(checkout.find(second, {"web/dist"}).has_value());
  CHECK(checkout.find(second, {"web/other"}).has_value());
  fs::remove_all(checkout.store.place_of_output(kept, "web/dist"));
  CHECK_FALSE(checkout.find(second).has_value());
}

TEST_CASE("what git tracks stays in an exchange") {
  Checkout checkout;
  checkout.keep(second, {{"web/dist/", "2"}});
  checkout.put_into_use(second);
  checkout.store.make_way(web, *checkout.find(first), {"web/dist"});
  CHECK(checkout.read("web/dist").empty());
  write_file(checkout / "web/dist/in", "tracked");
  checkout.put_into_use(first, {"web/dist"});
  CHECK(checkout.read("web/dist") == "tracked");
  fs::remove_all(checkout / "web/dist");
  checkout.put_into_use(second);
  CHECK(checkout.read("web/dist") == "2");
}

TEST_CASE("a stopped exchange is taken back, but for what git tracks") {
  for (const bool is_tracked : {false, true}) {
    Checkout checkout;
    checkout.keep(second, {{"web/dist/", "2"}});
    checkout.put_into_use(second);
    checkout.store.make_way(web, *checkout.find(first), {"web/dist"});
    if (is_tracked) {
      write_file(checkout / "web/dist/in", "tracked");
    }
    const Names taken =
        checkout.store.take_back_half(web, [&](const Names& paths) {
          return is_tracked ? std::set<std::string>(paths.begin(), paths.end())
                            : std::set<std::string>();
        });
    CHECK(taken == (is_tracked ? Names{} : Names{"web/dist"}));
    CHECK(checkout.read("web/dist") == (is_tracked ? "tracked" : "2"));
  }
}

TEST_CASE("an exchange that fails halfway is taken back at once") {
  Checkout checkout;
  const fs::path kept =
      checkout.keep(second, {{"a", "2"}, {"gone/deep/b", "2"}});
  write_file(checkout / "gone", "a file in the place of a folder");
  CHECK_THROWS_AS(checkout.store.exchange(web, kept), Error);
  CHECK(checkout.read("a").empty());
  CHECK(checkout.store.live_label(web)->inputs == first);
  CHECK(checkout.find(second) == kept);
}

TEST_CASE("a first environment gives back what it displaced when it goes") {
  Checkout checkout;
  fs::remove_all(checkout / "web/node_modules");
  checkout.keep(second, {{"gen", "2"}});
  write_file(checkout / "gen", "a person's");
  checkout.put_into_use(second);
  CHECK(checkout.read("gen") == "2");
  checkout.store.put_aside(web);
  CHECK(checkout.read("gen") == "a person's");
  CHECK_FALSE(fs::exists(checkout / "web/node_modules"));
  REQUIRE(checkout.find(second).has_value());
  checkout.put_into_use(second);
  CHECK(checkout.read("gen") == "2");
}

TEST_CASE("pruning keeps what was displaced, and files that were changed") {
  Checkout checkout;
  write_file(checkout / "gen", "a person's");
  checkout.keep(second, {{"gen", "2"}, {"data", "2"}, {"web/dist/", "2"}});
  checkout.put_into_use(second);
  write_file(checkout / "data", "a service's");
  checkout.store.refresh_outputs(web);
  checkout.put_into_use(first);
  checkout.put_into_use(second);
  checkout.keep(first, {});
  checkout.put_into_use(first);
  Names told;
  checkout.store.prune(
      web, 0, {}, [] { return std::vector<User>(); },
      [&](const auto& path, const auto& place) {
        told.push_back(path + ": " + read_file(place));
      });
  std::ranges::sort(told);
  CHECK(told == Names{"data: a service's", "gen: a person's"});
  CHECK_FALSE(checkout.find(second).has_value());
  CHECK(fs::is_empty(checkout / ".git/deployment-update/environments/web"));
}

TEST_CASE("outputs that no label can name are refused when they are kept") {
  Checkout checkout;
  std::map<std::string, std::string> many;
  for (int i = 0; i < 2000; ++i) {
    many["web/" + std::string(200, 'x') + std::to_string(i)] = "";
  }
  CHECK(contains(
      message_of<Error>([&] { checkout.keep(second, many); }),
      "the build of web makes 2000 files beside its node_modules, more than a "
      "label can name"));
}

}  // namespace
}  // namespace deployment
