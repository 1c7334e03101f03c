#include "lib/base/json.hpp"

#include "lib/base/text.hpp"

namespace deployment {

Json::Json(std::string_view value) : text_(json_string(value)) {}

Json Json::array(const std::vector<Json>& values) {
  Json array;
  array.text_.clear();
  for (const Json& value : values) {
    array.text_ += array.text_.empty() ? "[" : ",";
    array.text_ += value.text_;
  }
  array.text_ += array.text_.empty() ? "[]" : "]";
  return array;
}

Json Json::object(const Members& members) {
  Json object;
  object.text_.clear();
  for (const auto& [name, value] : members) {
    object.text_ += object.text_.empty() ? "{" : ",";
    object.text_ += json_string(name) + ":" + value.text_;
  }
  object.text_ += object.text_.empty() ? "{}" : "}";
  return object;
}

}  // namespace deployment
