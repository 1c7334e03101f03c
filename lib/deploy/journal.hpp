// Keeps the record in memory and on disk the same.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "lib/model/paths.hpp"
#include "lib/model/record.hpp"

namespace deployment {

class Journal {
 public:
  // Reads the record, which is empty when none was ever written. Nothing is
  // written before the first change. Throws Error when it cannot be read. Only
  // what was told is kept by another `name`.
  explicit Journal(std::filesystem::path state_dir,
                   std::string name = record_name);

  const Record& record() const { return record_; }

  // Calls `act` with the record after each change from here on.
  void on_change(std::function<void(const Record&)> act) {
    on_change_ = std::move(act);
  }

  // Applies a change of lib/model/transitions.hpp and writes the record before
  // it returns: atomically, so that after a crash the file is the old record or
  // the new one. Makes the state directory when there is none. A change that
  // changes nothing writes nothing. Throws Error when the record cannot be
  // written; then it is as it was before in memory too.
  template <typename Transition, typename... Arguments>
  void write(const Transition& transition, const Arguments&... arguments) {
    Record next = record_;
    transition(next, arguments...);
    replace(std::move(next));
  }

 private:
  void replace(Record next);

  std::filesystem::path state_dir_;
  std::string name_;
  Record record_;
  std::function<void(const Record&)> on_change_ = {};
};

}  // namespace deployment
