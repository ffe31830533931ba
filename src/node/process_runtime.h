// ProcessRuntime: runs containers as processes of this machine, each under its own shim (shim/container_shim.h). Shims
// outlive this object and this process: adopt() finds them again. Used from the executor it was made with.
#pragma once
#include <memory>

#include "base/scope.h"
#include "node/runtime.h"

namespace slipway::node {

class ProcessRuntime final : public Runtime {
 public:
  // shimCommand: how to start the shim, normally {"/proc/self/exe", "node-exec"}.
  ProcessRuntime(Executor executor, std::vector<std::string> shimCommand = {"/proc/self/exe", "node-exec"});
  ~ProcessRuntime() override;  // containers go on running
  Task<Result<Started>> start(Launch launch) override;
  Result<Started> adopt(const std::string& id, const std::string& folder) override;
  Task<ContainerExit> wait(std::string id) override;
  void terminate(const std::string& id) override;
  void kill(const std::string& id) override;
  Task<Result<ExecResult>> exec(std::string id, std::vector<std::string> argv, Duration timeout) override;

 private:
  struct Child;
  Result<std::shared_ptr<Child>> openChild(const std::string& id, const std::string& folder, int pid);
  Executor executor_;
  std::vector<std::string> shimCommand_;
  std::map<std::string, std::shared_ptr<Child>> children_;  // by container id, until their end was waited for
};

}  // namespace slipway::node
