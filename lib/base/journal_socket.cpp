#include "lib/base/journal_socket.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <fstream>

#include "lib/base/text.hpp"

namespace deployment {

namespace {

// Returns the arguments of this program as a person would write them (proc(5)).
std::string arguments() {
  std::ifstream file("/proc/self/cmdline");
  std::string words;
  std::string word;
  std::getline(file, word, '\0');  // the program
  while (std::getline(file, word, '\0')) {
    words += ' ' + deployment::quoted(word);
  }
  return words;
}

}  // namespace

JournalSocket::JournalSocket(const char* identifier, std::string_view path)
    : identifier_(identifier), path_(path) {}

void JournalSocket::send(int priority, std::string_view line) {
  constexpr int info = 6;
  if (person_.empty()) {
    person_ += '?';
    open();
    if (socket_.is_open()) {
      person_ = name_of_person();
      send_datagram(info, fmt::format("started by {}: {}{}", person_,
                                      identifier_, arguments()));
    }
  }
  send_datagram(priority, line);
}

void JournalSocket::open() {
  socket_ = Descriptor(
      ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  if (socket_.is_open() &&
      ::connect(socket_.get(), any, sizeof(address)) != 0) {
    socket_.reset();
  }
}

void JournalSocket::send_datagram(int priority, std::string_view line) {
  constexpr std::size_t longest = 48 << 10;  // fits into any socket's buffer
  constexpr int patience = 1000;             // milliseconds
  if (!socket_.is_open()) {
    return;
  }
  // Each line of a datagram is a field.
  const std::string fields = fmt::format(
      "MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER={}\nSTARTED_BY={}\n",
      escaped(line.substr(0, longest)), priority, identifier_,
      escaped(person_));
  const auto is_sent = [&] {
    return TEMP_FAILURE_RETRY(::send(socket_.get(), fields.data(),
                                     fields.size(), MSG_NOSIGNAL)) >= 0;
  };
  pollfd waiting{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
  if (!is_sent() &&
      (errno != EAGAIN || ::poll(&waiting, 1, patience) < 1 || !is_sent())) {
    socket_.reset();
  }
}

}  // namespace deployment
