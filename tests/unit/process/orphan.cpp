#include "lib/process/orphan.hpp"

#include <unistd.h>

#include <string>

#include "tests/unit/processes.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

const std::string mark = "DEPLOYMENT_UPDATE_CHECKOUT";

TEST_CASE("the mark is one variable more, which names the checkout") {
  const Variables before = {{"HOME", "/home/ubuntu"}};
  Variables expected = before;
  expected[mark] = "/app";
  CHECK(marked(before, "/app") == expected);
  expected[mark] = "/other";
  CHECK(marked(marked(before, "/app"), "/other") == expected);
}

TEST_CASE("ends a process that a run left behind, and its child") {
  const Folder checkout;
  Family left(checkout / "pipe", marked({}, checkout.path()));
  CHECK(left.parent_lives());
  CHECK(end_orphans(checkout.path()) == 2);
  CHECK_FALSE(left.parent_lives());
  left.wait_for_end();
  CHECK(end_orphans(checkout.path()) == 0);
}

TEST_CASE("leaves processes alone that no run in this checkout started") {
  const Folder folder;
  const std::string checkout = folder / "app";
  const Variables others[] = {{},
                              marked({}, checkout + "2"),
                              marked({}, folder.path()),
                              marked({}, checkout + "/web"),
                              {{"X_" + mark, checkout}},
                              {{"X", mark + "=" + checkout}}};
  int number = 0;
  for (const Variables& variables : others) {
    INFO(number);
    const Family family(folder / std::to_string(++number), variables);
    CHECK(end_orphans(checkout) == 0);
    CHECK(family.parent_lives());
  }
}

TEST_CASE("ends those of one checkout and not those of another") {
  const Folder folder;
  Family here(folder / "here", marked({}, folder / "app"));
  const Family there(folder / "there", marked({}, folder / "app2"));
  CHECK(end_orphans(folder / "app") == 2);
  here.wait_for_end();
  CHECK(there.parent_lives());
}

TEST_CASE("the process that looks for others is left alone") {
  const Folder checkout;
  Family left(checkout / "pipe", marked({}, checkout.path()));
  Helper looking([&] {
    set_variables(marked({}, checkout.path()));
    execl(END_ORPHANS, END_ORPHANS, checkout.path().c_str(), nullptr);
    return 98;
  });
  CHECK(looking.wait() == 2);
  left.wait_for_end();
}

TEST_CASE("leaves processes alone into which it may not look") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  const Family left(checkout / "pipe", marked({}, checkout.path()));
  {
    const ActingAs user(find_user("nobody"));
    CHECK(end_orphans(checkout.path()) == 0);
  }
  CHECK(left.parent_lives());
  CHECK(end_orphans(checkout.path()) == 2);
}

}  // namespace
}  // namespace deployment
