#include "lib/base/json.hpp"

#include <nlohmann/json.hpp>

namespace deployment {

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + '\n';
}

}  // namespace deployment
