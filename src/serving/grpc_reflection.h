// gRPC server reflection (v1 and v1alpha, whose messages are alike): answers which services there are and what their
// messages look like, from the descriptors that the build compiled in. Immutable; thread-safe.
//
//   const Reflection reflection;
//   Result<std::string> reply = reflection.answer(request);   // ServerReflectionResponse
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::serving {

class Reflection {
 public:
  Reflection();
  // Error BadRequest for what is not a ServerReflectionRequest. An unknown name is an error_response within the reply.
  Result<std::string> answer(std::string_view request) const;
  const std::vector<std::string>& services() const { return services_; }  // full names, sorted

 private:
  void addFile(std::string_view descriptor);
  std::vector<std::string> services_;
  std::map<std::string, std::string_view, std::less<>> files_, symbols_;  // to serialized FileDescriptorProtos
};

}  // namespace slipway::serving
