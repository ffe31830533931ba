// The table that a request brings, for models over numeric columns: one input [rows, features], or (as KServe's "pd" content
// type has it) one input per column, named after the feature, of shape [rows] or [rows, 1].
//
//   SLIP_TRY(const Table table, readTable(inputs, {.model = "LightGBM model", .features = 4, .names = names}));
//   table.values   // rows * features doubles, row by row; NaN where null came
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "protocol/tensor.h"

namespace slipway::trees {

struct Columns {
  std::string_view model;  // for messages: "the xgboost model"
  std::size_t features = 0;
  const std::vector<std::string>& names;  // empty: inputs per column are not possible
};

struct Table {
  std::span<const double> values;  // may lie in the request's tensor
  std::size_t rows = 0;
  std::vector<double> owned;
};

// Errors BadRequest: names the tensor, what came and what is expected.
Result<Table> readTable(std::span<const protocol::Tensor> inputs, const Columns& columns);
// Checks shape only: the number of rows of a table of any type. BadRequest as above.
Result<std::size_t> tableRows(const protocol::Tensor& input, const Columns& columns);

}  // namespace slipway::trees
