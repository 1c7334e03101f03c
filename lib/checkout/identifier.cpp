#include "lib/checkout/identifier.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cstdint>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

// Begins the line that tells in which folder the record is.
constexpr std::string_view folder_key = "record-folder = ";

// Nobody can have another clone with the same one.
std::string random_identifier() {
  std::array<std::uint64_t, 2> number = {};
  if (getrandom(number.data(), sizeof(number), 0) != sizeof(number)) {
    throw_errno("make an identifier of the checkout");
  }
  return fmt::format("{:016x}{:016x}", number[0], number[1]);
}

// A file .git is one of a linked work tree.
bool has_git_folder(const Directory& checkout) {
  const auto git = checkout.look_at(".git");
  return git && S_ISDIR(git->st_mode);
}

std::string text_of(const fs::path& record_folder) {
  return fmt::format(
      "The record of deployment-update knows this clone by it.\n{}{}\n",
      folder_key, record_folder.string());
}

}  // namespace

bool has_identifier(const Directory& checkout, const std::string& id) {
  return checkout.has_file((own_folder("") / identifier_name(id)).native());
}

std::string make_identifier(Directory& checkout,
                            const std::optional<User>& user,
                            const fs::path& record_folder) {
  const ActingAs acting(user);
  if (!has_git_folder(checkout)) {
    return {};
  }
  std::string id = random_identifier();
  checkout.make_folders(own_folder(checkout.path()));
  checkout.folder(own_folder(checkout.path()))
      .replace(identifier_name(id), text_of(record_folder));
  return id;
}

void tell_record_folder(Directory& checkout, const std::optional<User>& user,
                        const std::string& id, const fs::path& record_folder) {
  const ActingAs acting(user);
  if (!has_git_folder(checkout)) {
    return;
  }
  Directory folder = checkout.folder(own_folder(checkout.path()));
  const std::string text = text_of(record_folder);
  if (folder.read_regular_file(identifier_name(id), longest_line) != text) {
    folder.replace(identifier_name(id), text);
  }
}

std::vector<fs::path> record_folders(const Directory& checkout) {
  const Directory folder = checkout.folder(own_folder(checkout.path()));
  std::vector<fs::path> found;
  for (const std::string& name : folder.names()) {
    if (!name.starts_with(identifier_name(""))) {
      continue;
    }
    touch_watchdog();
    const std::string text =
        folder.read_regular_file(name, longest_line).value_or("");
    for (const std::string_view line : split(text, '\n')) {
      if (line.starts_with(folder_key)) {
        found.emplace_back(line.substr(folder_key.size()));
      }
    }
  }
  return found;
}

}  // namespace deployment
