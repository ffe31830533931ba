#include "serving/repository.h"

namespace slipway::serving {

ModelRepository::ModelRepository(ModelLoader loader, std::filesystem::path folder, std::string mainName,
                                 std::size_t maxModels)
    : loader_(std::move(loader)), folder_(std::move(folder)), mainName_(std::move(mainName)), maxModels_(maxModels) {}

Status ModelRepository::load(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
      name.find('\0') != std::string::npos)
    return fail(Code::Invalid, fmt::format("model name '{}' is not a plain folder name", name));
  {
    const std::lock_guard lock(mutex_);
    if (slots_.size() >= maxModels_ && slots_.find(name) == slots_.end())
      return fail(Code::TooMany, fmt::format("{} models are loaded already: unload one first", maxModels_));
  }
  auto loaded = loader_(name == mainName_ ? folder_ : folder_ / name);
  const std::lock_guard lock(mutex_);
  if (!loaded) {
    // A name without files is no model; one whose files are bad is listed with the reason.
    const bool known = loaded.error().code != Code::NotFound || slots_.contains(name);
    if (known) slots_[name].failure = loaded.error().message;
    return fail(std::move(loaded).error());
  }
  slots_[name] = Slot{std::move(*loaded), {}};
  return {};
}

bool ModelRepository::unload(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return slots_.erase(name) > 0;
}

std::shared_ptr<const Model> ModelRepository::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto slot = slots_.find(name);
  return slot == slots_.end() ? nullptr : slot->second.model;
}

std::vector<ModelRepository::Entry> ModelRepository::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> out;
  for (const auto& [name, slot] : slots_) out.push_back({name, slot.model != nullptr, slot.failure});
  return out;
}

}  // namespace slipway::serving
