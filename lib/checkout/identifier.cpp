#include "lib/checkout/identifier.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cstdint>

#include "lib/base/error.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace {

// Nobody can have another clone with the same one.
std::string random_identifier() {
  std::array<std::uint64_t, 2> number = {};
  if (getrandom(number.data(), sizeof(number), 0) != sizeof(number)) {
    throw_errno("make an identifier of the checkout");
  }
  return fmt::format("{:016x}{:016x}", number[0], number[1]);
}

}  // namespace

bool has_identifier(const Directory& checkout, const std::string& id) {
  return checkout.has_file((own_folder("") / identifier_name(id)).native());
}

std::string make_identifier(Directory& checkout,
                            const std::optional<User>& user) {
  const ActingAs acting(user);
  const auto git = checkout.look_at(".git");
  if (!git || !S_ISDIR(git->st_mode)) {
    return {};
  }
  std::string id = random_identifier();
  checkout.make_folders(own_folder(checkout.path()));
  checkout.folder(own_folder(checkout.path()))
      .replace(identifier_name(id),
               "The record of deployment-update knows this clone by it.\n");
  return id;
}

}  // namespace deployment
