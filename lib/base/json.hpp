// Writes JSON (RFC 8259).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deployment {

// A JSON value, kept as its text.
class Json {
 public:
  Json() : text_("null") {}
  Json(bool value) : text_(value ? "true" : "false") {}              // NOLINT
  Json(long long value) : text_(std::to_string(value)) {}            // NOLINT
  Json(int value) : Json(static_cast<long long>(value)) {}           // NOLINT
  Json(std::string_view value);                                      // NOLINT
  Json(const std::string& value) : Json(std::string_view(value)) {}  // NOLINT
  Json(const char* value) : Json(std::string_view(value)) {}         // NOLINT

  static Json array(const std::vector<Json>& values);

  // Members are written in the order given.
  using Members = std::vector<std::pair<std::string, Json>>;
  static Json object(const Members& members);

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace deployment
