#include "serving/pickle/unpickler.h"

#include "serving/pickle/machine.h"

namespace slipway::pickle {

Result<std::unique_ptr<const Document>> read(std::string bytes, const ClassList& classes, const Limits& limits) {
  if (bytes.empty()) return fail(Code::Invalid, "the file is empty");
  auto document = std::make_unique<Document>(std::move(bytes));
  Budget budget;
  Machine machine(*document, classes, limits, budget, 0);
  Value* root = machine.run();
  if (machine.error()) {
    const bool marked = document->bytes().front() == '\x80';  // every protocol since 2 starts so
    if (!marked && machine.error()->code == Code::Invalid) return failIn("not a pickle or joblib file", *machine.error());
    return fail(*machine.error());
  }
  document->setRoot(root);
  return std::unique_ptr<const Document>(std::move(document));
}

}  // namespace slipway::pickle
