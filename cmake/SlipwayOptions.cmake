# Compile and link settings shared by every target: target slipway_options.
add_library(slipway_options INTERFACE)
target_compile_options(slipway_options INTERFACE
  -fPIE -pthread -Wall -Wextra -Wpedantic -Wno-unused-parameter -Wno-missing-field-initializers
  -Wno-deprecated-declarations  # libstdc++ 12's own stable_sort
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -fdebug-compilation-dir=.)
target_compile_definitions(slipway_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_BEAST_USE_STD_STRING_VIEW FMT_SHARED)
# Debug builds carry line tables only: they are for stack traces, and full debug information doubles compile time.
string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
# NDEBUG: the libraries' own assertions (a tenth of the cost of a Table) are for the debug presets.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

if(SLIPWAY_SANITIZE)
  target_compile_options(slipway_options INTERFACE -fsanitize=${SLIPWAY_SANITIZE} -fno-omit-frame-pointer -O1)
  target_link_options(slipway_options INTERFACE -fsanitize=${SLIPWAY_SANITIZE})
  target_compile_definitions(slipway_options INTERFACE SLIPWAY_SANITIZED)
  if(SLIPWAY_SANITIZE MATCHES "undefined")
    target_compile_options(slipway_options INTERFACE -fno-sanitize=vptr -fno-sanitize-recover=undefined)
  endif()
endif()
if(SLIPWAY_FUZZ)
  target_compile_options(slipway_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
find_program(SLIPWAY_MOLD mold)
if(SLIPWAY_MOLD)
  target_link_options(slipway_options INTERFACE -fuse-ld=mold)
endif()
target_link_options(slipway_options INTERFACE -pie -pthread -Wl,--gc-sections)

# One precompiled header for all modules, found by a path relative to the build folder so that ccache hits across clones.
# ccache knows it by the .sum file beside it (CCACHE_PCH_EXTSUM): text of the header, compiler and flags.
function(slipway_setup_pch)
  set(pch ${CMAKE_BINARY_DIR}/slipway.pch)
  get_target_property(opts slipway_options INTERFACE_COMPILE_OPTIONS)
  get_target_property(defs slipway_options INTERFACE_COMPILE_DEFINITIONS)
  list(TRANSFORM defs PREPEND -D)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}")
  set(args -std=c++20 ${flags} ${opts} ${defs} -isystem ${SLIPWAY_BOOST_INCLUDE})
  file(SHA256 ${CMAKE_SOURCE_DIR}/src/pch.h text)
  string(REPLACE "${CMAKE_SOURCE_DIR}" "" stable "${args}")
  string(SHA256 sum "${text} ${CMAKE_CXX_COMPILER_VERSION} ${stable}")
  file(WRITE ${CMAKE_BINARY_DIR}/slipway.pch.sum.new "${sum}")
  configure_file(${CMAKE_BINARY_DIR}/slipway.pch.sum.new ${pch}.sum COPYONLY)
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/pch.h)
  add_custom_command(OUTPUT ${pch}
    COMMAND ${CMAKE_CXX_COMPILER} ${args} -Xclang -fno-pch-timestamp -x c++-header ${CMAKE_SOURCE_DIR}/src/pch.h -o ${pch}
    DEPENDS ${CMAKE_SOURCE_DIR}/src/pch.h ${pch}.sum VERBATIM COMMENT "Precompiling src/pch.h")
  add_custom_target(slipway_pch DEPENDS ${pch})
endfunction()
