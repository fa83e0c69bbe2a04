# Flags every target is compiled with, through the interface target mansio_flags.
add_library(mansio_flags INTERFACE)
target_compile_options(mansio_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  -Werror -Werror=format-security
  -fno-omit-frame-pointer
  "SHELL:-Xclang -fno-pch-timestamp")  # lets ccache reuse precompiled headers
target_include_directories(mansio_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
find_program(MANSIO_LLD ld.lld-19 REQUIRED)
target_link_options(mansio_flags INTERFACE --ld-path=${MANSIO_LLD})
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # Hardening: the OpenSSF compiler options guide (docs/architecture.md, "Toolchain").
  target_compile_options(mansio_flags INTERFACE
    -O2 -g1 -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS
    -fstack-protector-strong -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero)
  target_link_options(mansio_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
  # The same -fPIE for libraries and programs: CMake's own property would give -fPIC to the ones and -fPIE to the others, and
  # they could not share a precompiled header.
  target_compile_options(mansio_flags INTERFACE -fPIE)
  set(CMAKE_CXX_FLAGS_RELEASE "-DNDEBUG")  # not CMake's -O3
else()
  target_compile_options(mansio_flags INTERFACE -D_GLIBCXX_ASSERTIONS -g1)
endif()
if(MANSIO_SANITIZE)
  target_compile_options(mansio_flags INTERFACE -O1 -fsanitize=${MANSIO_SANITIZE} -fno-sanitize-recover=all)
  if(MANSIO_SANITIZE MATCHES undefined)
    # Its check asks the kernel for descriptors to look at memory, and calls every object invalid in a test that has used them up.
    target_compile_options(mansio_flags INTERFACE -fno-sanitize=vptr)
  endif()
  target_link_options(mansio_flags INTERFACE -fsanitize=${MANSIO_SANITIZE})
endif()
