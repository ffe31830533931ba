#include "objects/schema/node_table.h"

namespace slipway::schema {
namespace {

static_assert(sizeof(Node) == 24 * sizeof(std::uint32_t) && sizeof(Property) == 4 * sizeof(std::uint32_t));

template <class T>
std::vector<T> take(std::string_view& bytes, std::size_t count) {
  std::vector<T> out(count);
  std::memcpy(out.data(), bytes.data(), count * sizeof(T));
  bytes.remove_prefix(count * sizeof(T));
  return out;
}

}  // namespace

Result<NodeTable> NodeTable::read(std::string_view bytes) {
  std::array<std::uint32_t, 5> head{};  // nodes, properties, lists, texts, bytes of text
  if (bytes.size() < sizeof head) return fail(Code::Internal, "the schema table is cut short");
  std::memcpy(head.data(), bytes.data(), sizeof head);
  bytes.remove_prefix(sizeof head);
  const std::size_t want =
      head[0] * sizeof(Node) + head[1] * sizeof(Property) + (head[2] + head[3] + 1) * sizeof(std::uint32_t) + head[4];
  if (bytes.size() != want) return fail(Code::Internal, "the schema table does not fit this binary");
  NodeTable table;
  table.nodes_ = take<Node>(bytes, head[0]);
  table.properties_ = take<Property>(bytes, head[1]);
  table.lists_ = take<std::uint32_t>(bytes, head[2]);
  table.offsets_ = take<std::uint32_t>(bytes, head[3] + 1);
  table.texts_ = std::string(bytes);
  for (const Property& p : table.properties_) {
    if (p.defaultText == kNone || table.defaults_.contains(p.defaultText)) continue;
    auto value = parseJson(table.text(p.defaultText));
    if (!value) return failIn("default of " + std::string(table.text(p.name)), value.error());
    table.defaults_.emplace(p.defaultText, std::move(*value));
  }
  return table;
}

const Property* NodeTable::property(const Node& node, std::string_view name) const {
  const auto all = properties(node);
  auto it = std::lower_bound(all.begin(), all.end(), name,
                             [this](const Property& p, std::string_view n) { return text(p.name) < n; });
  return it != all.end() && text(it->name) == name ? &*it : nullptr;
}

const Node* NodeTable::member(const Node& node, std::string_view name) const {
  if (const Property* p = property(node, name)) return &nodes_[p->node];
  return node.additional == kNone ? nullptr : &nodes_[node.additional];
}

std::vector<std::string_view> NodeTable::list(std::uint32_t begin, std::uint32_t count) const {
  std::vector<std::string_view> out;
  for (std::uint32_t i = begin; i < begin + count; ++i) out.push_back(text(lists_[i]));
  return out;
}

}  // namespace slipway::schema
