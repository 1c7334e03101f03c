// The questions of a check. Each adds what it finds and throws Error only for
// what keeps it from asking.
#pragma once

#include "lib/check/question.hpp"
#include "lib/model/record.hpp"

namespace deployment {

// Looks for the programs that the configuration needs, in the PATH of the
// service, and at their versions.
void look_at_tools(const Question& question);

// Looks whether systemd knows and will start the units: the services of the
// components, the timer, and the service of this program.
void look_at_units(const Question& question);

// Looks at the settings of the service's unit, with all of its drop-ins: those
// that stop deployments, and those that are weaker than hardening.conf.
void look_at_confinement(const Question& question);

// Compares settings that may contradict each other.
void look_at_settings(const Question& question);

// Looks whether the clock is right, as far as this host can tell.
void look_at_clock(const Question& question, const Record& record);

// Reads the record.
Record look_at_record(const Question& question);

// Looks at whose the checkout, its .git and the folders of the components are,
// and for what has been left in them.
void look_at_folders(const Question& question, const Host& host,
                     const Record& record);

// Tries whether environments can be built aside and exchanged, and looks for
// room for them.
void look_at_builds(const Question& question, Host& host, const Record& record);

// Asks the remote as the service will. Returns nullopt when it cannot be asked.
std::optional<Heads> look_at_remote(const Question& question, const Host& host);

}  // namespace deployment
