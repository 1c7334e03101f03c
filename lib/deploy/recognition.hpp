// Recognizes the checkout that the record speaks of.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"

namespace deployment {

// Returns what of the record stands in the checkout. The record forgets what it
// says of another clone, and learns that a move has ended. Throws Error when it
// is that of another checkout, or when it does not know this one yet and
// another record does.
Standing recognize_checkout(Host& host, Journal& journal);

// Lets the record name the checkout. Comes before it first speaks of what is in
// there.
void name_checkout(Host& host, Journal& journal);

// Takes what stands complete in the checkout for deployed when nothing is on
// record and no run has changed anything yet: somebody deployed it before this
// program. A commit that the remote never had is none.
void adopt_what_stands(const Host& host, const Heads& heads, Journal& journal);

// Ends the processes of the checkout's user that a killed run has left.
void end_orphans_of_a_killed_run(Host& host);

}  // namespace deployment
