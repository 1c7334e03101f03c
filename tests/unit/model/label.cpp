#include "lib/model/label.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

const Inputs first = {{"package.json", std::string(64, '1')}};
const Inputs second = {{"package.json", std::string(64, '2')}};

TEST_CASE("a label comes back from its text, whatever the names") {
  for (const Label& label :
       {Label{}, Label{.inputs = first},
        Label{.inputs = {}, .served = commit('a')},
        Label{.inputs = first, .served = commit('a')},
        Label{.inputs = first, .on_trial = true},
        Label{.inputs = first,
        .outputs = {{"web/dist", {.identity = "d12+3.000000004"}},
                    {" a\nb ", {.identity = "f5+@6.7", .by_command = true}}},
        .without = {"web/gen", " c"}},
        Label{.inputs = first, .folder = "/srv/an app/backend/venv"},
        Label{.inputs = {{"a  b\n#\\", std::string(64, '1')},
                         {"python3", "3.11.2"}}}}) {
    CHECK(parse_label(to_text(label)) == label);
  }
}

TEST_CASE("an input that no label of ours has is left out") {
  for (const char* line : {"3.11.2", "a\\x20 b  name"}) {
    CHECK(parse_label(line).inputs.empty());
  }
}

TEST_CASE("an environment serves what it was made from") {
  CHECK(serves({.inputs = first}, first, commit('a')));
  CHECK_FALSE(serves({.inputs = first}, second, commit('a')));
}

TEST_CASE("the version of node counts where both sides know it") {
  const Inputs of_old = {{"package.json", "1"}};
  const Inputs made_by_18 = {{"node", "18"}, {"package.json", "1"}};
  const Inputs made_by_20 = {{"node", "20"}, {"package.json", "1"}};
  const Inputs of_18_and_abi = {{"node", "18, ABI 108"}, {"package.json", "1"}};
  CHECK(are_alike(of_18_and_abi, made_by_18));
  CHECK_FALSE(are_alike(of_18_and_abi, made_by_20));
  CHECK(are_alike(of_old, made_by_18));
  CHECK(are_alike(made_by_18, of_old));
  CHECK_FALSE(are_alike(made_by_18, made_by_20));
  CHECK_FALSE(are_alike({}, made_by_18));
  CHECK(serves({.inputs = of_old}, made_by_18, commit('a')));
  CHECK_FALSE(serves({.inputs = made_by_18}, made_by_20, commit('a')));
}

TEST_CASE("an install depends on nothing that only build commands read") {
  Inputs inputs = first;
  inputs[commands_input] = "1";
  inputs[folder_input] = "2";
  CHECK(without_builds(inputs) == first);
  const Inputs named = of_component("web", inputs);
  CHECK(named.at("build commands of web") == "1");
  CHECK(named.at("files of the folder of web") == "2");
  CHECK(of_component("api", named) == named);
  CHECK(without_builds(named) == first);
  CHECK_FALSE(is_of_build("build commands.txt"));
}

TEST_CASE("one of unknown make serves the commit that ran in it") {
  CHECK(serves({.inputs = {}, .served = commit('a')}, first, commit('a')));
  CHECK_FALSE(
      serves({.inputs = {}, .served = commit('a')}, first, commit('b')));
  CHECK_FALSE(serves({}, first, commit('a')));
  CHECK_FALSE(serves({}, {}, commit('a')));
}

TEST_CASE("who needs nothing goes back to what served the commit") {
  CHECK(serves({.inputs = first, .served = commit('a')}, {}, commit('a')));
  CHECK_FALSE(serves({.inputs = first}, {}, commit('a')));
}

}  // namespace
}  // namespace deployment
