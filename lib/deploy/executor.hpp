// Carries out the steps of plans.
#pragma once

#include "lib/deploy/work.hpp"

namespace deployment {

// Carries out a step. It is written to the journal before and after what it
// changes, so that a run that is killed anywhere can be continued. Throws Error
// when the step fails, and Interrupted.
void carry_out(const Step& step, Work& work);

}  // namespace deployment
