#include "lib/deploy/other_records.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.hpp"
#include "lib/checkout/identifier.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/deploy/recognition.hpp"
#include "lib/model/record_text.hpp"
#include "tests/unit/host.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// Another record names the checkout; its identifier tells where that is.
class WithOther : public FakeHost {
 public:
  WithOther()
      : id(make_identifier(*host.checkout, host.user, other.parent_path())) {
    write_other(checkout());
  }

  void write_other(const fs::path& named) const {
    write_file(other, to_text({.checkout = named,
                               .checkout_id = id,
                               .deployed = commit('a')}));
  }

  // Recognizes the checkout for `record`, as each run does.
  void recognize(const Record& record) {
    save(record);
    Journal journal(*config.state_dir);
    recognize_checkout(host, journal);
  }

  const fs::path other = folder / "other/record";
  const std::string id;
};

TEST_CASE("a second record of a checkout is refused in one line") {
  WithOther fake;
  const auto error = error_of<Error>([&] { refuse_other_record(fake.host); });
  CHECK(error.what() == "the checkout " + fake.checkout().string() +
                            " has the record " + fake.other.string() +
                            ", and " +
                            (*fake.config.state_dir / "record").string() +
                            " is to be another one; nothing was changed");
  CHECK(contains(*error.advice(), "mkdir -p " +
                                      fake.config.state_dir->string() +
                                      " && mv " + fake.other.string() + " " +
                                      fake.config.state_dir->string()));
}

TEST_CASE("its own record is no other one, however its path is written") {
  WithOther fake;
  fs::rename(fake.other.parent_path(), *fake.config.state_dir);
  fs::create_directory_symlink(*fake.config.state_dir,
                               fake.other.parent_path());
  CHECK_NOTHROW(refuse_other_record(fake.host));
}

TEST_CASE("a record that is gone, or names another checkout, is none") {
  WithOther fake;
  fake.write_other("/srv/another");
  CHECK_NOTHROW(refuse_other_record(fake.host));
  write_file(fake.other, "no record\n");
  CHECK_NOTHROW(refuse_other_record(fake.host));
  fs::remove(fake.other);
  CHECK_NOTHROW(refuse_other_record(fake.host));
  fs::remove_all(fake.checkout() / ".git/deployment-update");
  CHECK_NOTHROW(refuse_other_record(fake.host));
}

TEST_CASE("an identifier that tells no folder names no record") {
  FakeHost fake;
  for (const char* text :
       {"", "record-folder = \n", "record-folder = relative\n",
        "The record of deployment-update knows this clone by it.\n"}) {
    write_file(fake.checkout() / ".git/deployment-update/checkout-1", text);
    CHECK_NOTHROW(refuse_other_record(fake.host));
  }
}

TEST_CASE("root believes no record where others may write") {
  if (geteuid() != 0) {
    return;
  }
  WithOther fake;
  REQUIRE(chmod(fake.other.parent_path().c_str(), 0777) == 0);
  CHECK_NOTHROW(refuse_other_record(fake.host));
}

TEST_CASE("a run looks for another record when its own knows no checkout") {
  WithOther fake;
  CHECK_THROWS_AS(fake.recognize({}), Error);
  CHECK_THROWS_AS(fake.recognize({.checkout = fake.checkout(),
                                  .checkout_id = "of another clone"}),
                  Error);
  // No more is looked at than before when the record knows this clone.
  CHECK_NOTHROW(
      fake.recognize({.checkout = fake.checkout(), .checkout_id = fake.id}));
}

}  // namespace
}  // namespace deployment
