# Writes the source that holds the version, when it is another one:
#   cmake -DSOURCE=DIR -DVERSION=X -DOUTPUT=FILE -P version.cmake
execute_process(
  COMMAND git -C ${SOURCE} -c safe.directory=* describe --always --dirty --exclude=* --abbrev=12
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(commit)
  set(VERSION "${VERSION} (${commit})")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#include "cmd/version.hpp"

const char* const deployment::version = "@VERSION@";
]] @ONLY)
