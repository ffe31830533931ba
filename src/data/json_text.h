// Fast ways into JSON text that we made ourselves (dumpJson): members found without parsing, for lists of thousands of
// objects of which only a part is needed, and a parser that is faster than parseJson since it says nothing about errors. On
// text that is not JSON the answers are empty or discarded, never out of bounds.
//
//   memberText(R"({"kind":"Pod","metadata":{"name":"a"}})", "metadata")   ->   {"name":"a"}
#pragma once
#include <string>
#include <string_view>

#include "data/json.h"

namespace slipway {

// The value's text, a view into `object`; empty when there is no such member. Keys with escapes are not found.
std::string_view memberText(std::string_view object, std::string_view key);
// The object's text without that member; unchanged when it has none.
std::string withoutMember(std::string_view object, std::string_view key);

// The same value as parseJson gives; a discarded value (is_discarded()) when it is not JSON.
Json parseOwnJson(std::string_view text);

// Which members of an object to parse, and of each member that is an object itself which of its own: `of` is "" for the
// object's own members, else the key of the one that it is a member of. What lies deeper is whole.
using WantsMember = bool (*)(std::string_view of, std::string_view key);
// The part of parseOwnJson(text) that is wanted: what a table shows of an object costs a fraction of the whole.
Json parseOwnJsonPart(std::string_view text, WantsMember wants);

}  // namespace slipway
