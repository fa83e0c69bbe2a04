# One folder under src/ is one static library, one namespace and one test program.

add_library(mansio_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(mansio_pch PUBLIC mansio_flags)
target_precompile_headers(mansio_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)

# mansio_folder(NAME [USES folder...] [LIBS library...])
# Sources are every .cpp below the folder. USES must agree with the table in docs/architecture.md; ./dev lint checks.
function(mansio_folder name)
  cmake_parse_arguments(A "" "" "USES;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(mansio_${name} STATIC ${sources})
  list(TRANSFORM A_USES PREPEND mansio_)
  target_link_libraries(mansio_${name} PUBLIC mansio_flags ${A_USES} ${A_LIBS} Threads::Threads)
  target_precompile_headers(mansio_${name} REUSE_FROM mansio_pch)
endfunction()

# mansio_tests(FOLDER [USES target...]): tests/FOLDER/*.cpp become the program test_FOLDER.
function(mansio_tests name)
  cmake_parse_arguments(A "" "" "USES;LABELS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE mansio_flags mansio_${name} mansio_test_support ${A_USES} GTest::gmock GTest::gtest_main)
  target_precompile_headers(test_${name} REUSE_FROM mansio_pch)
  target_compile_definitions(test_${name} PRIVATE MANSIO_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data" MANSIO_SOURCE="${CMAKE_SOURCE_DIR}")
  gtest_discover_tests(test_${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 120 LABELS "unit;${A_LABELS}")
endfunction()
