// Lets a checkout have one record, and nobody deploy beside it.
#pragma once

#include "lib/deploy/host.hpp"

namespace deployment {

// Throws Error when this process is not one of root and root has a record of
// the checkout, its default one, that of an instance or the configured one, or
// a default one that names no checkout: a run would build below the services
// that root deploys, and keep a second record of them.
void refuse_beside_root(const Config& config);

// Throws Error when another record than that of the configuration names the
// checkout: two would take turns in deploying what each takes for its own.
// Looks at those that root keeps for this host and its instances, and at those
// of which the checkout's identifiers tell.
void refuse_other_record(const Host& host);

}  // namespace deployment
