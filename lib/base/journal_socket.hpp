// Sends lines to the journal of this host (systemd.journal-fields(7)).
#pragma once

#include <string>
#include <string_view>

#include "lib/base/file.hpp"

namespace deployment {

class JournalSocket {
 public:
  // Sends lines of the program `identifier`. `path` is the journal's socket.
  explicit JournalSocket(const char* identifier,
                         std::string_view path = "/run/systemd/journal/socket");

  // Sends one line, whose `priority` is that of syslog(3). Before the first one
  // a line says who started the program, and with which arguments. Nothing
  // happens where no journal listens; after a line that it did not take within
  // a second no more are sent.
  void send(int priority, std::string_view line);

 private:
  void open();
  void send_datagram(int priority, std::string_view line);

  const char* identifier_;
  std::string_view path_;
  std::string person_ = {};  // who started the program; empty: not opened yet
  Descriptor socket_ = {};
};

}  // namespace deployment
