// The flags that `slipway up` and `slipway apiserver` share: who may come in, what is kept of it, and the API's bounds.
#pragma once
#include "apiserver/server.h"
#include "cmd/data_dir.h"

namespace CLI {
class App;
}

namespace slipway::cmd {

struct ApiFlags {
  std::string tokenFile, auditLog, encryptionKeys, accountKey, auditPolicy;
  std::size_t auditMegabytes = 100;
  unsigned auditBackups = 3;
  std::size_t requestBytes = 3 << 20;
  std::size_t inflight = 400, inflightPerUser = 200, watches = 10000, watchesPerUser = 2000;
  std::size_t objectBytes = 1536 << 10, quotaMegabytes = 2048;
};

void addApiFlags(CLI::App& app, ApiFlags& flags);
// Into the options, with the secrets of the data folder: the administrator's token, which comes first, and the keys of
// ServiceAccount tokens. Errors name the flag.
Status applyApiFlags(const ApiFlags& flags, const DataDir& dir, apiserver::ApiServerOptions& options);

// Raises the process's bound of open files to what `options` need, as far as the system lets it; where that is too little,
// fewer watches are allowed and a line in the log says so. Returns how many connections the API may have.
std::size_t fitOpenFiles(apiserver::HttpOptions& options);
// The watches that fit into so many open files.
std::size_t watchesWithin(std::size_t openFiles, std::size_t wanted);

}  // namespace slipway::cmd
