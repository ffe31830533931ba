// Lets the test program be its own shim and its own workload: it starts itself with `node-exec …` or `test-program NAME …`
// before any test runs.
#include "node/testing/node_exec_entry.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "node/shim/container_shim.h"

namespace slipway::node::testing {
namespace {

// Touches `megabytes` of memory, one at a time, then sleeps: over its limit it must be killed.
[[noreturn]] void hog(int megabytes) {
  for (int i = 0; i < megabytes; ++i) {
    void* block = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block != MAP_FAILED) std::memset(block, 1, 1 << 20);
    ::usleep(1000);
  }
  ::sleep(60);
  ::_exit(0);
}

// Listens on SLIPWAY_POD_IP:port; -1 when that cannot be had.
int listenOn(int port) {
  const char* ip = std::getenv("SLIPWAY_POD_IP");
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, ip != nullptr ? ip : "127.0.0.1", &address.sin_addr);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  return ::listen(listener, 16) == 0 ? listener : -1;
}

// Answers HTTP on SLIPWAY_POD_IP:port: 200 when `file` exists, 503 before.
int serveHttp(int port, const char* file) {
  const int listener = listenOn(port);
  for (;;) {
    const int connection = ::accept(listener, nullptr, nullptr);
    if (connection < 0) return 1;
    char buffer[4096];
    (void)!::read(connection, buffer, sizeof buffer);
    const std::string reply = ::access(file, F_OK) == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                                                        : "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    (void)!::send(connection, reply.data(), reply.size(), MSG_NOSIGNAL);
    ::close(connection);
  }
}

// Answers every HTTP/2 connection on SLIPWAY_POD_IP:port as a gRPC health service: SERVING when `file` exists.
int serveGrpc(int port, const char* file) {
  const int listener = listenOn(port);
  for (;;) {
    const int connection = ::accept(listener, nullptr, nullptr);
    if (connection < 0) return 1;
    char buffer[4096];
    (void)!::read(connection, buffer, sizeof buffer);
    // SETTINGS, `:status 200`, a message with the status, trailers.
    std::string reply("\0\0\0\4\0\0\0\0\0\0\0\1\1\4\0\0\0\1\x88\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\2\0\0\1\1\5\0\0\0\1\x88",
                      45);
    if (::access(file, F_OK) == 0) reply[34] = 1;
    (void)!::send(connection, reply.data(), reply.size(), MSG_NOSIGNAL);
    (void)!::read(connection, buffer, sizeof buffer);
    ::close(connection);
  }
}

ProgramMode programs[8];
int programCount = 0;

}  // namespace

int addProgramMode(const char* name, int (*run)(int, char**)) {
  programs[programCount++] = {name, run};
  return programCount;
}

bool runIfProgram(int argc, char** argv, int* exitCode) {
  if (argc < 2) return false;
  if (std::strcmp(argv[1], "node-exec") == 0) {
    *exitCode = shimMain(argc - 2, argv + 2);
    return true;
  }
  if (argc >= 3 && std::strcmp(argv[1], "test-program") == 0) {
    if (std::strcmp(argv[2], "hog") == 0 && argc > 3) hog(std::atoi(argv[3]));
    if (std::strcmp(argv[2], "http") == 0 && argc > 4) {
      *exitCode = serveHttp(std::atoi(argv[3]), argv[4]);
      return true;
    }
    if (std::strcmp(argv[2], "grpc") == 0 && argc > 4) {
      *exitCode = serveGrpc(std::atoi(argv[3]), argv[4]);
      return true;
    }
    for (int i = 0; i < programCount; ++i) {
      if (std::strcmp(argv[2], programs[i].name) != 0) continue;
      *exitCode = programs[i].run(argc - 3, argv + 3);
      return true;
    }
  }
  return false;
}

std::string selfPath() {
  char buffer[4096];
  const ssize_t n = ::readlink("/proc/self/exe", buffer, sizeof buffer);
  return std::string(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
}

}  // namespace slipway::node::testing
