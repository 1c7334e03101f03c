#include "lib/plan/standing.hpp"

#include "lib/checkout/identifier.hpp"
#include "tests/unit/host.hpp"

namespace deployment {
namespace {

const Inputs inputs = {{"package.json", std::string(64, '1')}};

// `a` is deployed, with an environment of web and none of api.
class Deployed : public FakeHost {
 public:
  Deployed() {
    host.store.set_live_label(web, {.inputs = inputs});
    record.checkout_id = make_identifier(*host.checkout, host.user, {});
  }

  Standing standing() const {
    return look_at_standing(config, record, *host.checkout, host.store);
  }
  std::filesystem::path modules() const { return host.store.live(web); }
  ComponentRecord& web_record() { return record.components["web"]; }

  Record record = {
      .deployed = commit('a'),
      .components = {
          {"web",
           {.configured = "npm", .commit = commit('a'), .inputs = inputs}},
          {"api", {.configured = "python", .commit = commit('a')}}}};
};

TEST_CASE("what is deployed stands") {
  Deployed fake;
  CHECK(fake.standing().is_complete());
}

TEST_CASE("an environment that is removed is gone") {
  Deployed fake;
  std::filesystem::remove_all(fake.modules());
  CHECK(fake.standing().gone == std::set<std::string>{"web"});
}

TEST_CASE("outputs are looked at where the record knows of some") {
  Deployed fake;
  write_file(fake.checkout() / "web/page", "");
  fake.host.store.set_live_label(
      web, {.inputs = inputs,
            .outputs = {{"web/page", {.identity = "f1"}},
                        {"web/dist", {.identity = "d2"}}}});
  CHECK(fake.standing().is_complete());
  fake.web_record().has_outputs = true;
  CHECK(fake.standing().gone == std::set<std::string>{"web"});
  CHECK(gone_outputs(web, fake.record, fake.host.store) ==
        std::vector<std::string>{"web/dist"});
  // A thing of another kind in the place of one is as if that were gone.
  write_file(fake.checkout() / "web/dist", "");
  CHECK_FALSE(fake.standing().is_complete());
  std::filesystem::remove(fake.checkout() / "web/dist");
  std::filesystem::create_directory(fake.checkout() / "web/dist");
  CHECK(fake.standing().is_complete());
}

TEST_CASE("an environment that another made has no label") {
  Deployed fake;
  std::filesystem::remove_all(fake.modules());
  write_file(fake.modules() / "by-hand", "");
  CHECK(fake.standing().gone == std::set<std::string>{"web"});
  // An earlier version labelled none.
  fake.web_record().configured.clear();
  CHECK(fake.standing().is_complete());
  std::filesystem::remove_all(fake.modules());
  CHECK(fake.standing().gone == std::set<std::string>{"web"});
}

TEST_CASE("another clone has another identifier") {
  Deployed fake;
  const std::string before = fake.record.checkout_id;
  std::filesystem::remove_all(fake.checkout() / ".git");
  std::filesystem::create_directories(fake.checkout() / ".git");
  CHECK(fake.standing().is_another_clone);
  fake.record.checkout_id =
      make_identifier(*fake.host.checkout, fake.host.user, {});
  CHECK(fake.record.checkout_id != before);
  CHECK(fake.record.checkout_id.size() == 32);
  CHECK_FALSE(fake.standing().is_another_clone);
  fake.record.checkout_id.clear();  // it was never named
  CHECK_FALSE(fake.standing().is_another_clone);
}

TEST_CASE("where .git is a file there is no identifier") {
  Deployed fake;
  std::filesystem::remove_all(fake.checkout() / ".git");
  write_file(fake.checkout() / ".git", "gitdir: elsewhere");
  CHECK(make_identifier(*fake.host.checkout, fake.host.user, {}).empty());
}

TEST_CASE("without a deployment the folders have to be there") {
  Deployed fake;
  fake.record = {};
  CHECK(fake.standing().gone == std::set<std::string>{"api"});
  // A venv that could not be finished has no interpreter.
  std::filesystem::create_directories(fake.host.store.live(api));
  CHECK(fake.standing().gone == std::set<std::string>{"api"});
  write_file(fake.host.store.live(api) / "bin/python3", "");
  CHECK(fake.standing().is_complete());
}

TEST_CASE("a venv without its interpreter is gone, labelled or not") {
  Deployed fake;
  fake.record.components["api"].inputs = inputs;
  fake.host.store.set_live_label(api, {.inputs = inputs});
  CHECK(fake.standing().gone == std::set<std::string>{"api"});
  write_file(fake.host.store.live(api) / "bin/python3", "");
  CHECK(fake.standing().is_complete());
}

}  // namespace
}  // namespace deployment
