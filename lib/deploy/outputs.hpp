// Moves the outputs of builds at the right moments of a run.
#pragma once

#include "lib/deploy/work.hpp"

namespace deployment {

// Looks whether the outputs of all environments that a plan exchanges can be
// moved. Throws Obstacle when one cannot, and Error when two components make
// it.
void look_at_outputs(const Plan& plan, Work& work);

// Moves those away that the commit tracks, before git moves.
void make_way(const Plan& plan, Work& work);

// Exchanges the environment in use, and its outputs, with the one at `kept`.
void exchange(const Component& component, const std::filesystem::path& kept,
              Host& host);

// Moves back what exchanges that were stopped halfway have moved. `record`
// tells where the environments are.
void take_back_halves(Host& host, const Record& record);

}  // namespace deployment
