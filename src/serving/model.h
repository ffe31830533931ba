// Model: one loaded model, whatever its format. Engine: a format that can load models; each lives in its own folder under
// engines/. A Model is immutable once loaded and is used from several threads at once.
//
//   Result<std::unique_ptr<Model>> m = loader(folder);
//   Result<std::vector<Tensor>> out = (*m)->infer(request.inputs);
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "protocol/tensor.h"
#include "protocol/v2.h"

namespace slipway::serving {

struct ModelMetadata {
  std::string platform;     // "sklearn", as GET /v2/models/{m} shows it
  std::string description;  // "LogisticRegression, 4 features", for people
  std::vector<protocol::TensorSpec> inputs;
  std::vector<protocol::TensorSpec> outputs;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelMetadata& metadata() const = 0;
  // Errors: BadRequest for inputs that do not fit the model (names the tensor, what came and what is expected); Internal
  // when the computation itself fails.
  virtual Result<std::vector<protocol::Tensor>> infer(std::span<const protocol::Tensor> inputs) const = 0;
};

// Loads the model in a folder (or the file itself). Errors: NotFound (no model file there), Invalid (damaged, refused).
using ModelLoader = std::function<Result<std::unique_ptr<Model>>(const std::filesystem::path&)>;

// The one file in folder `path` (or `path` itself) that has one of the extensions. Errors: NotFound tells what is there
// instead; Invalid when several files fit.
Result<std::filesystem::path> findModelFile(const std::filesystem::path& path, std::span<const std::string_view> extensions);

}  // namespace slipway::serving
