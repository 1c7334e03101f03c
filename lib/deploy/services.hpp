// Looks at services before a run changes anything, and verifies them at its
// end.
#pragma once

#include "lib/deploy/work.hpp"
#include "lib/model/request.hpp"

namespace deployment {

// Throws Error for a unit that systemd does not know, that is masked, or whose
// file it could not read: it would fail only when everything else has been
// moved.
void require_loaded(const UnitState& state, const std::string& unit);

// Throws Obstacle when systemd does not know a service that a
// configuration file names and a plan restarts, or would if the new component
// were not skipped.
void require_services(const Plan& plan, const Record& record, const Host& host);

// Notes what is expected of the services of a run that was asked for so, and
// that goes back since what it deployed failed.
void set_expectations(const Request& request, bool goes_back, Work& work);

// Looks at the units that a plan restarts, before it is carried out. Throws
// Error when one of them cannot be restarted.
void look_at_services(const Plan& plan, Work& work);

// Warns when the services of a component that is skipped may go on with what
// the commit before had of it.
void say_what_goes_on(const Component& component, const Work& work);

// Verifies restarted services and writes the outcome to the journal. Throws
// ServiceDown when one of them does not stay up or does not serve.
void verify_services(const std::vector<Component>& components, Work& work);

// Returns true for such an error: it alone puts a commit into quarantine.
bool is_of_services(const Error& error);

}  // namespace deployment
