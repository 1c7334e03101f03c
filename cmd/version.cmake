# Writes the source that holds the version, when it is another one:
#   cmake -DSOURCE=DIR -DVERSION=X -DOUTPUT=FILE -P version.cmake
# Sources in a folder of another repository are at none of its commits.
execute_process(COMMAND git -C ${SOURCE} -c safe.directory=* rev-parse --show-prefix
  OUTPUT_VARIABLE prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(
  COMMAND git -C ${SOURCE} -c safe.directory=* describe --always --dirty --exclude=* --abbrev=12
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(commit AND prefix STREQUAL "")
  set(VERSION "${VERSION} (${commit})")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#include "cmd/version.hpp"

const char* const deployment::version = "@VERSION@";
]] @ONLY)
