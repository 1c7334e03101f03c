#include "lib/deploy/services.hpp"

#include <algorithm>

#include "lib/model/transitions.hpp"
#include "tests/unit/deploy/deploying.hpp"
#include "tests/unit/sockets.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Outcome = Deployment::Outcome;

const Plan restarts = {
    .steps = {restart_web, Restart{.component = api},
              Verify{.components = {web, api}}},
    .change = Change{.from = commit('a'), .to = commit('b')}};

// Web is this process, and was verified when it listened on `listened`.
class Serving : public Deploying {
 public:
  explicit Serving(const Endpoints& listened) {
    config.health_timeout = 1s;
    Record record = saved();
    record.components["web"].listens = listened;
    record.components["web"].configured = "npm web";
    record.history = {Deployment{
        .ended = now(), .outcome = Outcome::deployed, .to = commit('a')}};
    save(record);
    journal = Journal(*config.state_dir);
    runner.answer("DropInPaths web.service", [this](const Command&) {
      return printed(
          running_unit(runner.has_run("restart web.service") ? "new" : "old") +
          "ControlGroup=" + own_control_group() + "\n");
    });
  }

  Endpoints listens() const { return saved().components.at("web").listens; }

  void restart_and_verify() {
    apply(restart_web);
    verify_services({web}, work);
  }
};

TEST_CASE("looks at the units of a plan before they are restarted") {
  Deploying fake;
  look_at_services(restarts, fake.work);
  CHECK(fake.runner.asked.size() == 2);
  CHECK(fake.runner.has_run("FragmentPath,DropInPaths web.service"));
  CHECK(fake.work.states_before.at("web.service").invocation_id == "old");
  CHECK(fake.work.states_before.contains("api.service"));
}

TEST_CASE("refuses a service of a configuration that systemd does not know") {
  Deploying fake;
  fake.runner.answer("DropInPaths api.service",
                     printed(running_unit("old") + "LoadState=not-found\n"));
  const Record unknown;
  Record known;
  known.components["api"] = {};
  const Plan skips{.steps = {Skip{api}}};
  const auto check = [&](const Plan& plan, const Record& record) {
    require_services(plan, record, fake.host);
  };
  CHECK_NOTHROW(check(restarts, unknown));  // default components
  fake.config.names_components = true;
  for (const Plan* plan : {&restarts, &skips}) {
    const auto error = error_of<Obstacle>([&] { check(*plan, unknown); });
    CHECK(std::string(error.what()) ==
          "component api: systemd does not know its service api.service; "
          "nothing was changed");
    CHECK(contains(*error.advice(), "correct the service of [api]"));
  }
  Component several = web;
  several.services.push_back("api.service");
  const Plan of_several{.steps = {Restart{.component = several}}};
  CHECK(contains(error_of<Obstacle>([&] { check(of_several, unknown); }).what(),
                 "component web: systemd does not know its service "
                 "api.service"));
  CHECK_THROWS_AS(check(restarts, known), Obstacle);
  CHECK_NOTHROW(check(skips, known));
  Record way_back;
  way_back.roll_back_to = commit('a');
  CHECK_THROWS_AS(check(restarts, way_back), Obstacle);  // asked for by hand
  way_back.pending = Pending{.tip = commit('b'), .reached = Reached::restarted};
  CHECK_NOTHROW(check(restarts, way_back));
}

TEST_CASE("refuses to begin when a unit cannot be restarted") {
  struct Case {
    std::string load_state;
    std::string error;
    std::string advice;
  };
  for (const Case& c :
       {Case{"masked", "it is masked", "unmask it: systemctl unmask"},
        Case{"not-found", "systemd calls it not-found", "systemctl status"},
        Case{"bad-setting", "systemd calls it bad-setting",
             "systemctl status"}}) {
    Deploying fake;
    fake.runner.answer(
        "DropInPaths api.service",
        printed(running_unit("old") + "LoadState=" + c.load_state + "\n"));
    const auto error =
        error_of<Error>([&] { look_at_services(restarts, fake.work); });
    CHECK(std::string(error.what()) ==
          "api.service cannot be restarted: " + c.error);
    CHECK(contains(*error.advice(), c.advice + " api.service"));
  }
}

TEST_CASE("records the commit of services that stayed up") {
  Deploying fake;
  fake.apply(restart_web);
  fake.apply(Verify{.components = {web}});
  const ComponentRecord component = fake.saved().components.at("web");
  CHECK(component.commit == commit('b'));
  CHECK(component.unverified_commit == std::nullopt);
}

TEST_CASE("tells which service did not stay up, and records none") {
  Deploying fake;
  look_at_services(restarts, fake.work);
  fake.apply(restart_web);
  fake.apply(Restart{.component = api});
  fake.runner.answer("DropInPaths web.service", printed(running_unit("old")));
  const auto error = error_of<ServiceDown>([&] {
    verify_services({web, api}, fake.work);
  });
  CHECK(std::string(error.what()) ==
        "web.service was restarted and does not run as it should: it is the "
        "same invocation as before the restart");
  CHECK(error.advice() ==
        "look at: systemctl status web.service; journalctl -u web.service");
  const auto components = fake.saved().components;
  CHECK(components.at("web").unverified_commit == std::nullopt);
  CHECK(components.at("web").commit == std::nullopt);
  // It was not watched to the end.
  CHECK(components.at("api").unverified_commit == commit('b'));
  CHECK(components.at("api").commit == std::nullopt);
}

TEST_CASE("records where a service listens, and expects it there again") {
  if (!has_control_groups()) {
    return;
  }
  Server server(on_all(free_port()));
  {
    const Helper child = accepting(server);
    Serving first({});
    first.restart_and_verify();
    const Endpoints listens = first.listens();
    CHECK(std::count(listens.begin(), listens.end(), server.endpoint()) == 1);
  }
  server.close();
  Serving second({server.endpoint()});
  CHECK(
      contains(message_of<ServiceDown>([&] { second.restart_and_verify(); }),
               "it does not listen on port " + std::to_string(server.port())));
  CHECK(second.listens() == Endpoints{server.endpoint()});
}

TEST_CASE("expects no port that was left before the run, by hand") {
  if (!has_control_groups()) {
    return;
  }
  const Server server(on_all(free_port()));
  const Endpoint left = on_all(free_port());
  Serving fake({server.endpoint(), left});
  look_at_services(restarts, fake.work);
  CHECK(fake.listens() == Endpoints{server.endpoint()});
}

TEST_CASE("expects each port of a service that is not verified") {
  if (!has_control_groups()) {
    return;
  }
  const Server server(on_all(free_port()));
  const Endpoints both = {server.endpoint(), on_all(free_port())};
  Serving fake(both);
  fake.journal.write(transition::restart_began, "web");
  look_at_services(restarts, fake.work);
  CHECK(fake.listens() == both);
}

TEST_CASE("lets a service move when a person asks for it") {
  if (!has_control_groups()) {
    return;
  }
  const Server server(on_all(free_port()));
  const Helper child = accepting(server);
  const Endpoint before = on_all(free_port());
  Serving fake({before});
  fake.work.may_move = true;
  fake.restart_and_verify();
  const Endpoints listens = fake.listens();
  CHECK(std::count(listens.begin(), listens.end(), server.endpoint()) == 1);
  CHECK(std::count(listens.begin(), listens.end(), before) == 0);
}

}  // namespace
}  // namespace deployment
