// end-orphans CHECKOUT: ends the processes that runs in it left behind, for a
// test in which this one has their mark, too. Exits with their number.
#include "lib/process/orphan.hpp"

int main(int /*argc*/, char* argv[]) {
  return deployment::end_orphans(argv[1]);
}
