#include "lib/plan/observe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "lib/base/sha256.hpp"
#include "tests/unit/host.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;
using Paths = std::vector<std::string>;

// `a` is checked out and deployed; the remote's tip is `b`, which has `files`.
class Observed : public FakeHost {
 public:
  Observed() {
    push('b');
    runner.answer("ls-tree", [this](const Command& command) {
      return printed(listing(command.arguments));
    });
    runner.answer("cat-file blob", [this](const Command& command) {
      return printed(content(command.arguments.back()));
    });
  }

  Observation observe(bool force = false) {
    const GitReader& git = host.git;
    return deployment::observe(
        config, record, heads, force,
        {.git = git,
         .objects = git,
         .store = host.store,
         .python_version = [this] { return ++versions_asked, "3.11.2"; },
         .in_place_reason = [this] { return in_place_reason; }});
  }

  // The repository has not the objects of this commit.
  void lose(char digit) { runner.answer(id(digit) + "^{commit}", failed(1)); }

  ComponentFacts facts_of(const Component& component) {
    return observe().target->components.at(component.name);
  }

  Record record = {.deployed = commit('a'),
                   .components = {{"web", {}}, {"api", {}}}};
  Heads heads = {.tip = commit('b'), .local = commit('a'), .on_branch = true};
  Files files;
  std::optional<std::string> in_place_reason;
  int versions_asked = 0;

 private:
  // The id of a file's blob is its number.
  static std::string blob(std::size_t number) {
    return fmt::format("{:040}", number);
  }

  std::string listing(const Paths& asked) const {
    std::string out;
    std::size_t number = 0;
    for (const auto& [path, text] : files) {
      ++number;
      if (std::find(asked.begin(), asked.end(), path) != asked.end()) {
        out += fmt::format("100644 blob {}\t{}", blob(number), path) + '\0';
      }
    }
    return out;
  }

  std::string content(const std::string& id) const {
    std::size_t number = 0;
    for (const auto& [path, text] : files) {
      if (blob(++number) == id) {
        return text;
      }
    }
    FAIL("no file has the blob " + id);
    return {};
  }
};

TEST_CASE("observes what git says of the checkout") {
  Observed fake;
  const Observation seen = fake.observe();
  CHECK(seen.heads == fake.heads);
  CHECK(seen.current_commit == commit('a'));
  CHECK(seen.current_branch == "prod");
  CHECK(seen.tip_is_here);
  CHECK(seen.git_locks.empty());
  REQUIRE(seen.divergence.has_value());
  CHECK(seen.divergence->ours == 0);
  CHECK(seen.divergence->theirs == 1);
  fake.runner.answer("symbolic-ref", failed(1));
  CHECK(fake.observe().current_branch == std::nullopt);
}

TEST_CASE("observes the locks that git left") {
  Observed fake;
  write_file(fake.checkout() / ".git/index.lock", "");
  REQUIRE(fake.observe().git_locks.size() == 1);
}

TEST_CASE("looks no further without the tip's objects") {
  Observed fake;
  fake.lose('b');
  const Observation seen = fake.observe();
  CHECK_FALSE(seen.tip_is_here);
  CHECK_FALSE(seen.divergence.has_value());
  CHECK_FALSE(seen.target.has_value());
}

TEST_CASE("reads a tip that was fetched aside, and tells that it is not here") {
  Observed fake;
  fake.lose('b');
  FakeRunner all;
  const GitReader aside(all, fake.host.as_user, "origin", "prod");
  all.answer("rev-list", printed("0\t1\n"));
  const Observation seen =
      observe(fake.config, fake.record, fake.heads, false,
              {.git = fake.host.git,
               .objects = aside,
               .store = fake.host.store,
               .python_version = [] { return std::string(); },
               .in_place_reason = [] { return std::nullopt; }});
  CHECK_FALSE(seen.tip_is_here);
  CHECK(seen.target.has_value());
}

TEST_CASE("compares with the remote-tracking branch where there is no branch") {
  Observed fake;
  fake.heads.local.reset();
  fake.heads.tracking = commit('c');
  fake.observe();
  CHECK(fake.runner.has_run("rev-list --left-right --count " + id('c') + "..." +
                            id('b')));
}

TEST_CASE("takes a checkout that never had the branch for one that is behind") {
  Observed fake;
  fake.heads.local.reset();
  const Observation seen = fake.observe();
  CHECK(seen.divergence->ours == 0);
  CHECK(seen.divergence->theirs == 1);
  CHECK_FALSE(fake.runner.has_run("rev-list"));
}

TEST_CASE("targets what there is to deploy") {
  struct Case {
    const char* situation;
    bool contained;
    std::function<void(Observed&)> change;
    bool force;
    std::optional<CommitId> target;
  };
  const auto nothing = [](Observed&) {};
  for (const Case& c : {
           Case{"the tip is new", false, nothing, false, commit('b')},
           Case{"nothing is to be done", true, nothing, false, {}},
           Case{"--force", true, nothing, true, commit('a')},
           Case{"a deployment is pending", true,
                [](Observed& o) {
                  o.record.pending = Pending{.tip = commit('b')};
                },
                false, commit('a')},
           Case{"a rollback is decided", false,
                [](Observed& o) { o.record.roll_back_to = commit('c'); }, false,
                commit('c')},
       }) {
    INFO(c.situation);
    Observed fake;
    fake.push(c.contained ? 'a' : 'b');
    c.change(fake);
    const std::optional<Target> target = fake.observe(c.force).target;
    REQUIRE(target.has_value() == c.target.has_value());
    CHECK((!target || target->commit == *c.target));
  }
}

TEST_CASE("checks the signature of a tip that it would deploy") {
  struct Case {
    bool verifies;
    bool contained;
    bool rolls_back;
    bool checked;
  };
  for (const Case& c :
       {Case{true, false, false, true}, Case{false, false, false, false},
        Case{true, true, false, false}, Case{true, false, true, false}}) {
    Observed fake;
    fake.config.verify_signatures = c.verifies;
    fake.push(c.contained ? 'a' : 'b');
    if (c.rolls_back) {
      fake.record.roll_back_to = commit('c');
    }
    fake.observe(true);
    CHECK(fake.runner.has_run("verify-commit " + id('b')) == c.checked);
  }
}

TEST_CASE("refuses a tip without a good signature") {
  Observed fake;
  fake.config.verify_signatures = true;
  fake.runner.answer("verify-commit", failed(1));
  CHECK(contains(
      error_of<CommandError>([&] { fake.observe(); }).advice().value_or(""),
      "push a commit signed with a key"));
}

TEST_CASE("tells why nothing can be built aside, when there is a target") {
  Observed fake;
  fake.in_place_reason = "build = in-place";
  CHECK(fake.observe().in_place_reason == "build = in-place");
  fake.push('a');
  CHECK(fake.observe().in_place_reason == std::nullopt);
}

TEST_CASE("takes the subjects of the deployed commit and of the target") {
  Observed fake;
  fake.record.deployed = commit('c');
  for (const char digit : {'a', 'b', 'c'}) {
    fake.runner.answer("--format=%s " + id(digit),
                       printed(std::string(1, digit) + " subject\n"));
  }
  CHECK(fake.observe().target->from_subject == "c subject");
  CHECK(fake.observe().target->to_subject == "b subject");
  fake.lose('c');
  CHECK(fake.observe().target->from_subject == "a subject");
}

TEST_CASE("hashes the manifest of npm and its lock file") {
  Observed fake;
  CHECK(fake.facts_of(web) == ComponentFacts{});
  fake.files = {{"web/package.json", "{}"}, {"web/package-lock.json", "lock"}};
  CHECK(fake.facts_of(web) ==
        ComponentFacts{.manifests = {"package.json"},
                       .inputs = {{"package.json", sha256("{}")},
                                  {"package-lock.json", sha256("lock")}}});
}

TEST_CASE("takes a lock file alone for no environment") {
  Observed fake;
  fake.files = {{"web/package-lock.json", "lock"}};
  CHECK(fake.facts_of(web) == ComponentFacts{});
}

TEST_CASE("hashes what requirements include, within the checkout") {
  Observed fake;
  fake.files = {{"api/requirements.txt",
                 "-r more.txt\n-r ../common.txt\n-r ../../out.txt\n"},
                {"api/more.txt", "-r requirements.txt\n-c limits.txt\n"},
                {"api/limits.txt", "flask<3\n"},
                {"common.txt", "flask\n"},
                {"out.txt", "not included\n"}};
  CHECK(fake.facts_of(api) ==
        ComponentFacts{
            .manifests = {"requirements.txt"},
            .inputs = {{"requirements.txt",
                        sha256(fake.files["api/requirements.txt"])},
                       {"more.txt", sha256(fake.files["api/more.txt"])},
                       {"limits.txt", sha256("flask<3\n")},
                       {"../common.txt", sha256("flask\n")},
                       {"python3", "3.11.2"}}});
  CHECK_FALSE(fake.runner.has_run("../out.txt"));
}

// `count` lines that include a file each.
std::string including(int count, const std::string& name) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += fmt::format("-r {}{}\n", name, i);
  }
  return text;
}

TEST_CASE("follows a thousand included files, and no more") {
  Observed fake;
  fake.files = {{"api/requirements.txt", including(999, "a") + "-r more\n"},
                {"api/more", "-r requirements.txt\n-r more\n"}};
  CHECK(fake.facts_of(api).inputs.size() == 3);
  fake.files["api/more"] = "-r one-too-many\n";
  CHECK(message_of<Error>([&] { fake.observe(); }) ==
        "api/more and the files before it include more than 1000 files");
}

TEST_CASE("includes no file whose path is too long for one") {
  Observed fake;
  fake.files = {{"api/requirements.txt", "-r " + std::string(4096, 'a')}};
  CHECK(fake.facts_of(api).inputs.size() == 2);
}

TEST_CASE("refuses inputs that a label has no room for") {
  Observed fake;
  const std::string name(300, 'a');
  fake.files = {{"api/requirements.txt", including(999, name)}};
  CHECK_NOTHROW(fake.observe());
  for (int i = 0; i < 999; ++i) {
    fake.files[fmt::format("api/{}{}", name, i)] = "";
  }
  CHECK(contains(message_of<Error>([&] { fake.observe(); }),
                 "longer than 256 KiB all together"));
}

TEST_CASE("reads no more of a file than it has room for") {
  Observed fake;
  fake.files = {{"api/requirements.txt", "flask\n"},
                {"web/package.json", "{}"}};
  fake.observe();
  std::set<std::size_t> longest;
  for (const Command& command : fake.runner.asked) {
    if (contains(describe(command), "cat-file blob")) {
      longest.insert(command.context.longest_answer);
    }
  }
  CHECK(longest == std::set<std::size_t>{4 << 20, 16 << 20});
}

TEST_CASE("asks for python's version only where there are requirements") {
  Observed fake;
  fake.observe();
  CHECK(fake.versions_asked == 0);
  fake.files = {{"api/requirements.txt", ""}};
  fake.observe();
  CHECK(fake.versions_asked == 1);
}

TEST_CASE("reads the labels of the environments in use and kept") {
  Observed fake;
  fake.files = {{"web/package.json", "{}"}};
  const Inputs inputs = {{"package.json", sha256("{}")}};
  fs::create_directories(fake.checkout() / "web/node_modules");
  CHECK(fake.facts_of(web).live == std::nullopt);
  CHECK_FALSE(fake.facts_of(web).kept);

  fake.host.store.set_live_label(web, {.served = commit('a')});
  fake.host.store.keep_staged(web, inputs);
  CHECK(fake.facts_of(web).live == Label{.served = commit('a')});
  CHECK(fake.facts_of(web).kept);
}

// Its work tree has local changes; `b` and `c` change one file each.
class Changed : public Observed {
 public:
  Changed() {
    runner.answer("status", printed(std::string(" M x\0 M y\0 M z\0", 15)));
    runner.answer("diff-tree", [](const Command& command) {
      const bool is_b = contains(describe(command), id('b'));
      return printed(std::string(is_b ? "x\0" : "y\0", 2));
    });
    files = {{"y", "what c has"}};
    runner.answer("checkout-index", lays_out(files));
    for (const char* name : {"x", "y", "z"}) {
      write_file(checkout() / name, "what c");
    }
  }
};

TEST_CASE("lists the local changes that the target overwrites") {
  Changed fake;
  CHECK(fake.observe().target->in_the_way == Paths{"x"});
  CHECK(fake.observe().target->half_written.empty());
}

TEST_CASE("lists what a move that was stopped left half written") {
  Changed fake;
  fake.record.moving_to = commit('c');
  const Target target = *fake.observe().target;
  CHECK(target.in_the_way == Paths{"x", "y"});
  CHECK(target.half_written == Paths{"y"});
}

TEST_CASE("looks for no half-written file of a commit that is gone") {
  Changed fake;
  fake.record.moving_to = commit('c');
  fake.lose('c');
  CHECK(fake.observe().target->in_the_way == Paths{"x"});
  CHECK(fake.observe().target->half_written.empty());
}

TEST_CASE("lets no local change be in the way of staying where it is") {
  Changed fake;
  fake.push('a');
  CHECK(fake.observe(true).target->in_the_way.empty());
}

}  // namespace
}  // namespace deployment
