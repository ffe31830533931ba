#include <string_view>

#include "cmd/commands.h"
#include "node/shim/container_shim.h"

namespace slipway::cmd {

bool runNodeExec(int argc, char** argv, int* exitCode) {
  if (argc < 2 || std::string_view(argv[1]) != "node-exec") return false;
  *exitCode = node::shimMain(argc - 2, argv + 2);
  return true;
}

}  // namespace slipway::cmd
