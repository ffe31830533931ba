# slipway_shim(TARGET): builds the container shim as a small static program of its own and links its bytes into TARGET. One shim
# runs beside every container: as part of the big binary it would cost 30 ms of loading and 12 MB of memory each time.
function(slipway_shim target)
  set(gen ${CMAKE_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${gen})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/node/shim/*.cc)
  # Without the modules' libraries: those bring in half of the platform.
  add_executable(slipway_shim ${CMAKE_SOURCE_DIR}/src/cmd/main/shim.cc ${sources} ${CMAKE_SOURCE_DIR}/src/data/json.cc
                 ${CMAKE_SOURCE_DIR}/src/base/result.cc)
  set_target_properties(slipway_shim PROPERTIES POSITION_INDEPENDENT_CODE OFF RUNTIME_OUTPUT_DIRECTORY ${gen} OUTPUT_NAME slipway-shim)
  target_include_directories(slipway_shim PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_include_directories(slipway_shim SYSTEM PRIVATE ${SLIPWAY_BOOST_INCLUDE})
  target_compile_definitions(slipway_shim PRIVATE FMT_HEADER_ONLY BOOST_ASIO_NO_DEPRECATED)
  target_compile_options(slipway_shim PRIVATE -include ${CMAKE_SOURCE_DIR}/src/pch.h -fno-pie -Os -g0 -pthread -ffunction-sections
                         -fdata-sections -Wno-unused-parameter -Wno-missing-field-initializers)
  target_link_options(slipway_shim PRIVATE -static -no-pie -s -Wl,--gc-sections)
  file(CONFIGURE OUTPUT ${gen}/shim_bytes.cc CONTENT [=[
asm(R"(
  .section .rodata,"a",@progbits
  .balign 16
  .globl slipwayShimBegin
slipwayShimBegin:
  .incbin "@gen@/slipway-shim"
  .globl slipwayShimEnd
slipwayShimEnd:
  .byte 0
  .text
)");
]=] @ONLY)
  set_source_files_properties(${gen}/shim_bytes.cc PROPERTIES OBJECT_DEPENDS ${gen}/slipway-shim SKIP_LINTING ON)
  target_sources(${target} PRIVATE ${gen}/shim_bytes.cc)
  add_dependencies(${target} slipway_shim)
endfunction()
