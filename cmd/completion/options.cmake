# Writes the completions of bash and zsh, with all options that --help names:
#   cmake -DPROGRAM=FILE -DOUTPUT=DIR -P options.cmake
execute_process(COMMAND ${PROGRAM} --help OUTPUT_VARIABLE help
  COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE ";" "," help "${help}")  # it would end an element of a list
string(REGEX REPLACE " *\n     +" " " help "${help}")  # join broken lines
# Leave no bracket, which begins an element: "-v [ --verbose ]", "--n [=arg]".
string(REGEX REPLACE "\n  (-[a-z]) \\[ (--[a-z-]+) \\]" "\n  \\2/\\1"
       help "${help}")
string(REGEX REPLACE " \\[=[^]\n]*\\]" "" help "${help}")
string(REPLACE "[" "(" help "${help}")
string(REPLACE "]" ")" help "${help}")
string(REGEX MATCHALL "\n  --[^\n]+" lines "${help}")
foreach(line IN LISTS lines)
  # --name[/-n] [VALUE] text
  string(REGEX MATCH
    "^\n  (--[a-z-]+)(/-[a-z])?( [A-Z]+| [a-z-]+[|][a-z|-]+)? +([^ ].*)$"
    match "${line}")
  if(NOT match)
    message(FATAL_ERROR "--help has an option that is not understood:${line}")
  endif()
  string(STRIP "${CMAKE_MATCH_3}" value)
  string(APPEND names "${CMAKE_MATCH_1} ${value}\n")
  string(APPEND texts
    "${CMAKE_MATCH_1}${CMAKE_MATCH_2}:${value}:${CMAKE_MATCH_4}\n")
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/bash.in
               ${OUTPUT}/deployment-update.bash @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/zsh.in
               ${OUTPUT}/_deployment-update @ONLY)
