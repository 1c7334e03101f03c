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

TEST_CASE("npm installs and leaves the lock file alone") {
  CHECK(lines_of(npm_install("installing", in_backend)) ==
        Lines{"npm install --no-save"});
}

TEST_CASE("a venv is made anew and used as activate would") {
  const Sequence sequence =
      rebuild_venv("installing", in_backend, {"requirements.txt", "more.txt"});
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

TEST_CASE("activate needs no PATH to extend") {
  CHECK(activated({}, "/v") ==
        Variables{{"PATH", "/v/bin"}, {"VIRTUAL_ENV", "/v"}});
}

TEST_CASE("programs of an environment come first in it") {
  CHECK(in_environment(in_backend, Component::Type::python).variables ==
        activated(in_backend.variables, "/app/backend/venv"));
  CHECK(in_environment(in_backend, Component::Type::npm).variables ==
        Variables{{"PATH", "/app/backend/node_modules/.bin:/usr/bin"},
                  {"PYTHONHOME", "/py"}});
}

TEST_CASE("the interpreter's version is what it calls itself") {
  FakeRunner python(
      [](const Command&) { return CommandResult{.out = "Python 3.11.2\n"}; });
  CHECK(python_version(python, in_backend) == "3.11.2");
  FakeRunner other(
      [](const Command&) { return CommandResult{.out = "pyenv: none\n"}; });
  CHECK(message_of<Error>([&] { python_version(other, in_backend); }) ==
        "unexpected output from python3 --version: 'pyenv: none'");
}

TEST_CASE("node's version is its major one and that of its ABI") {
  FakeRunner node([](const Command&) { return printed("20.11.1 115\n"); });
  CHECK(node_version(node, in_backend) == "20, ABI 115");
  CHECK(node.lines() == Lines{"node --print '`${process.versions.node} "
                              "${process.versions.modules}`'"});
  for (const char* answer : {"", "v20", "20.11.1", "20.11.1 x", "x.1 115"}) {
    FakeRunner other([&](const Command&) { return printed(answer); });
    CHECK(message_of<Error>([&] { node_version(other, in_backend); }) ==
          "unexpected output from node, asked for its version: '" +
              std::string(answer) + "'");
  }
}

}  // namespace
}  // namespace deployment
