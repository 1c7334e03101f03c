#include "lib/environments/stage.hpp"

#include "tests/unit/host.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

std::optional<std::string> reason_of(FakeHost& fake) {
  return why_not_staged(fake.runner, fake.host.as_user);
}

TEST_CASE("tries a mount namespace before it builds aside") {
  FakeHost fake;
  CHECK(reason_of(fake) == std::nullopt);
  REQUIRE(fake.runner.lines() == Lines{"true"});
  CHECK(fake.runner.asked.front().context.mounts ==
        std::vector<Mount>{
            {.source = fake.checkout(), .target = fake.checkout()}});
}

TEST_CASE("tells why nothing can be built aside") {
  FakeHost fake;
  fake.runner.answer("true", [](const Command&) -> CommandResult {
    throw MountError("trying failed: cannot bind its mounts", ENOSYS);
  });
  CHECK(reason_of(fake) ==
        "no mount namespace can be made: Function not implemented");
}

TEST_CASE("does not turn to the checkout for a failure of another kind") {
  const std::vector<std::function<CommandResult(const Command&)>> failures = {
      [](const Command&) -> CommandResult {
        throw MountError("trying failed: cannot bind its mounts", ENOMEM);
      },
      [](const Command&) -> CommandResult {
        throw Error("trying failed: true: command not found");
      },
      [](const Command&) { return failed(1); },
      [](const Command&) -> CommandResult {
        return {.status = {.signal = 9, .timed_out = true}};
      }};
  for (const auto& failure : failures) {
    FakeHost fake;
    fake.runner.answer("true", failure);
    CHECK_THROWS_AS(reason_of(fake), Error);
  }
}

TEST_CASE("builds nothing aside of a checkout whose .git is a file") {
  FakeHost fake;
  fs::remove(fake.checkout() / ".git");
  write_file(fake.checkout() / ".git", "gitdir: /elsewhere\n");
  CHECK(reason_of(fake) == "the checkout's .git is not a folder");
  CHECK(fake.runner.asked.empty());
}

// A host whose git lays out `web/package.json`, and nothing else.
class Stage : public FakeHost {
 public:
  Stage() {
    runner.answer("read-tree", [this](const Command&) {
      write_file(tree / "web/package.json", "{}");
      return CommandResult{};
    });
    runner.answer("ls-files",
                  [this](const Command&) { return printed(untracked); });
  }

  std::vector<Mount> lay_out(const std::vector<Component>& components = {web,
                                                                         api}) {
    const StagedCommit staged =
        deployment::lay_out({.commit = commit('b'),
                             .has_submodules = has_submodules,
                             .components = components,
                             .copied = copied_patterns},
                            host.git, host.store, runner, host.as_user);
    left_out = staged.left_out;
    return staged.mounts;
  }

  // A file of the checkout that git does not track.
  void add_untracked(const std::string& file) {
    write_file(checkout() / file, "mine");
    untracked += file + '\0';
  }

  void copy_environments() {
    for (const Component& component : {web, api}) {
      begin_with_copy(component, host.store, runner, host.as_user, log.log);
    }
  }

  // What was copied, as the command says it.
  Lines copies() const {
    Lines copies;
    for (const Command& command : runner.asked) {
      if (command.program == "cp") {
        CHECK(command.context.directory == checkout());
        copies.push_back(describe(command));
      }
    }
    return copies;
  }

  static std::string copying(const std::string& folder,
                             const std::string& files) {
    return "cp -a --reflink=auto -t .git/deployment-update/stage/tree" +
           folder + " -- " + files;
  }

  fs::path tree = host.store.staged_tree();
  std::string untracked;  // as git lists them
  Lines copied_patterns = {".env*"};
  Lines left_out;
  bool has_submodules = false;
};

TEST_CASE("lays the commit out by git, with an index and a HEAD of its own") {
  Stage stage;
  stage.lay_out();
  const Command& write = stage.runner.asked.front();
  CHECK(contains(describe(write), " read-tree --reset -u " + id('b')));
  CHECK(write.context.directory == stage.tree);
  CHECK(write.context.variables.at("GIT_WORK_TREE") == ".");
  CHECK(write.context.variables.at("GIT_DIR") == "../../..");
  CHECK(write.context.variables.at("GIT_INDEX_FILE") == "../index");
  CHECK(read_file(stage.host.store.stage() / "HEAD") == id('b') + "\n");
}

TEST_CASE("shows the stage in the checkout's place, and git cannot write") {
  Stage stage;
  const fs::path git = stage.checkout() / ".git";
  const fs::path own = stage.host.store.stage();
  CHECK(stage.lay_out() ==
        std::vector<Mount>{
            {.source = git, .target = stage.tree / ".git", .read_only = true},
            {.source = own / "index",
             .target = stage.tree / ".git/index",
             .read_only = true},
            {.source = own / "HEAD",
             .target = stage.tree / ".git/HEAD",
             .read_only = true},
            {.source = stage.tree, .target = stage.checkout()}});
}

TEST_CASE("lets git-lfs write its temporary files, and only these") {
  Stage stage;
  fs::create_directories(stage.checkout() / ".git/lfs/tmp");
  const std::vector<Mount> mounts = stage.lay_out();
  REQUIRE(mounts.size() == 5);
  CHECK(mounts[3] == Mount{.source = stage.host.store.stage() / "lfs/tmp",
                           .target = stage.tree / ".git/lfs/tmp"});
  CHECK(fs::is_directory(mounts[3].source));
}

TEST_CASE("removes what an earlier run left in the stage") {
  Stage stage;
  write_file(stage.tree / "left", "behind");
  stage.lay_out();
  CHECK_FALSE(fs::exists(stage.tree / "left"));
}

TEST_CASE("asks git for the untracked files that patterns name") {
  Component top = web;
  top.directory = ".";
  Component odd = web;
  odd.directory = "we[b*";
  struct Case {
    std::vector<Component> components;
    Lines patterns;
    std::string asked;
  };
  for (const Case& c :
       {Case{{web, api},
             {".env*", "pip.conf"},
             "':(glob).env*' ':(glob)api/.env*' ':(glob)web/.env*' "
             "':(glob)pip.conf' ':(glob)api/pip.conf' ':(glob)web/pip.conf'"},
        Case{{top}, {".env"}, "':(glob).env'"},
        Case{{odd}, {"x"}, R"(':(glob)x' ':(glob)we\[b\*/x')"},
        Case{{web}, {"seed/*.sql"}, "':(glob)seed/*.sql'"}}) {
    Stage stage;
    stage.copied_patterns = c.patterns;
    stage.lay_out(c.components);
    CHECK(
        stage.runner.has_run("ls-files -z --others --full-name -- " + c.asked));
    CHECK(stage.copies().empty());
  }
}

TEST_CASE("copies untracked files, but for those that the commit has") {
  Stage stage;
  for (const char* file : {".env", "web/.npmrc", "web/package.json",
                           "web/node_modules/x/.env", "api/venv/.env"}) {
    stage.add_untracked(file);
  }
  stage.lay_out();
  CHECK(stage.copies() == Lines{Stage::copying("", ".env"),
                                Stage::copying("/web", "web/.npmrc")});
  CHECK(stage.left_out.empty());
}

TEST_CASE("leaves out files that are gone, large or not to be read") {
  Stage stage;
  for (const char* file : {".env", ".env.gone", ".env.large", ".env.locked"}) {
    stage.add_untracked(file);
  }
  fs::remove(stage.checkout() / ".env.gone");
  fs::resize_file(stage.checkout() / ".env.large", 2 * largest_copy);
  fs::permissions(stage.checkout() / ".env.locked", fs::perms::none);
  stage.lay_out();
  Lines expected = {
      ".env.gone (No such file or directory)",
      ".env.large (it has 128 MiB, and at most 64 MiB are copied)",
      ".env.locked (Permission denied)"};
  if (is_root()) {
    expected.pop_back();  // root reads it
  }
  CHECK(stage.left_out == expected);
  CHECK(stage.copies().size() == 1);
}

TEST_CASE("copies the rest when a file goes while others are copied") {
  Stage stage;
  stage.add_untracked(".env");
  stage.add_untracked(".env.local");
  stage.runner.answer("cp ", [&](const Command&) {
    return fs::remove(stage.checkout() / ".env.local")
               ? failed(1, "cp: cannot stat '.env.local'\n")
               : CommandResult{};
  });
  stage.lay_out();
  CHECK(stage.copies() == Lines{Stage::copying("", ".env .env.local"),
                                Stage::copying("", ".env")});
  CHECK(stage.left_out == Lines{".env.local (No such file or directory)"});
}

TEST_CASE("fails when nothing is wrong with the files that are not copied") {
  Stage stage;
  stage.add_untracked(".env");
  stage.runner.answer("cp ", failed(1, "cp: no space left\n"));
  CHECK(contains(message_of<CommandError>([&] { stage.lay_out(); }),
                 "cp: no space left"));
}

TEST_CASE("starts from the node_modules in use, but from no venv") {
  Stage stage;
  fs::create_directories(stage.checkout() / "web/node_modules");
  fs::create_directories(stage.checkout() / "api/venv");
  stage.lay_out();
  CHECK(stage.copies().empty());  // a check does without
  stage.copy_environments();
  CHECK(stage.copies() ==
        Lines{"cp -a --reflink=auto -T -- web/node_modules "
              ".git/deployment-update/stage/tree/web/node_modules"});
  CHECK(stage.log.text().empty());
}

TEST_CASE("copies no link to a node_modules, which npm would write into") {
  Stage stage;
  fs::create_directories(stage.checkout() / "web");
  fs::create_directory_symlink("/elsewhere",
                               stage.checkout() / "web/node_modules");
  stage.lay_out();
  stage.copy_environments();
  CHECK(stage.copies().empty());
}

TEST_CASE("goes on without node_modules that cannot be copied") {
  Stage stage;
  const fs::path in_use = stage.checkout() / "web/node_modules";
  fs::create_directories(in_use);
  const fs::path half = stage.tree / "web/node_modules/half";
  stage.lay_out();
  stage.runner.answer("cp ", [&](const Command&) {
    write_file(half, "");
    return failed(1);
  });
  stage.runner.answer("rm -rf", remove_for_real);
  stage.copy_environments();
  CHECK_FALSE(fs::exists(half));
  CHECK(stage.log.text() ==
        "warning: " + in_use.string() +
            " could not be copied; npm installs from scratch\n");
}

TEST_CASE("begins with nothing but the empty venv") {
  Stage stage;
  stage.runner.answer("rm -rf", remove_for_real);
  const Inputs made_from = {{"python3", "3.11.2"}};
  const auto begin = [&] {
    return begin_with_empty(api, made_from, stage.host.store, stage.runner,
                            stage.host.as_user, stage.log.log);
  };
  stage.lay_out();
  CHECK_FALSE(begin());
  write_file(stage.host.store.staged_empty(api) / "bin/python3", "");
  stage.host.store.keep_empty(api, made_from);
  write_file(stage.tree / "api/venv/tracked", "of git");
  CHECK(begin());
  CHECK(stage.copies() == Lines{"cp -a --reflink=auto -T -- "
                                ".git/deployment-update/stage/empty/api "
                                ".git/deployment-update/stage/tree/api/venv"});
  CHECK_FALSE(fs::exists(stage.tree / "api/venv/tracked"));
}

TEST_CASE("an empty venv is made from its python3 alone") {
  const Folder bin;
  Context context{.variables = {{"PATH", "/nowhere:" + bin.path().string()}}};
  const auto inputs = [&] {
    return inputs_of_empty(
        api, {{"python3", "3.11.2"}, {"requirements.txt", "1"}}, context);
  };
  CHECK(inputs() == Inputs{{"program", ""}, {"python3", "3.11.2"}});
  const fs::path program = bin / "python3";
  write_file(program, "");
  fs::permissions(program, fs::perms::owner_all);
  const Inputs before = inputs();
  CHECK(before.at("program").starts_with(program.string() + " "));
  CHECK(inputs() == before);
  write_file(bin / "other", "");
  fs::permissions(bin / "other", fs::perms::owner_all);
  fs::rename(bin / "other", program);
  CHECK(inputs() != before);
}

TEST_CASE("shows an environment at its place in the stage, to be read") {
  Stage stage;
  stage.lay_out();
  const fs::path in_use = stage.checkout() / "api/venv";
  const fs::path place = stage.tree / "api/venv";
  fs::create_directories(in_use);
  CHECK(show_read_only(api, in_use, stage.host.store) ==
        Mount{.source = in_use, .target = place, .read_only = true});
  CHECK(fs::is_directory(place));
}

TEST_CASE("shows no environment that is a link, but names it") {
  Stage stage;
  stage.lay_out();
  const fs::path in_use = stage.checkout() / "api/venv";
  fs::create_directories(in_use.parent_path());
  fs::create_directory_symlink("/elsewhere", in_use);
  const auto error =
      error_of<Error>([&] { show_read_only(api, in_use, stage.host.store); });
  CHECK(
      std::string(error.what()).starts_with(in_use.string() + " is no folder"));
  CHECK(contains(error.advice().value_or(""), "--force"));
  CHECK_FALSE(fs::exists(stage.tree / "api/venv"));
}

TEST_CASE("lays submodules out by a repository that can go with the stage") {
  Stage stage;
  stage.has_submodules = true;
  stage.runner.answer("foreach --recursive", [](const Command&) {
    return printed(std::string("lib/.git\0lib/in/.git\0", 22));
  });
  stage.lay_out();
  const fs::path own = stage.host.store.stage() / "repository";
  CHECK(read_file(own / "config") ==
        "[include]\n\tpath = ../../../config\n[submodule]\n"
        "\talternateLocation = superproject\n"
        "\talternateErrorStrategy = info\n");
  CHECK(read_file(own / "objects/info/alternates") == "../../../../objects\n");
  int of_submodules = 0;
  for (const Command& command : stage.runner.asked) {
    if (contains(describe(command), "submodule --quiet")) {
      ++of_submodules;
      CHECK(command.context.directory == stage.tree);
      CHECK(command.context.variables.at("GIT_DIR") == "../repository");
      CHECK(command.context.variables.at("GIT_WORK_TREE") == ".");
      CHECK(command.context.variables.at("GIT_INDEX_FILE") == "../index");
    }
  }
  CHECK(of_submodules == 2);
  CHECK(stage.runner.has_run("rm -f -- lib/.git lib/in/.git"));
}

TEST_CASE("asks nothing of submodules where there are none") {
  Stage stage;
  stage.lay_out();
  CHECK_FALSE(stage.runner.has_run("submodule --quiet"));
}

TEST_CASE("tells that a sparse checkout leaves out a component") {
  Stage stage;
  Component other = web;
  other.directory = "other";
  write_file(stage.checkout() / ".git/info/sparse-checkout", "/web/\n");
  const auto error = error_of<Error>([&] { stage.lay_out({other}); });
  CHECK(error.what() ==
        std::string("the checkout is sparse and leaves out other, the folder "
                    "of web; nothing was changed"));
  CHECK(contains(error.advice().value_or(""), "sparse-checkout add other"));
}

}  // namespace
}  // namespace deployment
