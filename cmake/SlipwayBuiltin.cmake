# Links the objects of api/config and api/runtimes (YAML, one document stream) into a target: controllers/serving/builtin.h.
function(slipway_builtin_objects target)
  set(gen ${CMAKE_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${gen})
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/api/config/*.yaml ${CMAKE_SOURCE_DIR}/api/runtimes/*.yaml)
  add_custom_command(OUTPUT ${gen}/builtin_objects.yaml
    COMMAND ${CMAKE_COMMAND} -E cat ${files} > ${gen}/builtin_objects.yaml
    DEPENDS ${files} VERBATIM COMMENT "Collecting built-in objects")
  file(CONFIGURE OUTPUT ${gen}/builtin_objects.cc CONTENT [=[
asm(R"(
  .section .rodata,"a",@progbits
  .globl slipwayBuiltinBegin
slipwayBuiltinBegin:
  .incbin "@gen@/builtin_objects.yaml"
  .globl slipwayBuiltinEnd
slipwayBuiltinEnd:
  .byte 0
  .text
)");
]=] @ONLY)
  set_source_files_properties(${gen}/builtin_objects.cc PROPERTIES OBJECT_DEPENDS ${gen}/builtin_objects.yaml SKIP_LINTING ON)
  target_sources(${target} PRIVATE ${gen}/builtin_objects.cc)
endfunction()
