# Links the descriptors of api/proto (protoc's FileDescriptorSet) into a target, for gRPC's server reflection.
find_program(SLIPWAY_PROTOC protoc)
if(NOT SLIPWAY_PROTOC)
  message(FATAL_ERROR "protoc not found (Debian package protobuf-compiler). Run: make setup")
endif()
function(slipway_descriptors target)
  set(gen ${CMAKE_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${gen})
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/api/proto ${CMAKE_SOURCE_DIR}/api/proto/*.proto)
  list(TRANSFORM files PREPEND ${CMAKE_SOURCE_DIR}/api/proto/ OUTPUT_VARIABLE paths)
  add_custom_command(OUTPUT ${gen}/descriptors.pb
    COMMAND ${SLIPWAY_PROTOC} -I ${CMAKE_SOURCE_DIR}/api/proto --include_imports
            --descriptor_set_out=${gen}/descriptors.pb ${files}
    DEPENDS ${paths} VERBATIM COMMENT "Compiling api/proto")
  file(CONFIGURE OUTPUT ${gen}/descriptors.cc CONTENT [=[
asm(R"(
  .section .rodata,"a",@progbits
  .globl slipwayDescriptorsBegin
slipwayDescriptorsBegin:
  .incbin "@gen@/descriptors.pb"
  .globl slipwayDescriptorsEnd
slipwayDescriptorsEnd:
  .byte 0
  .text
)");
]=] @ONLY)
  set_source_files_properties(${gen}/descriptors.cc PROPERTIES OBJECT_DEPENDS ${gen}/descriptors.pb SKIP_LINTING ON)
  target_sources(${target} PRIVATE ${gen}/descriptors.cc)
endfunction()
