# One folder under src/ is one static library, one namespace and one test program.
# The order tells a message's journey; docs/architecture.md says who may use whom.
set(MANSIO_FOLDERS base net mime store auth mailauth guard queue accept deliver smtp imap imapclient pop3 http admin portal jmap acme wellknown
  outside transfer watch reports cli app)

# What ./dev builds: unit test programs under the sanitizers, and beside the release binary what end-to-end tests need.
# Each program is compiled by one preset only, which halves the time from nothing.
add_custom_target(unit_tests)
add_custom_target(fuzz_targets)
add_custom_target(e2e_support)
set(MANSIO_LEAN OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(MANSIO_LEAN ON)  # `all` is the server and e2e_support; `unit_tests` adds the rest
endif()

add_library(mansio_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(mansio_pch PUBLIC mansio_flags)
target_precompile_headers(mansio_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)

# mansio_folder(NAME [USES folder...] [LIBS library...])
# Sources are every .cpp below the folder, main.cpp left out. USES must agree with the table in docs/architecture.md; ./dev lint checks.
function(mansio_folder name)
  cmake_parse_arguments(A "" "" "USES;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  list(TRANSFORM A_USES PREPEND mansio_)
  if(NOT sources)  # headers only
    add_library(mansio_${name} INTERFACE)
    target_link_libraries(mansio_${name} INTERFACE mansio_flags ${A_USES} ${A_LIBS})
    return()
  endif()
  add_library(mansio_${name} STATIC ${sources})
  target_link_libraries(mansio_${name} PUBLIC mansio_flags ${A_USES} ${A_LIBS} Threads::Threads)
  target_precompile_headers(mansio_${name} REUSE_FROM mansio_pch)
endfunction()

# mansio_program(NAME SOURCES file... USES folder... [LIBS library...]): a program users run, left at build/PRESET/NAME.
function(mansio_program name)
  cmake_parse_arguments(A "" "" "SOURCES;USES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  list(TRANSFORM A_USES PREPEND mansio_)
  target_link_libraries(${name} PRIVATE mansio_flags ${A_USES} ${A_LIBS} Threads::Threads)
  target_precompile_headers(${name} REUSE_FROM mansio_pch)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()

# mansio_e2e_program(NAME SOURCES file... [USES folder...] [LIBS library...]): a helper of end-to-end tests or benches, left at build/PRESET/e2e/NAME.
function(mansio_e2e_program name)
  mansio_program(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/e2e)
  add_dependencies(e2e_support ${name})
endfunction()

# mansio_tests(FOLDER [USES target...]): tests/FOLDER/*.cpp (cases in *_test.cpp, helpers beside them) become the program test_FOLDER, one ctest test per case.
# Cases of the suite `catalogue` (docs/catalogue.md) carry that label too: ctest -L catalogue.
function(mansio_tests name)
  cmake_parse_arguments(A "" "" "USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources})
  if(MANSIO_LEAN)
    set_target_properties(test_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  add_dependencies(unit_tests test_${name})
  target_link_libraries(test_${name} PRIVATE mansio_flags mansio_${name} mansio_test_support ${A_USES} GTest::gmock GTest::gtest_main)
  target_precompile_headers(test_${name} REUSE_FROM mansio_pch)
  target_compile_definitions(test_${name} PRIVATE MANSIO_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data" MANSIO_SOURCE="${CMAKE_SOURCE_DIR}")
  if(MANSIO_LEAN)
    return()
  endif()
  # One label each: gtest_discover_tests cannot pass a list on. ctest's -L is a pattern, so `unit` and `catalogue` both find the second.
  gtest_discover_tests(test_${name} TEST_PREFIX "${name}." TEST_FILTER "-catalogue*" DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 120 LABELS unit)
  gtest_discover_tests(test_${name} TEST_PREFIX "${name}." TEST_FILTER "catalogue*" DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 120 LABELS unit-catalogue)
endfunction()

# mansio_e2e_tests(): tests/e2e/NAME_test.py becomes the ctest test e2e_NAME, run with Python and MANSIO_BINARY in its environment.
# Comments at the head of the file: `# timeout: SECONDS` (60), `# labels: catalogue`, `# peers: nsd` (private roots ./dev test makes first).
# They run the release binary only; sanitizer builds register none.
function(mansio_e2e_tests)
  if(MANSIO_SANITIZE)
    return()
  endif()
  file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/e2e/*_test.py)
  foreach(script ${scripts})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
    get_filename_component(name ${script} NAME_WE)
    string(REGEX REPLACE "_test$" "" name ${name})
    set(timeout 60)
    set(labels e2e)
    file(STRINGS ${script} settings LIMIT_COUNT 20 REGEX "^# (timeout|labels):")
    foreach(line ${settings})
      if(line MATCHES "^# timeout: *([0-9]+)")
        set(timeout ${CMAKE_MATCH_1})
      elseif(line MATCHES "^# labels: *([a-z, ]+)")
        string(REGEX REPLACE "[, ]+" ";" more "${CMAKE_MATCH_1}")
        list(APPEND labels ${more})
      endif()
    endforeach()
    add_test(NAME e2e_${name} COMMAND /usr/bin/python3 ${script} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(e2e_${name} PROPERTIES TIMEOUT ${timeout} LABELS "${labels}"
      ENVIRONMENT "MANSIO_BINARY=${CMAKE_BINARY_DIR}/mansio;MANSIO_E2E_PROGRAMS=${CMAKE_BINARY_DIR}/e2e;PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/e2e:${CMAKE_SOURCE_DIR}/tools")
  endforeach()
endfunction()
