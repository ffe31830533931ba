// ModelRepository: the models of one server by name, loaded and unloaded while it runs. Thread-safe: a request holds its
// model by shared_ptr, so an unload never pulls a model from under it.
//
//   ModelRepository models(loader, "/mnt/models", "iris");
//   models.load("iris");  std::shared_ptr<const Model> m = models.find("iris");
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serving/model.h"

namespace slipway::serving {

class ModelRepository {
 public:
  // `folder` holds the model `mainName` itself; other models are loaded from its subfolders of their names.
  ModelRepository(ModelLoader loader, std::filesystem::path folder, std::string mainName, std::size_t maxModels = 1000);

  // Blocks while it reads the file. A loaded model of that name serves on until the new one is ready, and stays if that
  // fails. Errors: those of the loader; Invalid for a name that is not a plain folder name; TooMany past maxModels.
  Status load(const std::string& name);
  bool unload(const std::string& name);                            // false when it is not loaded
  std::shared_ptr<const Model> find(std::string_view name) const;  // null when not loaded
  struct Entry {
    std::string name;
    bool ready = false;
    std::string reason;  // why it is not ready
  };
  std::vector<Entry> list() const;  // loaded ones, and those whose load failed, by name

 private:
  struct Slot {
    std::shared_ptr<const Model> model;
    std::string failure;
  };
  ModelLoader loader_;
  std::filesystem::path folder_;
  std::string mainName_;
  std::size_t maxModels_;
  mutable std::mutex mutex_;
  std::map<std::string, Slot, std::less<>> slots_;
};

}  // namespace slipway::serving
