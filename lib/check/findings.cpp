#include "lib/check/findings.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/json.hpp"
#include "lib/base/text.hpp"
#include "lib/deploy/report.hpp"

namespace deployment {
namespace {

Json to_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"about", finding.about},
                    {"what", finding.what},
                    {"remedy", finding.remedy}});
  }
  return list;
}

// Returns a line of the report, whatever lines are in `text`.
std::string report_line(std::string_view key, const std::string& text) {
  return fmt::format("{:<12} {}\n", key, escaped(one_line(text)));
}

}  // namespace

void Findings::add(Finding obstacle) {
  if (std::ranges::find(obstacles_, obstacle.what, &Finding::what) ==
      obstacles_.end()) {
    obstacles_.push_back(std::move(obstacle));
  }
}

void Findings::add(const std::string& about, const Error& error,
                   const std::string& remedy) {
  add_with_remedy(about, error,
                  error.advice() ? one_line(*error.advice()) : remedy);
}

void Findings::add_with_remedy(const std::string& about, const Error& error,
                               const std::string& remedy) {
  add({.about = about, .what = one_line(error), .remedy = remedy});
}

void Findings::note(Finding note) {
  notes_.push_back(std::move(note));
}

void Findings::skip(const std::string& what) {
  skipped_.push_back(what);
}

void Findings::saw(const std::string& about, const std::string& what) {
  auto of_it = std::ranges::find(seen_, about, &Seen::first);
  if (of_it == seen_.end()) {
    of_it = seen_.insert(seen_.end(), {about, {}});
  }
  of_it->second.push_back(what);
}

std::string Findings::as_text() const {
  std::string text;
  for (const auto& [about, things] : seen_) {
    text += report_line(about, fmt::format("{}", fmt::join(things, ", ")));
  }
  for (const std::string& what : skipped_) {
    text += report_line("not seen", what);
  }
  for (const Finding& note : notes_) {
    text += report_line("note", note.what);
    text += report_line("  to do", note.remedy);
  }
  for (const Finding& obstacle : obstacles_) {
    text += report_line("in the way", obstacle.what);
    text += report_line("  to do", obstacle.remedy);
  }
  const int count = static_cast<int>(obstacles_.size());
  return text +
         (count == 0 ? "nothing is in the way" : counted(count, "obstacle")) +
         '\n';
}

std::string Findings::as_json() const {
  Json seen = Json::object();
  for (const auto& [about, things] : seen_) {
    seen[about] = things;
  }
  return json_line({{"obstacles", to_json(obstacles_)},
                    {"notes", to_json(notes_)},
                    {"not_seen", skipped_},
                    {"seen", seen}});
}

}  // namespace deployment
