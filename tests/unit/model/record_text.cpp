#include "lib/model/record_text.hpp"

#include "lib/base/error.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

Deployment deployment(int number) {
  return {.ended = Time(std::chrono::seconds(number)),
          .outcome = Deployment::Outcome::deployed,
          .duration = 7s,
          .from = commit('a'),
          .to = commit('b')};
}

Record full_record() {
  Record record;
  record.deployed = commit('a');
  record.moving_to = commit('b');
  record.checkout = "/srv/app, old";
  record.checkout_id = "0123456789abcdef";
  record.remote_commit = commit('e');
  record.quarantined = commit('c');
  record.quarantined_by = "alice";
  record.quarantined_for = Failure{.step = "verify", .error = "it died"};
  record.roll_back_to = commit('d');
  record.pending = Pending{.tip = commit('b'),
                           .reached = Reached::restarted,
                           .running = true,
                           .failure = Failure{.step = "backend: install",
                                              .error = "exited with code 1"},
                           .deferred_since = Time(900s),
                           .attempts = 2,
                           .since = Time(1000s),
                           .next_try = Time(2000s)};
  record.released = {{"backend", commit('a')}, {"gone", commit('b')}};
  record.remote_away_since = Time(3000s);
  record.told = {.outcome = "failed - planning: # lines",
                 .away_since = Time(3000s),
                 .held_since = Time(4000s),
                 .retry = Retry{.tries = 3, .next = Time(5000s)}};
  record.history = {deployment(10),
                    {.ended = Time(20s),
                     .outcome = Deployment::Outcome::failed,
                     .duration = 0s,
                     .to = commit('b')},
                    {.ended = Time(30s),
                     .outcome = Deployment::Outcome::rolled_back,
                     .duration = 90s,
                     .from = commit('b'),
                     .to = commit('a'),
                     .by = "alice",
                     .invocation_id = std::string(32, '1')}};
  record.components["frontend"] = {
      .configured = "npm frontend [package.json] frontend.service",
      .commit = commit('a'),
      .unverified_commit = commit('b'),
      .inputs = {{"package.json", std::string(64, 'c')}}};
  record.components["backend"] = {
      .inputs = {{"python3", "3.11.2"}, {"a.txt", std::string(64, 'd')}},
      .has_outputs = true};
  record.components["backend"].listens = {ipv4_endpoint({0, 0, 0, 0}, 8000),
                                          {.port = 3000}};
  record.components["backend"].root = "apps and libs";
  record.components["skipped"] = {.commit = commit('a')};
  return record;
}

Record read(const std::string& text) {
  return parse_record(text, "/state/record");
}

TEST_CASE("a record comes back from its text") {
  for (const Record& record : {Record{}, full_record()}) {
    INFO(to_text(record));
    CHECK(read(to_text(record)) == record);
  }
}

TEST_CASE("a person can read the text") {
  Record record;
  record.deployed = commit('a');
  record.history = {deployment(0)};
  record.components["backend"] = {
      .commit = commit('a'),
      .inputs = {{"requirements.txt", std::string(64, 'c')}},
      .listens = {ipv4_endpoint({0, 0, 0, 0}, 8000), {.port = 3000}}};
  CHECK(to_text(record) ==
        "# The state of deployments; written by deployment-update.\n"
        "deployed = " +
            id('a') +
            "\n"
            "deployment = 1970-01-01T00:00:00Z deployed 7 " +
            id('a') + " " + id('b') +
            "\n"
            "\n[backend]\n"
            "commit = " +
            id('a') +
            "\n"
            "input = " +
            std::string(64, 'c') +
            "  requirements.txt\n"
            "listens = 0.0.0.0:8000\n"
            "listens = [::]:3000\n");
}

TEST_CASE("names and messages of any bytes come back") {
  using namespace std::string_literals;
  for (const std::string& text :
       {"a # b.txt"s, "#a"s, "a\nb"s, "a\\b"s, "a\\x0ab"s, " a"s, "a "s, "  "s,
        "\ta\t"s, "a  b"s, "[x]"s, "a=b"s, "\xff"s, "\xe2\x80\xae"s, "ä 日本"s,
        "'\""s, "\r"s, "\x1b[2J"s}) {
    INFO(text);
    Record record = full_record();
    record.components["backend"].inputs = {{text, std::string(64, 'c')}};
    record.pending->failure = Failure{.step = text, .error = text};
    CHECK(read(to_text(record)) == record);
  }
}

TEST_CASE("a failure without words is none") {
  const Record record =
      read("pending = " + id('b') + "\nerror =\nfailed-step =\n");
  CHECK_FALSE(record.pending->failure.has_value());
  CHECK(read(to_text(record)) == record);
}

TEST_CASE("text that is no record is refused, with what to do about it") {
  const std::string pending = "pending = " + id('b') + "\n";
  for (const std::string& text :
       {std::string("garbage\n"),
        std::string("deployed = abc\n"),
        "deployed = " + std::string(40, 'X') + "\n",
        std::string("colour = 1\n"),
        std::string("remote-away-since = yesterday\n"),
        std::string("moving-to = prod\n"),
        "released = " + id('a') + "\n",
        "released = " + id('a') + " a b\n",
        std::string("released = 1 web\n"),
        std::string("attempts = 1\n"),
        pending + "attempts = -1\n",
        pending + "attempts = 1x\n",
        pending + "since = 2024-02-30T00:00:00Z\n",
        "deployment = 1970-01-01T00:00:00Z deployed 7 " + id('a') + "\n",
        "deployment = 1970-01-01T00:00:00Z gone 7 - " + id('a') + "\n",
        "deployment = 1970-01-01T00:00:00Z deployed x - " + id('a') + "\n",
        std::string("[backend]\ninput = nothing\n"),
        std::string("[backend]\ncolour = 1\n"),
        std::string("[backend]\nlistens = 8000\n"),
        std::string("[backend]\nlistens = localhost:http\n"),
        std::string("[backend]\ncommit = 1\n"),
        "[b\xd6)]\ncommit = " + id('a') + "\n",
        "[-b]\ncommit = " + id('a') + "\n",
        pending + "reached = all\n",
        std::string("\0\0\0\0", 4),
        std::string("\x7f"
                    "ELF")}) {
    INFO(text);
    const auto error = error_of<Error>([&] { read(text); });
    CHECK(std::string(error.what())
              .starts_with("the record /state/record cannot be read: "));
    CHECK(error.advice() ==
          "fix that line, or start over: mv /state/record /state/record.old");
    CHECK(error.exit_code() == exit_failed);
  }
}

TEST_CASE("a record that was cut short anywhere is refused or is shorter") {
  const std::string text = to_text(full_record());
  for (std::size_t size = 0; size < text.size(); ++size) {
    try {
      const Record record = read(text.substr(0, size));
      CHECK(record.history.size() <= 3);
    } catch (const Error& error) {
      CHECK(contains(error.what(), "/state/record"));
    }
  }
}

TEST_CASE("the history keeps good deployments, however many fail after them") {
  Record record;
  const auto add = [&](int number, Deployment::Outcome outcome) {
    Deployment one = deployment(number);
    one.outcome = outcome;
    add_to_history(record.history, one);
    return one;
  };
  using Outcome = Deployment::Outcome;
  add(0, Outcome::failed);
  std::vector<Deployment> good;
  for (int i = 1; i <= 6; ++i) {
    good.push_back(add(i, Outcome::deployed));
  }
  for (int i = 10; i < 40; i += 2) {
    add(i, Outcome::failed);
    add(i + 1, Outcome::rolled_back);
  }
  good.erase(good.begin());  // the last five stay
  REQUIRE(record.history.size() == 10);
  CHECK(std::equal(good.begin(), good.end(), record.history.begin()));
  CHECK(record.history.back().outcome == Outcome::rolled_back);
}

TEST_CASE("deployments of what is deployed drive none out of the history") {
  Record record;
  const auto add = [&](char from, char to) {
    Deployment one = deployment(1);
    one.outcome = Deployment::Outcome::deployed;
    one.from = commit(from);
    one.to = commit(to);
    add_to_history(record.history, one);
  };
  add('a', 'b');
  add('b', 'c');
  for (int i = 0; i < 20; ++i) {
    add('c', 'c');
  }
  REQUIRE(record.history.size() == 3);
  CHECK(record.history.front().to == commit('b'));
  CHECK(is_repetition(record.history.back()));
}

TEST_CASE("the history keeps the last ten deployments") {
  Record record;
  for (int i = 1; i <= 12; ++i) {
    add_to_history(record.history, deployment(i));
  }
  REQUIRE(record.history.size() == 10);
  CHECK(record.history.front() == deployment(3));
  CHECK(record.history.back() == deployment(12));
}

}  // namespace
}  // namespace deployment
