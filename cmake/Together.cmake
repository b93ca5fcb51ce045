# POSTHORN_TOGETHER=ON compiles a dozen files of a room as one, which takes a third of the time when everything is
# compiled: the presets release, asan and gcc do. Who edits uses debug, where a changed file takes no neighbours along and
# shows what it lacks by itself; so does scripts/check with files that changed.
#
# scripts/lib/together.py says which files can stand in one: those that don't declare the same name for themselves.
# It is asked when cmake runs: if a file has got a name since then that a neighbour has, too, run cmake again.
option(POSTHORN_TOGETHER "compile the files of a room together" OFF)
if(POSTHORN_TOGETHER)
  add_compile_options(-Wno-shadow)  # of what a neighbour names so
  # g++ takes a file that is included for a header, in which nothing of its own should show.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

# posthorn_together(TARGET SOURCE...)
function(posthorn_together target)
  if(NOT POSTHORN_TOGETHER OR NOT ARGN)
    return()
  endif()
  execute_process(COMMAND python3 ${CMAKE_SOURCE_DIR}/scripts/lib/together.py ${ARGN}
                  OUTPUT_VARIABLE groups OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE ";" "," groups "${groups}")
  string(REPLACE "\n" ";" groups "${groups}")
  set(number 0)
  foreach(group ${groups})
    math(EXPR number "${number} + 1")
    string(REPLACE "," ";" sources "${group}")
    set_source_files_properties(${sources} PROPERTIES UNITY_GROUP ${number})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
