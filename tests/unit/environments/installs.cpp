#include "lib/environments/installs.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using Lines = std::vector<std::string>;

const Context in_backend = {
    .directory = "/app/backend",
    .variables = {{"PATH", "/usr/bin"}, {"PYTHONHOME", "/py"}}};

Lines lines_of(const Sequence& sequence) {
  Lines lines;
  for (const Command& command : sequence) {
    CHECK(command.context.directory == "/app/backend");
    lines.push_back(describe(command));
  }
  return lines;
}

Component of_type(Component::Type type) {
  return {.name = "backend", .type = type, .directory = "backend"};
}

Sequence installs_in_backend(const Component& component) {
  return install_commands("installing", in_backend, component,
                          {"requirements.txt", "more.txt"});
}

TEST_CASE("npm installs and leaves the lock file alone") {
  CHECK(lines_of(installs_in_backend(of_type(Component::Type::npm))) ==
        Lines{"npm install --no-save"});
}

TEST_CASE("a venv is made anew and used as activate would") {
  const Sequence sequence =
      installs_in_backend(of_type(Component::Type::python));
  CHECK(lines_of(sequence) ==
        Lines{"rm -rf -- venv", "python3 -m venv venv",
              "venv/bin/python3 -m pip install --upgrade pip",
              "venv/bin/python3 -m pip install -r requirements.txt -r "
              "more.txt"});
  CHECK(sequence[1].context.variables == in_backend.variables);
  CHECK(sequence[3].context.variables ==
        Variables{{"PATH", "/app/backend/venv/bin:/usr/bin"},
                  {"VIRTUAL_ENV", "/app/backend/venv"}});
}

TEST_CASE("a component's own commands take the place of its type's") {
  Component component = of_type(Component::Type::npm);
  component.installs = {{"npm", "ci", "a b"}, {"./more"}};
  CHECK(lines_of(installs_in_backend(component)) ==
        Lines{"npm ci 'a b'", "./more"});
  component.type = Component::Type::python;
  const Sequence sequence = installs_in_backend(component);
  CHECK(lines_of(sequence) == Lines{"rm -rf -- venv", "python3 -m venv venv",
                                    "npm ci 'a b'", "./more"});
  CHECK(sequence[3].context.variables.contains("VIRTUAL_ENV"));
}

TEST_CASE("of a generic component it is looked whether they left something") {
  Component component = of_type(Component::Type::generic);
  component.environment = ".venv";
  component.installs = {{"uv", "sync"}};
  const Sequence sequence = installs_in_backend(component);
  CHECK(lines_of(sequence) == Lines{"uv sync", "ls -d -- .venv/"});
  CHECK(sequence[0].context.variables == in_backend.variables);
}

TEST_CASE("activate needs no PATH to extend") {
  CHECK(activated({}, "/v") ==
        Variables{{"PATH", "/v/bin"}, {"VIRTUAL_ENV", "/v"}});
}

TEST_CASE("programs of an environment come first in it") {
  const auto path_of = [](const Component& component) {
    return in_environment(in_backend, component).variables["PATH"];
  };
  CHECK(
      in_environment(in_backend, of_type(Component::Type::python)).variables ==
      activated(in_backend.variables, "/app/backend/venv"));
  CHECK(path_of(of_type(Component::Type::npm)) ==
        "/app/backend/node_modules/.bin:/usr/bin");
  Component generic = of_type(Component::Type::generic);
  generic.environment = "node_modules";
  CHECK(path_of(generic) == "/app/backend/node_modules/.bin:/usr/bin");
  generic.environment = "vendor/bundle";
  CHECK(path_of(generic) == "/app/backend/vendor/bundle/bin:/usr/bin");
}

TEST_CASE("the interpreter's version is what it calls itself") {
  FakeRunner python(
      [](const Command&) { return CommandResult{.out = "Python 3.11.2\n"}; });
  CHECK(version_of("python3", python, in_backend) == "3.11.2");
  FakeRunner other(
      [](const Command&) { return CommandResult{.out = "pyenv: none\n"}; });
  CHECK(message_of<Error>([&] { version_of("python3", other, in_backend); }) ==
        "unexpected output from python3 --version: 'pyenv: none'");
}

TEST_CASE("of node's version the major one counts") {
  FakeRunner node([](const Command&) { return printed("v20.11.1\n"); });
  CHECK(version_of("node", node, in_backend) == "20");
  CHECK(node.lines() == Lines{"node --version"});
  for (const char* answer : {"", "v", "v20", "20.11.1", "v.1", "vx.1"}) {
    FakeRunner other([&](const Command&) { return printed(answer); });
    CHECK(message_of<Error>([&] { version_of("node", other, in_backend); }) ==
          "unexpected output from node --version: '" + std::string(answer) +
              "'");
  }
}

}  // namespace
}  // namespace deployment
