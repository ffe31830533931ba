// The container shim as a program of its own: small and static, since one runs beside every container.
#include "node/shim/container_shim.h"

int main(int argc, char** argv) { return slipway::node::shimMain(argc - 1, argv + 1); }
