# Adds what those who change the program want to know besides (scripts/test).
find_program(CLANG NAMES clang++ REQUIRED)
find_program(CLANG_FORMAT NAMES clang-format-14 clang-format REQUIRED)
find_program(CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
find_program(RUN_CLANG_TIDY NAMES run-clang-tidy-14 run-clang-tidy REQUIRED)
find_program(FLAKE8 NAMES flake8 REQUIRED)
find_program(MYPY NAMES mypy REQUIRED)
find_program(SHELLCHECK NAMES shellcheck REQUIRED)
find_program(MANDOC NAMES mandoc REQUIRED)
find_program(LINTIAN NAMES lintian REQUIRED)

# The same tests, built by clang with AddressSanitizer and UBSan; a few large
# sources (CMAKE_UNITY_BUILD) take a third of the time of many small ones.
set(clang_build ${PROJECT_BINARY_DIR}/clang)
add_test(NAME clang.configure COMMAND ${CMAKE_COMMAND}
  -S ${PROJECT_SOURCE_DIR} -B ${clang_build} -G ${CMAKE_GENERATOR}
  -DCMAKE_CXX_COMPILER=${CLANG} -DCMAKE_BUILD_TYPE=Debug
  -DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}
  -DDEVELOPMENT=ON -DSANITIZE=ON -DCHECKS=OFF -DCMAKE_UNITY_BUILD=ON)
add_test(NAME clang.build COMMAND ${CMAKE_COMMAND}
  --build ${clang_build} --parallel ${processors})
add_test(NAME clang.tests COMMAND ${CMAKE_CTEST_COMMAND}
  --test-dir ${clang_build} --label-regex "unit|releases"
  --output-on-failure --parallel ${slots})
# Other versions of clang-tidy and clang-format ask for other things.
function(add_clang_14_test name tool)
  execute_process(COMMAND ${tool} --version OUTPUT_VARIABLE version)
  if(version MATCHES "version 14\\.")
    add_test(NAME ${name} COMMAND ${ARGN})
  else()
    add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo
      "${name}: skipped: it needs version 14 of ${tool}")
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "skipped: ")
  endif()
endfunction()

# It reads the few large sources of the build by clang, in a third of the time.
# They include sources, and aliases that one of these does not need are seen by
# lint.shape.
file(READ ${PROJECT_SOURCE_DIR}/.clang-tidy checks)
add_clang_14_test(lint.tidy ${CLANG_TIDY} ${RUN_CLANG_TIDY} -config=${checks}
  -checks=-bugprone-suspicious-include
  -clang-tidy-binary ${CLANG_TIDY} -quiet -p ${clang_build} -j ${processors}
  "^${clang_build}/(lib|cmd)/.*\\.cxx")

# On Debian 13 too: its compilers, its libraries, its systemd. On Debian 13
# itself all other tests do this already.
file(STRINGS /etc/os-release own_release REGEX "^VERSION_CODENAME=")
if(own_release STREQUAL "VERSION_CODENAME=trixie")
  message(STATUS "trixie.* are left out: this is Debian 13")
else()
  set(trixie_build ${PROJECT_BINARY_DIR}/trixie)
  set(in_trixie ${here}/host/run-in-root trixie ${trixie_build})
  add_test(NAME trixie.root COMMAND ${in_trixie} true)
  # A Release build, since test hosts run it, and since g++ has warnings that
  # only its optimizer can give. It compiles each source by itself, as no other
  # build here does. (clang and the unit tests there: .github/workflows/ci.yml.)
  add_test(NAME trixie.build COMMAND ${in_trixie} sh -ec
    "cmake -S /mnt/source -B /mnt/build/g++ -DDEVELOPMENT=ON \\
       -DCMAKE_BUILD_TYPE=Release
     cmake --build /mnt/build/g++ --target deployment-update \\
       --parallel ${processors}")
  add_test(NAME trixie.tests COMMAND ${in_trixie}
    ctest --test-dir /mnt/build/g++ --label-regex releases
    --output-on-failure --parallel ${slots})
  # What another systemd, npm, pip or python3 may change.
  add_binary_test(trixie.host trixie 640 host Changes.test_code
                  Changes.test_package_json Changes.test_requirements_txt
                  Serving.test_exception_at_import
                  Packaged.test_installed_it_waits_until_it_is_enabled
                  Packaged.test_an_upgrade_lets_a_deployment_run_to_its_end
                  Packaged.test_removed_it_leaves_what_is_deployed
                  Packaged.test_purged_it_leaves_the_application_alone)
  set_property(TEST trixie.host APPEND PROPERTY ENVIRONMENT
    HOST_RELEASE=trixie HOST_PROGRAM=${trixie_build}/g++/deployment-update)

  set_tests_properties(trixie.root PROPERTIES
    FIXTURES_SETUP trixie-root COST 950)
  set_tests_properties(trixie.build PROPERTIES
    FIXTURES_REQUIRED trixie-root FIXTURES_SETUP trixie-built COST 810)
  set_tests_properties(trixie.tests PROPERTIES
    FIXTURES_REQUIRED trixie-built COST 690)
  set_tests_properties(trixie.host PROPERTIES
    FIXTURES_REQUIRED trixie-built)
  set_tests_properties(trixie.root trixie.build trixie.tests trixie.host PROPERTIES
    LABELS trixie TIMEOUT 1800 SKIP_RETURN_CODE 77)
endif()

# Foreign text that nobody thought of, for a time (tests/fuzz).
set(FUZZ_SECONDS 10 CACHE STRING "How long each fuzz target runs")
set(found ${PROJECT_BINARY_DIR}/fuzz)
foreach(name IN LISTS fuzz_targets)
  # Writes what it finds to the first folder, and only reads the corpus.
  add_test(NAME fuzz.${name} COMMAND ${clang_build}/tests/fuzz/fuzz-${name}
    -max_total_time=${FUZZ_SECONDS} -timeout=10 -rss_limit_mb=2048
    -print_final_stats=1 -max_len=4096 -artifact_prefix=${found}/${name}-
    ${found}/${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  file(MAKE_DIRECTORY ${found}/${name})
  set_tests_properties(fuzz.${name} PROPERTIES
    LABELS fuzz FIXTURES_REQUIRED clang-built COST 70 TIMEOUT 600)
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
add_clang_14_test(lint.format ${CLANG_FORMAT}
  ${CLANG_FORMAT} --dry-run -Werror ${sources})
add_test(NAME lint.shellcheck COMMAND ${here}/lint/scripts
  shell ${PROJECT_SOURCE_DIR} ${SHELLCHECK} --external-sources)
add_test(NAME lint.flake8 COMMAND ${here}/lint/scripts
  python ${PROJECT_SOURCE_DIR} ${FLAKE8})
add_test(NAME lint.mypy COMMAND ${MYPY}
  --cache-dir ${CMAKE_CURRENT_BINARY_DIR}/mypy
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})

# The man pages have what the program's own words promise.
add_binary_test(lint.man lint 1 lint.test_man)

# lintian, on the package.
add_binary_test(lint.package lint 30 support -v lint.test_package)
