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
    install();
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
         .version_of = [this](std::string_view runtime) -> std::string {
           return runtime == "node" ? "18" : (++versions_asked, "3.11.2");
         },
         .in_place_reason = [this] { return in_place_reason; }});
  }

  // The repository has not the objects of this commit.
  void lose(char digit) {
    runner.answer("rev-list --objects --quiet " + id(digit), failed(1));
  }

  ComponentFacts facts_of(const Component& component) {
    return observe().target->components.at(component.name);
  }

  Record record = {.deployed = commit('a'),
                   .components = {{"web", {.commit = commit('a')}},
                                  {"api", {.commit = commit('a')}}}};
  Heads heads = {.tip = commit('b'), .local = commit('a'), .on_branch = true};
  Files files;
  Files links;  // to their targets
  std::optional<std::string> in_place_reason;
  int versions_asked = 0;

 private:
  // The id of the blob of a file or link is its number.
  static std::string blob(std::size_t number) {
    return fmt::format("{:040}", number);
  }

  std::string listing(const Paths& asked) const {
    std::string out;
    std::size_t number = 0;
    for (const auto& [mode, all] :
         {std::pair("100644", files), std::pair("120000", links)}) {
      for (const auto& [path, text] : all) {
        ++number;
        if (std::find(asked.begin(), asked.end(), path) != asked.end()) {
          out += fmt::format("{} blob {}\t{}", mode, blob(number), path) + '\0';
        }
      }
    }
    return out;
  }

  std::string content(const std::string& id) const {
    std::size_t number = 0;
    for (const auto& all : {files, links}) {
      for (const auto& [path, text] : all) {
        if (blob(++number) == id) {
          return text;
        }
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
  CHECK_FALSE(fake.runner.has_run("HEAD"));  // the heads say it
  fake.heads.on_branch = false;
  fake.runner.answer("symbolic-ref", failed(1));
  CHECK(fake.observe().current_branch == std::nullopt);
  fake.runner.answer("rev-parse --verify", printed(id('c') + '\n'));
  CHECK(fake.observe().current_commit == commit('c'));
}

TEST_CASE("refuses a new component of a configuration without a folder") {
  Observed fake;
  fs::remove_all(fake.checkout() / "api");
  fake.record.components.erase("api");
  fake.files["web/package.json"] = "{}";
  CHECK_NOTHROW(fake.observe());  // a default one
  fake.config.names_components = true;
  const auto error = error_of<Obstacle>([&] { fake.observe(); });
  CHECK(std::string(error.what()) ==
        "component api: there is no folder api, neither in bbbbbbbbbbbb nor "
        "in the checkout; nothing was changed");
  fake.files["api"] = "a folder";
  CHECK_NOTHROW(fake.observe());
  fake.files.erase("api");
  fs::create_directories(fake.checkout() / "api");
  CHECK_NOTHROW(fake.observe());
  fs::remove(fake.checkout() / "api");
  fake.record.components["api"] = {};  // it was deployed, and is pushed away
  CHECK_NOTHROW(fake.observe());
}

TEST_CASE("what a generic component is made from is what it names") {
  Observed fake;
  Component generic = {.name = "web",
                       .type = Component::Type::generic,
                       .directory = "web",
                       .manifests = {"x.lock", "../x.json", "none"},
                       .environment = ".made",
                       .installs = {{"x", "a  b"}, {"y"}}};
  fake.config.components = {generic};
  fake.files = {{"web/x.lock", "1"},
                {"x.json", "2"},
                {"web/package.json", "3"},
                {"package.json", "{\"workspaces\": [\"web\"]}"}};
  const ComponentFacts facts = fake.facts_of(generic);
  CHECK(facts.manifests == std::vector<fs::path>{"x.lock", "../x.json"});
  CHECK(facts.inputs == Inputs{{"x.lock", sha256("1")},
                               {"../x.json", sha256("2")},
                               {"install commands", sha256("x 'a  b'; y")}});
  CHECK_FALSE(fake.runner.has_run("node --version"));
  fake.files["web/.made"] = "tracked";
  CHECK(std::string(error_of<Obstacle>([&] { fake.observe(); }).what()) ==
        "component web: its environment web/.made is in bbbbbbbbbbbb, and only "
        "what git does not track can be one; nothing was changed");
}

TEST_CASE("commands of its own are an input of a component of npm") {
  Observed fake;
  fake.files = {{"web/package.json", "{}"}};
  fake.config.components[0].installs = {{"npm", "ci"}};
  CHECK(fake.facts_of(web).inputs.at("install commands") == sha256("npm ci"));
}

TEST_CASE("observes the environments that are gone") {
  Observed fake;
  fake.files["web/package.json"] = "{}";
  fake.record.components["web"].inputs = {{"package.json", "1"}};
  CHECK_FALSE(fake.facts_of(web).gone);
  CHECK(fake.facts_of(web).is_there);
  fs::remove_all(fake.host.store.live(web));
  CHECK(fake.facts_of(web).gone);
  CHECK_FALSE(fake.facts_of(web).is_there);
  CHECK_FALSE(fake.facts_of(api).gone);
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
               .version_of = [](std::string_view) { return std::string(); },
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
  CHECK_FALSE(fake.runner.has_run("rev-list --left-right"));
}

// The checkout has two commits that the remote's tip lacks; of these, `left`
// are in nothing that the remote ever had.
class Ahead : public Observed {
 public:
  explicit Ahead(int left) {
    heads.tracking = commit('e');
    record.remote_commit = commit('f');
    runner.answer("rev-list --left-right", printed("2\t0\n"));
    runner.answer("rev-list --count", printed(fmt::format("{}\n", left)));
  }
};

TEST_CASE("tells a remote that was moved back from commits it never had") {
  struct Case {
    int left;
    int taken_away;
  };
  for (const Case& c : {Case{2, 0}, Case{1, 1}, Case{0, 2}}) {
    Ahead fake(c.left);
    const Observation seen = fake.observe();
    REQUIRE(seen.divergence.has_value());
    CHECK(seen.divergence->taken_away == c.taken_away);
    CHECK(seen.target.has_value() == (c.taken_away > 0));
    if (seen.target) {
      CHECK(seen.target->commit == commit('b'));
    }
    CHECK(fake.runner.has_run("rev-list --count --ignore-missing " + id('a') +
                              " ^" + id('b') + " ^" + id('e') + " ^" + id('f') +
                              " --"));
  }
}

TEST_CASE("takes what was deployed for the remote's in an older record") {
  Ahead fake(2);
  fake.record.remote_commit.reset();
  fake.record.deployed = commit('a');
  fake.heads.tracking.reset();
  fake.observe();
  CHECK(fake.runner.has_run(" ^" + id('b') + " ^" + id('a') + " --"));
}

TEST_CASE("asks what the remote had only where the checkout is ahead") {
  for (const char* counts : {"0\t0\n", "0\t1\n", "1\t1\n"}) {
    Observed fake;
    fake.runner.answer("rev-list --left-right", printed(counts));
    CHECK(fake.observe().divergence->taken_away == 0);
    CHECK_FALSE(fake.runner.has_run("rev-list --count"));
  }
}

TEST_CASE("says that the commit to roll back to is not here") {
  Observed fake;
  fake.record.roll_back_to = commit('c');
  CHECK_NOTHROW(fake.observe());
  fake.lose('c');
  const auto error = error_of<Error>([&] { fake.observe(); });
  CHECK(error.what() ==
        "the commit " + id('c') +
            " to roll back to is not in the checkout: it was removed from it, "
            "or the record speaks of another one");
  CHECK(contains(error.advice().value_or(""), "--force"));
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
    char tip;
    void (*change)(Record&);
    bool checked;
  };
  const auto nothing = [](Record& /*record*/) {};
  for (const Case& c :
       {Case{true, 'b', nothing, true}, Case{false, 'b', nothing, false},
        // Whoever put it there, the checkout has it.
        Case{true, 'a', nothing, true},
        Case{true, 'b', [](Record& r) { r.roll_back_to = commit('c'); }, false},
        Case{true, 'a', [](Record& r) { r.deployed = commit('a'); }, false},
        Case{true, 'b', [](Record& r) { r.remote_commit = commit('b'); },
             false}}) {
    Observed fake;
    fake.config.verify_signatures = c.verifies;
    fake.push(c.tip);
    fake.heads.tip = commit(c.tip);
    fake.record.deployed.reset();
    c.change(fake.record);
    fake.observe(true);
    CHECK(fake.runner.has_run("verify-commit " + id(c.tip)) == c.checked);
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
    fake.runner.answer(
        "--format=%s%n%an " + id(digit),
        printed(fmt::format("{0} subject\n{0} author\n", digit)));
  }
  CHECK(fake.observe().target->from_subject == "c subject");
  CHECK(fake.observe().target->to_subject == "b subject");
  CHECK(fake.observe().target->to_author == "b author");
  fake.lose('c');
  CHECK(fake.observe().target->from_subject == "a subject");
}

TEST_CASE("hashes the manifest of npm and its lock file") {
  Observed fake;
  CHECK(fake.facts_of(web) == ComponentFacts{});
  fake.files = {{"web/package.json", "{}"}, {"web/package-lock.json", "lock"}};
  CHECK(fake.facts_of(web) ==
        ComponentFacts{.manifests = {"package.json"},
                       .inputs = {{"node", "18"},
                                  {"package.json", sha256("{}")},
                                  {"package-lock.json", sha256("lock")}}});
}

TEST_CASE("hashes npm-shrinkwrap.json, which npm prefers") {
  Observed fake;
  fake.files = {{"web/package.json", "{}"}, {"web/npm-shrinkwrap.json", "x"}};
  CHECK(fake.facts_of(web).inputs.at("npm-shrinkwrap.json") == sha256("x"));
}

TEST_CASE("a workspace is made from the files of its root, and is there") {
  const std::string root = R"({"workspaces": ["apps/*"]})";
  const std::string near = R"({"workspaces": ["web"]})";
  const std::string braces = R"({"workspaces": ["{apps,libs}/*"]})";
  struct Case {
    const char* situation;
    Files files;
    std::optional<fs::path> root;
    Inputs inputs;
  };
  Component component = web;
  component.directory = "apps/web";
  const Inputs own = {{"package.json", sha256("{}")}};
  for (const Case& c : {
           Case{"a root",
                {{"package.json", root},
                 {"package-lock.json", "l"},
                 {"npm-shrinkwrap.json", "s"}},
                ".",
                {{"package.json", sha256(root)},
                 {"package-lock.json", sha256("l")},
                 {"npm-shrinkwrap.json", sha256("s")},
                 {"apps/web/package.json", sha256("{}")}}},
           Case{"a root of others",
                {{"package.json", R"({"workspaces": ["libs/*"]})"},
                 {"package-lock.json", "l"}},
                std::nullopt,
                own},
           Case{"no root", {{"package-lock.json", "l"}}, std::nullopt, own},
           Case{"the nearest of two",
                {{"package.json", root},
                 {"package-lock.json", "l"},
                 {"apps/package.json", near},
                 {"apps/package-lock.json", "n"}},
                "apps",
                {{"package.json", sha256(near)},
                 {"package-lock.json", sha256("n")},
                 {"web/package.json", sha256("{}")}}},
           Case{"a root that may have others alone",
                {{"package.json", braces}, {"package-lock.json", "l"}},
                std::nullopt,
                {{"package.json", sha256("{}")},
                 {"../../package.json", sha256(braces)},
                 {"../../package-lock.json", sha256("l")}}},
       }) {
    INFO(c.situation);
    Observed fake;
    fake.config.components = {component};
    fake.files = c.files;
    fake.files["apps/web/package.json"] = "{}";
    Inputs expected = c.inputs;
    expected["node"] = "18";
    CHECK(fake.facts_of(component).inputs == expected);
    CHECK(fake.facts_of(component).root == c.root);
  }
}

// Two workspaces of the checkout's own folder.
class Workspaces : public Observed {
 public:
  Workspaces() {
    first.directory = "apps/web";
    second.name = "second";
    second.directory = "apps/second";
    config.components = {first, second};
    files = {{"package.json", R"({"workspaces": ["apps/*"]})"},
             {"apps/web/package.json", "1"},
             {"apps/second/package.json", "2"}};
    record.components["web"] = {.commit = commit('a'), .inputs = old};
    record.components["second"] = {.commit = commit('a'), .inputs = old};
  }

  // Makes a labelled environment in a folder.
  void make(const char* where) {
    Component there = first;
    there.directory = where;
    host.store.set_live_label(there, {.inputs = old});
  }

  Component first = web;
  Component second = web;
  Inputs old = {{"package.json", "1"}};
};

TEST_CASE("workspaces of one root share what they are made from") {
  Workspaces fake;
  const ComponentFacts one = fake.facts_of(fake.first);
  const ComponentFacts two = fake.facts_of(fake.second);
  CHECK(one.inputs == two.inputs);
  CHECK(one.inputs.size() == 4);
  CHECK(one.owner.empty());
  CHECK(two.owner == "web");
  fake.config.components[0].installs = {{"npm", "ci"}};
  CHECK(fake.facts_of(fake.second).inputs.at("install commands") ==
        sha256("npm ci"));
  fake.config.components = {fake.second, fake.first};
  CHECK(fake.facts_of(fake.first).owner == "second");
}

TEST_CASE("an environment in a place that nothing uses any more is left") {
  Workspaces fake;
  CHECK_FALSE(fake.facts_of(fake.first).left.has_value());
  fake.make("apps/web");
  CHECK(fake.facts_of(fake.first).left->directory == "apps/web");
  CHECK_FALSE(fake.facts_of(fake.first).gone);
  CHECK_FALSE(fake.facts_of(fake.second).left.has_value());
  // Back from the root, which the other one stays in.
  fake.make(".");
  fake.record.components["web"].root = ".";
  fake.record.components["second"].root = ".";
  fake.files["package.json"] = R"({"workspaces": ["apps/s*"]})";
  CHECK_FALSE(fake.facts_of(fake.first).left.has_value());
  fake.files.erase("package.json");
  CHECK(fake.facts_of(fake.first).left->directory == ".");
  CHECK(fake.facts_of(fake.second).left->name == "web");
}

TEST_CASE("the environment of a workspace is looked for in the root") {
  Workspaces fake;
  fake.record.components["web"].root = ".";
  CHECK(fake.facts_of(fake.first).gone);
  fake.make(".");
  CHECK_FALSE(fake.facts_of(fake.first).gone);
  CHECK(fake.facts_of(fake.second).live.has_value());
}

TEST_CASE("a component in the checkout's own folder has no root above it") {
  Observed fake;
  Component top = web;
  top.directory = ".";
  fake.config.components = {top};
  fake.files = {{"package.json", R"({"workspaces": ["."]})"}};
  CHECK(fake.facts_of(top).inputs.size() == 2);
}

TEST_CASE("follows the link that a component's folder is") {
  Observed fake;
  fake.links = {{"web", "apps/site"}};
  fake.files = {{"apps/site/package.json", "{}"},
                {"apps/site/package-lock.json", "l"}};
  const ComponentFacts facts = fake.facts_of(web);
  CHECK(facts.real_directory == "apps/site");
  CHECK(facts.inputs.at("package-lock.json") == sha256("l"));
}

TEST_CASE("a component without a manifest and without a link stays there") {
  Observed fake;
  CHECK(fake.facts_of(web).real_directory == std::nullopt);
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

TEST_CASE("looks at environments that the commit needs not") {
  Observed fake;
  fs::create_directories(fake.checkout() / "web/node_modules");
  const Label tried = {.inputs = {{"f", "1"}}, .on_trial = true};
  fake.host.store.set_live_label(web, tried);
  CHECK(fake.facts_of(web).live == tried);
  fake.record.roll_back_to = commit('a');
  CHECK(fake.facts_of(web).live == tried);
  CHECK_FALSE(fake.facts_of(web).kept);
  const fs::path kept = fake.host.store.free_place(web);
  write_file(kept / ".deployment-update",
             to_text({.inputs = {{"f", "0"}}, .served = commit('a')}));
  CHECK(fake.facts_of(web).kept);
}

TEST_CASE("on the way back asks whether a service runs what is left") {
  struct Case {
    ComponentRecord web;
    char has_it;  // the commit that has the component
    bool runs_it;
  };
  for (const Case& c : {Case{{.commit = commit('b')}, 'b', true},
                        Case{{.commit = commit('b')}, 'c', false},
                        Case{{}, 'c', true}, Case{{}, 'b', false}}) {
    Observed fake;
    fake.record.components["web"] = c.web;
    fake.record.pending = Pending{.tip = commit('c')};
    fake.record.roll_back_to = commit('a');
    fake.runner.answer("ls-tree", [&](const Command& command) {
      return printed(contains(describe(command), id(c.has_it))
                         ? "100644 blob " + id('1') + "\tweb/package.json" +
                               '\0'
                         : "");
    });
    CHECK(fake.facts_of(web).runs_what_is_left == c.runs_it);
  }
}

TEST_CASE("on the way back no environment counts that is on trial") {
  Observed fake;
  fake.files = {{"web/package.json", "{}"}};
  const fs::path kept = fake.host.store.free_place(web);
  write_file(kept / ".deployment-update",
             to_text({.inputs = {{"package.json", sha256("{}")}}}));
  fake.host.store.begin_trial(kept);
  CHECK(fake.facts_of(web).kept);
  fake.record.roll_back_to = commit('b');
  CHECK_FALSE(fake.facts_of(web).kept);
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
