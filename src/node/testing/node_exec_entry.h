// Test programs that run containers are their own shim (`node-exec`) and hold small programs to run in them
// (`test-program`). In one of the test's own files:
//
//   __attribute__((constructor)) void entry(int argc, char** argv) {
//     int code = 0;
//     if (testing::runIfProgram(argc, argv, &code)) _exit(code);
//   }
#pragma once
#include <string>

namespace slipway::node::testing {

struct ProgramMode {
  const char* name;
  int (*run)(int argc, char** argv);
};

bool runIfProgram(int argc, char** argv, int* exitCode);
int addProgramMode(const char* name, int (*run)(int argc, char** argv));  // call from a static initialiser
std::string selfPath();                                                   // this test program, to start it again

}  // namespace slipway::node::testing
