# What those who change the program want to know besides (scripts/test).
include(ProcessorCount)
ProcessorCount(processors)
find_program(CLANG NAMES clang++ REQUIRED)
find_program(CLANG_FORMAT NAMES clang-format-14 clang-format REQUIRED)
find_program(CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
find_program(RUN_CLANG_TIDY NAMES run-clang-tidy-14 run-clang-tidy REQUIRED)
find_program(FLAKE8 NAMES flake8 REQUIRED)
find_program(MYPY NAMES mypy REQUIRED)
find_program(SHELLCHECK NAMES shellcheck REQUIRED)
find_program(MANDOC NAMES mandoc REQUIRED)

# The same tests, built by clang with AddressSanitizer and UBSan.
set(clang_build ${PROJECT_BINARY_DIR}/clang)
add_test(NAME clang.configure COMMAND ${CMAKE_COMMAND}
  -S ${PROJECT_SOURCE_DIR} -B ${clang_build} -G ${CMAKE_GENERATOR}
  -DCMAKE_CXX_COMPILER=${CLANG} -DCMAKE_BUILD_TYPE=Debug
  -DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}
  -DDEVELOPMENT=ON -DSANITIZE=ON -DCHECKS=OFF)
add_test(NAME clang.build COMMAND ${CMAKE_COMMAND}
  --build ${clang_build} --parallel ${processors})
add_test(NAME clang.tests COMMAND ${CMAKE_CTEST_COMMAND}
  --test-dir ${clang_build} --label-regex "unit|integration"
  --output-on-failure --parallel ${processors})
add_test(NAME lint.tidy COMMAND ${RUN_CLANG_TIDY}
  -clang-tidy-binary ${CLANG_TIDY} -quiet -p ${clang_build} -j ${processors}
  "/(lib|cmd)/[a-z0-9_/]+\\.cpp")

# Foreign text that nobody thought of, for a time (tests/fuzz).
set(FUZZ_SECONDS 60 CACHE STRING "How long each fuzz target runs")
set(fuzz_build ${PROJECT_BINARY_DIR}/fuzz)
add_test(NAME fuzz.configure COMMAND ${CMAKE_COMMAND}
  -S ${PROJECT_SOURCE_DIR} -B ${fuzz_build} -G ${CMAKE_GENERATOR}
  -DCMAKE_CXX_COMPILER=${CLANG} -DCMAKE_BUILD_TYPE=Debug
  -DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}
  -DFUZZ=ON)
add_test(NAME fuzz.build COMMAND ${CMAKE_COMMAND}
  --build ${fuzz_build} --parallel ${processors})
set_tests_properties(fuzz.configure PROPERTIES
  FIXTURES_SETUP fuzz-configured COST 850)
set_tests_properties(fuzz.build PROPERTIES
  FIXTURES_REQUIRED fuzz-configured FIXTURES_SETUP fuzz-built COST 750
  TIMEOUT 1800)
foreach(name IN LISTS fuzz_targets)
  # What it finds goes to the first folder; the corpus is only read.
  add_test(NAME fuzz.${name} COMMAND ${fuzz_build}/tests/fuzz/fuzz-${name}
    -max_total_time=${FUZZ_SECONDS} -timeout=10 -rss_limit_mb=2048
    -print_final_stats=1 -max_len=4096 -artifact_prefix=${fuzz_build}/${name}-
    ${fuzz_build}/found/${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  file(MAKE_DIRECTORY ${fuzz_build}/found/${name})
  set_tests_properties(fuzz.${name} PROPERTIES
    LABELS fuzz FIXTURES_REQUIRED fuzz-built COST 70 TIMEOUT 600)
endforeach()

set_tests_properties(clang.configure PROPERTIES
  FIXTURES_SETUP clang-configured COST 900)
set_tests_properties(clang.build PROPERTIES
  FIXTURES_REQUIRED clang-configured FIXTURES_SETUP clang-built COST 800)
set_tests_properties(clang.tests PROPERTIES
  FIXTURES_REQUIRED clang-built COST 700)
set_tests_properties(lint.tidy PROPERTIES
  FIXTURES_REQUIRED clang-configured COST 600)
set_tests_properties(clang.build clang.tests lint.tidy PROPERTIES TIMEOUT 1800)

file(GLOB_RECURSE sources CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/cmd/*.[ch]pp ${PROJECT_SOURCE_DIR}/lib/*.[ch]pp
  ${PROJECT_SOURCE_DIR}/tests/*.[ch]pp)
add_test(NAME lint.format COMMAND ${CLANG_FORMAT} --dry-run -Werror ${sources})
add_test(NAME lint.shellcheck COMMAND ${here}/lint/scripts
  shell ${PROJECT_SOURCE_DIR} ${SHELLCHECK} --external-sources)
add_test(NAME lint.flake8 COMMAND ${here}/lint/scripts
  python ${PROJECT_SOURCE_DIR} ${FLAKE8})
add_test(NAME lint.mypy COMMAND ${MYPY}
  --cache-dir ${CMAKE_CURRENT_BINARY_DIR}/mypy
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})

# The man page has what the program's own words promise.
add_binary_test(lint.man lint 1 lint.test_man)

# Other versions of these two want other things: they speak for version 14.
execute_process(COMMAND ${CLANG_TIDY} --version OUTPUT_VARIABLE version)
if(NOT version MATCHES "version 14\\.")
  set_tests_properties(lint.tidy lint.format PROPERTIES DISABLED TRUE)
endif()
