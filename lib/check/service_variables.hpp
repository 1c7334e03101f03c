// Gives this process the variables that the service has.
#pragma once

#include "lib/check/findings.hpp"
#include "lib/model/config.hpp"
#include "lib/services/systemd.hpp"

namespace deployment {

// Replaces the variables of this process by those of a run that systemd starts:
// those of systemd itself and of the service's unit. What a person's session
// has, an agent of ssh for one, is not there then. Adds an obstacle for each
// name of pass-environment that the service does not have. Where systemd cannot
// be asked, PATH and the names of pass-environment stay as they are.
void take_variables_of_service(const Config& config, const Systemd& systemd,
                               Findings& found);

// Reads "NAME=VALUE" words as systemctl prints them after Environment=.
Variables parse_unit_variables(std::string_view text);

// Reads a file of an EnvironmentFile=, a line for each variable.
Variables parse_variables_file(std::string_view text);

}  // namespace deployment
