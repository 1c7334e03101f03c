#include "lib/deploy/checks.hpp"

#include "lib/base/error.hpp"
#include "tests/unit/deploy/deploying.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

Component checked() {
  Component component = api;
  component.checks = {{"look", "at it"}, {"look", "again"}};
  component.releases = {{"migrate"}};
  return component;
}

const Check check_in_use = {
    .component = checked(), .facts = {.inputs = inputs}, .in_use = true};
const Check check_new = {.component = checked(), .facts = {.inputs = inputs}};
const Build laid_out = {
    .commit = commit('b'), .installs = {}, .tried = {checked()}};

// The commands that a check or release ran, which are the last ones.
std::vector<Command> last(const Deploying& fake, std::ptrdiff_t count) {
  return {fake.runner.asked.end() - count, fake.runner.asked.end()};
}

TEST_CASE("runs checks in the component's folder, with its environment first") {
  Deploying fake;
  fake.apply(check_in_use);
  CHECK(fake.runner.lines() ==
        std::vector<std::string>{"look 'at it'", "look again"});
  for (const Command& command : fake.runner.asked) {
    const Context& context = command.context;
    const std::string venv = (fake.checkout() / "api/venv").string();
    CHECK(context.directory == fake.checkout() / "api");
    CHECK(context.timeout == fake.config.install_timeout);
    CHECK(context.variables.at("VIRTUAL_ENV") == venv);
    CHECK(context.variables.at("PATH").starts_with(venv + "/bin:"));
    CHECK(context.mounts.empty());  // nothing is laid out
  }
  fake.runner.asked.front().context.on_line("passed");
  CHECK(fake.log.text() == "api | passed\n");
}

TEST_CASE("shows what is laid out, with the environment that will be used") {
  Deploying fake;
  const fs::path in_use = fake.host.store.live(api);
  fs::create_directories(in_use);
  fake.apply(laid_out);
  CHECK(fs::exists(fake.host.store.stage()));
  write_file(fake.host.store.staged(api) / "bin/python3", "");
  fake.host.store.keep_staged(api, inputs);
  const fs::path kept = *fake.host.store.find(api, inputs, commit('b'));
  for (const auto& [step, environment] :
       {std::pair(check_in_use, in_use), std::pair(check_new, kept)}) {
    fake.apply(step);
    for (const Command& command : last(fake, 2)) {
      REQUIRE(command.context.mounts.size() == 5);
      CHECK(command.context.mounts.front() ==
            Mount{.source = environment,
                  .target = fake.host.store.staged(api),
                  .read_only = true});
      CHECK(command.context.mounts.back().target == fake.checkout());
    }
  }
}

TEST_CASE("removes what was laid out before anything moves") {
  Deploying fake;
  fake.apply(laid_out);
  fake.apply(check_in_use);
  CHECK(fs::exists(fake.host.store.stage()));
  fake.runner.answer(" merge ", [&](const Command&) {
    CHECK_FALSE(fs::exists(fake.host.store.stage()));
    return CommandResult{};
  });
  fake.apply(FastForward{.from = commit('a'), .to = commit('b')});
  CHECK(fake.runner.has_run(" merge "));
}

TEST_CASE("does without an environment where none is in use or needed") {
  Deploying fake;
  fake.apply(laid_out);
  fake.apply(check_in_use);
  CHECK(last(fake, 1).front().context.mounts.size() == 4);
}

TEST_CASE("tells when the environment that was to be shown is gone") {
  Deploying fake;
  fake.apply(laid_out);
  CHECK(message_of<Error>([&] { fake.apply(check_new); }) ==
        "cannot find the venv of api to put into use");
}

TEST_CASE("ends at the first check that fails, and says what to do") {
  Deploying fake;
  fake.runner.answer("look 'at it'", failed(3, "it is broken\n"));
  const auto error = error_of<CommandError>([&] { fake.apply(check_in_use); });
  CHECK(error.what() ==
        std::string("checking api failed: look 'at it' exited with code 3\n"
                    "it is broken"));
  CHECK(contains(error.advice().value_or(""), "in the check of [api]"));
  CHECK_FALSE(fake.runner.has_run("again"));
}

TEST_CASE("records no release that failed") {
  Deploying fake;
  fake.runner.answer("migrate", failed(1));
  const Release release = {.component = checked(),
                           .facts = {},
                           .commit = commit('b'),
                           .in_use = true};
  const auto error = error_of<CommandError>([&] { fake.apply(release); });
  CHECK(contains(error.what(), "releasing api failed: migrate exited"));
  CHECK(contains(error.advice().value_or(""), "from its first command on"));
  CHECK(fake.saved().released.empty());
}

}  // namespace
}  // namespace deployment
