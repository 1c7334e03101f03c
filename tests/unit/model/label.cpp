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
        Label{.inputs = {{"a  b\n#\\", std::string(64, '1')},
                         {"python3", "3.11.2"}}}}) {
    CHECK(parse_label(to_text(label)) == label);
  }
}

TEST_CASE("an environment serves what it was made from") {
  CHECK(serves({.inputs = first}, first, commit('a')));
  CHECK_FALSE(serves({.inputs = first}, second, commit('a')));
}

TEST_CASE("one of unknown make serves the commit that ran in it") {
  CHECK(serves({.inputs = {}, .served = commit('a')}, first, commit('a')));
  CHECK_FALSE(
      serves({.inputs = {}, .served = commit('a')}, first, commit('b')));
  CHECK_FALSE(serves({}, first, commit('a')));
  CHECK_FALSE(serves({}, {}, commit('a')));
}

}  // namespace
}  // namespace deployment
