// Moves what a build made beside an environment: its outputs.
#pragma once

#include <array>
#include <functional>
#include <set>

#include "lib/base/directory.hpp"
#include "lib/model/label.hpp"

namespace deployment {

// Returns what tells the thing at `path` from another one: its kind, inode
// number, time of birth where the file system has it and, of a file, the time
// of its last change. nullopt: nothing is there.
std::optional<std::string> identity_at(const Directory& checkout,
                                       const std::filesystem::path& path);

// Returns true when both are of one thing, whose content may have changed.
bool is_same_thing(std::string_view identity, std::string_view other);

// Returns true when both are of one kind: file, folder, link or other.
bool is_same_kind(std::string_view identity, std::string_view other);

// SQLite keeps these beside a database as long as it is in use, and after a
// crash (https://www.sqlite.org/tempfiles.html).
constexpr std::array<const char*, 3> companion_suffixes = {"-journal", "-wal",
                                                           "-shm"};

// The folder beside a kept environment that holds its outputs, or what stood in
// the place of those of the one in use. The names in it are whole paths, so
// that no two of them are below each other.
class Held {
 public:
  Held(Directory& checkout, std::filesystem::path folder)
      : checkout_(checkout), folder_(std::move(folder)) {}

  // Returns the place for what belongs to `path` of the checkout.
  std::filesystem::path place(const std::string& path) const;

  // Returns what place() made a name of; nullopt for any other name.
  static std::optional<std::string> path_of(std::string_view name);

  // Exchanges what is at `path` with what is held for it, where one of both may
  // be nothing. Returns false when the file system cannot: nothing has happened
  // then. Throws Error when that fails otherwise.
  bool exchange(const std::string& path);

  // Adds to `paths` what a database of SQLite has beside it, here or held: one
  // without the other would be damaged.
  std::vector<std::string> with_companions(
      const std::vector<std::string>& paths) const;

  // Returns true when something that is held for `outputs` was taken along so.
  bool has_companions(const Outputs& outputs) const;

  bool holds(const std::string& path, const Output& output) const;
  bool is_live(const std::string& path, const Output& output) const;

  // Returns true when an environment with these outputs can be put into use.
  bool holds_all(const Outputs& outputs) const;

 private:
  Directory& checkout_;
  std::filesystem::path folder_;
};

// Lists the paths that leave the checkout, and those that come in, when the
// environment with the outputs `kept` takes the place of the one with `live`.
// Those in `tracked` are git's to move; what is not the output any more stays.
struct Exchanged {
  std::vector<std::string> leave = {};
  std::vector<std::string> come = {};
};
Exchanged exchanged(const Outputs& live, const Outputs& kept,
                    const std::set<std::string>& tracked, const Held& held);

// Lists the paths that an exchange which was stopped before the environment
// itself was exchanged has moved, in the order in which they have to be moved
// back.
std::vector<std::string> half_exchanged(const Outputs& live,
                                        const Outputs& kept, const Held& held);

// Gives `outputs` the identities of what stands at their paths now, where that
// is of the same kind: a service or a person may have put it there. Of a file
// the time of its change as it was built stays.
void refresh(Outputs& outputs, const Directory& checkout);

// Returns a file beside a database of SQLite, at `path`, that tells that it is
// in use, or was left in the middle of a change. nullopt: there is none.
std::optional<std::string> unfinished_beside(const Directory& checkout,
                                             const std::string& path);

// Says why the user of this process cannot move what is at `path`; nullopt when
// nothing is in the way.
std::optional<std::string> why_immovable(const Directory& checkout,
                                         const std::string& path);

// Says which path is an output of two components; nullopt: none is.
std::optional<std::string> made_twice(
    const std::map<std::string, Outputs>& by_component);

// Lists those of `found`, where a folder stands for all that is in it, that a
// build made: not what is at or below one of `others`, nor caches of python.
// `children` lists the names in a folder.
std::set<std::string> made_by_build(
    const std::vector<std::string>& found, const std::set<std::string>& others,
    const std::function<std::vector<std::string>(const std::string&)>&
        children);

}  // namespace deployment
