#include "serving/engines/trees/table.h"

#include <algorithm>

namespace slipway::trees {
namespace {
using protocol::DataType;
using protocol::Tensor;

Result<Table> readColumns(std::span<const Tensor> inputs, const Columns& columns) {
  if (columns.names.empty() || inputs.size() != columns.features)
    return fail(Code::BadRequest,
                fmt::format("{} inputs came; {} takes one table of {} features{}", inputs.size(), columns.model,
                            columns.features, columns.names.empty() ? "" : ", or one input per feature by name"));
  Table table;
  for (std::size_t f = 0; f < columns.features; ++f) {
    const auto input =
        std::find_if(inputs.begin(), inputs.end(), [&](const Tensor& t) { return t.name == columns.names[f]; });
    if (input == inputs.end())
      return fail(Code::BadRequest,
                  fmt::format("no input named '{}': inputs per column carry the names of the features", columns.names[f]));
    const auto& shape = input->shape;
    const bool fits = shape.size() == 1 || (shape.size() == 2 && shape[1] == 1);
    if (!fits || (f > 0 && static_cast<std::size_t>(shape[0]) != table.rows))
      return fail(Code::BadRequest,
                  fmt::format("input '{}' has shape {}, expected [rows] or [rows, 1], the same rows in every column",
                              input->name, protocol::describeShape(shape)));
    SLIP_TRY(const auto values, protocol::toDoubles(*input));
    if (f == 0) {
      table.rows = static_cast<std::size_t>(shape[0]);
      if (table.rows == 0)
        return fail(Code::BadRequest, fmt::format("input '{}' has no rows: at least one is needed", input->name));
      table.owned.resize(table.rows * columns.features);
    }
    for (std::size_t i = 0; i < table.rows; ++i) table.owned[i * columns.features + f] = values[i];
  }
  table.values = table.owned;
  return table;
}

}  // namespace

Result<std::size_t> tableRows(const Tensor& input, const Columns& columns) {
  if (input.shape.size() != 2)
    return fail(Code::BadRequest, fmt::format("input '{}' has shape {}, expected two dimensions: [rows, {}]", input.name,
                                              protocol::describeShape(input.shape), columns.features));
  if (input.shape[0] == 0)
    return fail(Code::BadRequest, fmt::format("input '{}' has no rows: at least one is needed", input.name));
  if (static_cast<std::size_t>(input.shape[1]) != columns.features)
    return fail(Code::BadRequest,
                fmt::format("input '{}' has shape {}: {} features came, {} expects {}", input.name,
                            protocol::describeShape(input.shape), input.shape[1], columns.model, columns.features));
  return static_cast<std::size_t>(input.shape[0]);
}

Result<Table> readTable(std::span<const Tensor> inputs, const Columns& columns) {
  if (inputs.size() != 1 || (columns.features == 1 && inputs[0].shape.size() == 1)) return readColumns(inputs, columns);
  Table table;
  SLIP_TRY(table.rows, tableRows(inputs[0], columns));
  if (inputs[0].type == DataType::Fp64) {
    table.values = inputs[0].values<double>();
    return table;
  }
  SLIP_TRY(table.owned, protocol::toDoubles(inputs[0]));
  table.values = table.owned;
  return table;
}

}  // namespace slipway::trees
