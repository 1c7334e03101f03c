#include "lib/environments/outputs.hpp"

#include <unistd.h>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

// A checkout and a folder that is held beside a kept environment.
struct Checkout {
  Checkout() { fs::create_directories(folder / ".git"); }

  void write(const std::string& path, const std::string& text) const {
    write_file(folder / path, text);
  }
  std::string read(const std::string& path) const {
    return fs::exists(folder / path) ? read_file(folder / path) : "";
  }
  Output output_at(const fs::path& path) {
    return {.identity = *identity_at(directory, path)};
  }

  Folder folder;
  Directory directory{folder.path()};
  Held held{directory, folder / ".git/1.outputs"};
};

TEST_CASE("a thing is known again after a move and a change, not another") {
  Checkout checkout;
  CHECK(identity_at(checkout.directory, "a") == std::nullopt);
  checkout.write("a", "1");
  const std::string before = *identity_at(checkout.directory, "a");
  fs::rename(checkout.folder / "a", checkout.folder / "b");
  CHECK(identity_at(checkout.directory, "b") == before);
  fs::last_write_time(checkout.folder / "b", fs::file_time_type());
  const std::string changed = *identity_at(checkout.directory, "b");
  CHECK(changed != before);
  CHECK(is_same_thing(changed, before));
  checkout.write("c", "1");
  const std::string other = *identity_at(checkout.directory, "c");
  CHECK_FALSE(is_same_thing(other, before));
  CHECK(is_same_kind(other, before));
  fs::create_directory(checkout.folder / "d");
  CHECK_FALSE(is_same_kind(*identity_at(checkout.directory, "d"), before));
}

TEST_CASE("names of held things are whole paths") {
  Checkout checkout;
  CHECK(checkout.held.place("web/50%/dist").filename() == "web%2F50%25%2Fdist");
  CHECK(Held::path_of("web%2F50%25%2Fdist") == "web/50%/dist");
  CHECK(Held::path_of("web%old") == std::nullopt);
}

TEST_CASE("a swap is its own way back, whatever is missing") {
  for (const bool is_here : {false, true}) {
    for (const bool is_held : {false, true}) {
      Checkout checkout;
      const std::string held = ".git/1.outputs/web%2Fdist";
      if (is_here) {
        checkout.write("web/dist", "here");
      }
      if (is_held) {
        checkout.write(held, "held");
      }
      REQUIRE(checkout.held.exchange("web/dist"));
      CHECK(checkout.read("web/dist") == (is_held ? "held" : ""));
      CHECK(checkout.read(held) == (is_here ? "here" : ""));
      REQUIRE(checkout.held.exchange("web/dist"));
      CHECK(checkout.read("web/dist") == (is_here ? "here" : ""));
      CHECK(checkout.read(held) == (is_held ? "held" : ""));
    }
  }
}

TEST_CASE("an exchange moves outputs that are there, and never what git has") {
  Checkout checkout;
  for (const char* path : {"both", "old", "tracked"}) {
    checkout.write(path, "old");
  }
  const Outputs live = {{"both", checkout.output_at("both")},
                        {"old", checkout.output_at("old")},
                        {"tracked", checkout.output_at("tracked")},
                        {"gone", {.identity = "f1+1@1"}}};
  for (const char* path : {"both", "new"}) {
    checkout.write(std::string(".git/1.outputs/") + path, "new");
  }
  const Outputs kept = {{"both", checkout.output_at(".git/1.outputs/both")},
                        {"new", checkout.output_at(".git/1.outputs/new")}};
  const Exchanged paths = exchanged(live, kept, {"tracked"}, checkout.held);
  CHECK(paths.leave == Names{"old"});
  CHECK(paths.come == Names{"both", "new"});
}

TEST_CASE("what a stopped exchange has moved is moved back") {
  for (std::size_t moves = 0; moves <= 3; ++moves) {
    Checkout checkout;
    checkout.write("both", "old");
    checkout.write("old", "old");
    checkout.write("new", "a person's");
    const Outputs live = {{"both", checkout.output_at("both")},
                          {"old", checkout.output_at("old")}};
    checkout.write(".git/1.outputs/both", "new");
    checkout.write(".git/1.outputs/new", "new");
    const Outputs kept = {{"both", checkout.output_at(".git/1.outputs/both")},
                          {"new", checkout.output_at(".git/1.outputs/new")}};
    const Names paths = {"old", "both", "new"};
    for (std::size_t i = 0; i < moves; ++i) {
      REQUIRE(checkout.held.exchange(paths[i]));
    }
    for (const std::string& path : half_exchanged(live, kept, checkout.held)) {
      REQUIRE(checkout.held.exchange(path));
    }
    CHECK(checkout.read("both") == "old");
    CHECK(checkout.read("old") == "old");
    CHECK(checkout.read("new") == "a person's");
    CHECK(checkout.held.holds_all(kept));
  }
}

TEST_CASE("a database is moved with what is beside it") {
  Checkout checkout;
  checkout.write("db-wal", "not in the database yet");
  checkout.write(".git/1.outputs/db-shm", "");
  checkout.write("other-wal", "");
  CHECK(checkout.held.with_companions({"db"}) ==
        Names{"db", "db-wal", "db-shm"});
  CHECK(checkout.held.with_companions({"db", "db-wal"}) ==
        Names{"db", "db-shm", "db-wal"});
  CHECK(unfinished_beside(checkout.directory, "db") == "db-wal");
  CHECK(unfinished_beside(checkout.directory, "other") == "other-wal");
  CHECK(unfinished_beside(checkout.directory, "db-wal") == std::nullopt);
}

TEST_CASE("what a service has put in the place of an output is taken for it") {
  Checkout checkout;
  checkout.write("data", "built");
  checkout.write("page", "built");
  Outputs outputs = {{"data", checkout.output_at("data")},
                     {"page", checkout.output_at("page")}};
  const Outputs built = outputs;
  checkout.write("data.new", "by a service");
  fs::rename(checkout.folder / "data.new", checkout.folder / "data");
  fs::remove(checkout.folder / "page");
  fs::create_directory(checkout.folder / "page");
  refresh(outputs, checkout.directory);
  CHECK(checkout.held.is_live("data", outputs["data"]));
  CHECK(outputs["data"].identity != *identity_at(checkout.directory, "data"));
  CHECK(outputs["page"] == built.at("page"));
}

TEST_CASE("paths in and at those of another component are made twice") {
  CHECK(made_twice({{"a", {{"x", {}}}}, {"b", {{"y", {}}}}}) == std::nullopt);
  for (const char* path : {"x", "x/y"}) {
    CHECK(made_twice({{"a", {{"x", {}}}}, {"b", {{path, {}}}}}) ==
          "the builds of a and of b both make " + std::string(path));
    CHECK(made_twice({{"a", {{path, {}}}}, {"b", {{"x", {}}}}}) ==
          "the builds of a and of b both make " + std::string(path));
  }
  CHECK(made_twice({{"a", {{"x", {}}}}, {"b", {{"xy", {}}}}}) == std::nullopt);
}

TEST_CASE("a folder with something of others in it comes apart") {
  const auto children = [](const std::string& folder) {
    return folder == "gen"      ? Names{"a", "in"}
           : folder == "gen/in" ? Names{"copied", "made", "__pycache__"}
                                : Names{};
  };
  CHECK(made_by_build(
            {"gen/", "web/dist/", "web/x", "web/venv/", "web/__pycache__/"},
            {"gen/in/copied", "web/venv", "web/distant"}, children) ==
        std::set<std::string>{"gen/a", "gen/in/made", "web/dist", "web/x"});
}

}  // namespace
}  // namespace deployment
