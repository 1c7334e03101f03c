#include "lib/base/journal_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

// Listens as the journal does.
class Listener {
 public:
  Listener() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)) == 0);
  }

  std::string path() const { return folder_ / "socket"; }

  // Returns the next datagram; empty: there is none.
  std::string next() const {
    std::array<char, 100'000> buffer{};
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    return {buffer.data(), size < 0 ? 0 : static_cast<std::size_t>(size)};
  }

 private:
  Folder folder_;
  Descriptor socket_;
};

TEST_CASE("the journal is told who started what, and then each line") {
  const Variable caller("SUDO_USER", "alice");
  const Listener listener;
  const std::string path = listener.path();
  JournalSocket journal("program", path);
  CHECK(listener.next().empty());
  journal.send(3, "bad");
  const std::string rest = "SYSLOG_IDENTIFIER=program\nSTARTED_BY=alice\n";
  const std::string first = listener.next();
  CHECK(first.starts_with("MESSAGE=started by alice: program"));
  CHECK(first.ends_with("\nPRIORITY=6\n" + rest));
  CHECK(listener.next() == "MESSAGE=bad\nPRIORITY=3\n" + rest);
  journal.send(6, "fine");
  CHECK(listener.next() == "MESSAGE=fine\nPRIORITY=6\n" + rest);
  CHECK(listener.next().empty());
}

TEST_CASE("no line forges a field of the journal") {
  const Listener listener;
  const std::string path = listener.path();
  JournalSocket journal("program", path);
  journal.send(6, "a\nPRIORITY=0\n_UID=0");
  CHECK_FALSE(listener.next().empty());
  const std::string fields = listener.next();
  CHECK(contains(fields, "MESSAGE=a\\x0aPRIORITY=0\\x0a_UID=0\n"));
  CHECK_FALSE(contains(fields, "\nPRIORITY=0"));
  CHECK_FALSE(contains(fields, "\n_UID"));
}

TEST_CASE("nothing happens where no journal listens") {
  const Folder folder;
  const std::string path = folder / "socket";
  JournalSocket journal("program", path);
  journal.send(6, "fine");
  const std::string long_path(300, '/');
  JournalSocket far("program", long_path);
  CHECK_NOTHROW(far.send(6, "fine"));
}

TEST_CASE("a line that is too long for the journal is cut") {
  const Listener listener;
  const std::string path = listener.path();
  JournalSocket journal("program", path);
  journal.send(6, std::string(1 << 20, 'x'));
  CHECK_FALSE(listener.next().empty());
  CHECK(listener.next().starts_with("MESSAGE=xxx"));
  journal.send(6, "more");
  CHECK(listener.next().starts_with("MESSAGE=more\n"));
}

TEST_CASE("a journal that hangs is given up") {
  const Listener listener;
  const std::string path = listener.path();
  JournalSocket journal("program", path);
  for (int i = 0; i < 5000; ++i) {
    journal.send(6, "fine");
  }
  int datagrams = 0;
  while (!listener.next().empty()) {
    ++datagrams;
  }
  CHECK(datagrams < 5000);
  journal.send(6, "more");
  CHECK(listener.next().empty());
}

}  // namespace
}  // namespace deployment
