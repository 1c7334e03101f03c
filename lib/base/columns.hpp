// Lays text out for a terminal of 80 columns.
#pragma once

#include <string>
#include <string_view>

namespace deployment {

constexpr std::size_t columns = 80;

// Counts the columns that `text` takes on a terminal.
std::size_t width_of(std::string_view text);

// Escapes `text`, and cuts it with an ellipsis when it takes more than `width`
// columns.
std::string fitted(std::string_view text, std::size_t width);

// Escapes `text` and breaks it at blanks into whole lines, of which the first
// begins with `first` and each has its text behind `indent` columns. A word
// that no line can hold, as a path, stays whole.
std::string wrapped(std::string_view first, std::string_view text,
                    std::size_t indent);

}  // namespace deployment
