// Describes plans in words.
#pragma once

#include "lib/plan/plan.hpp"

namespace deployment {

// One line of a plan and of the log, with the step's reason.
std::string describe(const Step& step);

// "fetch", "install"
std::string_view name_of(const Step& step);

// The component that a step is for; nullopt when it is for none.
std::optional<std::string> component_of(const Step& step);

// "fetch", "frontend: install"
std::string label_of(const Step& step);

// "1234567890ab (subject)"
std::string describe(const CommitId& commit, const std::string& subject);

// "1234567890ab (subject) -> …"
std::string describe(const Change& change);

// ", as alice asked"; empty when nobody did.
std::string as_asked(const std::string& by);

}  // namespace deployment
