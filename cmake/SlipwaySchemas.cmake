# Builds gen/schemas.blob from Kubernetes' definitions and api/, and links it into slipway_objects. See tools/schemagen.py.
set(SLIPWAY_DEFINITIONS
  ${SLIPWAY_DEPS_DIR}/kubernetes-validate/kubernetes_validate/kubernetes-json-schema/v1.34.0-local/_definitions.json)
if(NOT EXISTS ${SLIPWAY_DEFINITIONS})
  message(FATAL_ERROR "Kubernetes' schemas not found: ${SLIPWAY_DEFINITIONS}. Run: deps/fetch.sh kubernetes-validate")
endif()
find_package(Python3 COMPONENTS Interpreter REQUIRED)
function(slipway_schemas target)
  set(gen ${CMAKE_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${gen})
  file(GLOB_RECURSE api CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/api/*.yaml)
  add_custom_command(OUTPUT ${gen}/schemas.blob
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/schemagen.py --definitions ${SLIPWAY_DEFINITIONS}
            --api ${CMAKE_SOURCE_DIR}/api --out ${gen}/schemas.blob
    DEPENDS ${CMAKE_SOURCE_DIR}/tools/schemagen.py ${SLIPWAY_DEFINITIONS} ${api} VERBATIM COMMENT "Compiling schemas")
  # The assembler reads the file in: a string literal of this size would cost the compiler seconds.
  file(CONFIGURE OUTPUT ${gen}/schemas_blob.cc CONTENT [=[
asm(R"(
  .section .rodata,"a",@progbits
  .balign 16
  .globl slipwaySchemasBegin
slipwaySchemasBegin:
  .incbin "@gen@/schemas.blob"
  .globl slipwaySchemasEnd
slipwaySchemasEnd:
  .byte 0
  .text
)");
]=] @ONLY)
  set_source_files_properties(${gen}/schemas_blob.cc PROPERTIES OBJECT_DEPENDS ${gen}/schemas.blob SKIP_LINTING ON)
  target_sources(${target} PRIVATE ${gen}/schemas_blob.cc)
endfunction()
