// Kubeconfig: where an API server is and how to prove who we are, from a kubeconfig file or from inside a pod. Plain values.
//
//   auto config = loadKubeconfig("/etc/slipway/kubeconfig");   if (!config) … "kubeconfig /etc/…: context \"x\" not found"
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::kube {

struct Kubeconfig {
  std::string host;  // of `server`
  std::uint16_t port = 443;
  bool tls = true;
  std::string pathPrefix;  // "/k8s/clusters/c-1" for an API behind a proxy; usually empty
  std::string caPem;       // empty: the system's roots
  bool insecureSkipTlsVerify = false;
  std::string clientCertPem, clientKeyPem;
  std::string token;
  std::string tokenFile;           // read again for each connection attempt after 401: such tokens rotate
  std::string username, password;  // basic authentication
  std::string ns = "default";      // the context's namespace
};

// `baseDir`: what relative file names in the text are relative to. `context`: empty for current-context. Errors name the
// entry and field that is missing or wrong; exec and auth-provider plugins are refused by name.
Result<Kubeconfig> parseKubeconfig(std::string_view text, const std::string& baseDir, const std::string& context = "");
Result<Kubeconfig> loadKubeconfig(const std::string& file, const std::string& context = "");
// The service account of the pod that we run in. `root` is for tests.
Result<Kubeconfig> inClusterConfig(const std::string& root = "/var/run/secrets/kubernetes.io/serviceaccount");

}  // namespace slipway::kube
