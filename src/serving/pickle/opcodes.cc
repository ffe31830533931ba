// The pickle instructions (Python's pickletools documents them; PEP 3154 and PEP 574 for protocols 4 and 5).
#include <cmath>
#include <cstdlib>

#include "serving/pickle/machine.h"

namespace slipway::pickle {

void Machine::step(unsigned char op) {
  if (constants(op) || containers(op) || stackAndMemo(op) || objects(op) || textLines(op)) return;
  fault(fmt::format("unknown pickle instruction 0x{:02x}: not a pickle, or a damaged one", op));
}

bool Machine::constants(unsigned char op) {
  switch (op) {
    case 'N': push(make(Kind::None)); return true;
    case 0x88: pushInt(1, Kind::Bool); return true;
    case 0x89: pushInt(0, Kind::Bool); return true;
    case 'J': pushInt(static_cast<std::int32_t>(number(4))); return true;
    case 'K': pushInt(static_cast<std::int64_t>(number(1))); return true;
    case 'M': pushInt(static_cast<std::int64_t>(number(2))); return true;
    case 0x8a: push(longNumber(counted(1))); return true;
    case 0x8b: push(longNumber(counted(4))); return true;
    case 'G': {
      Value* v = make(Kind::Float);
      const double real = bigEndianDouble();
      if (error_) return true;
      v->real = real;
      push(v);
      return true;
    }
    case 'T': pushText(counted(4)); return true;
    case 'U': pushText(counted(1)); return true;
    case 'X': pushText(counted(4)); return true;
    case 0x8c: pushText(counted(1)); return true;
    case 0x8d: pushText(counted(8)); return true;
    case 'B': pushText(counted(4), Kind::Bytes); return true;
    case 'C': pushText(counted(1), Kind::Bytes); return true;
    case 0x8e: pushText(counted(8), Kind::Bytes); return true;
    case 0x96: pushText(counted(8), Kind::Bytes); return true;
    default: return false;
  }
}

namespace {

// Protocol 0 text: \uXXXX and \UXXXXXXXX escapes, other bytes are Latin-1.
std::string decodeRawUnicode(std::string_view text) {
  std::string out;
  const auto add = [&out](unsigned long c) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
      out += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
              static_cast<char>(0x80 | (c & 0x3F))};
    } else {
      out += {static_cast<char>(0xF0 | (c >> 18 & 7)), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
              static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    }
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digits = text.substr(i, 2) == "\\u" ? 4 : text.substr(i, 2) == "\\U" ? 8 : 0;
    if (digits != 0 && i + 2 + digits <= text.size()) {
      add(std::strtoul(std::string(text.substr(i + 2, digits)).c_str(), nullptr, 16));
      i += 1 + digits;
    } else {
      add(static_cast<unsigned char>(text[i]));
    }
  }
  return out;
}

// Python 2's repr of a string: quotes and backslash escapes.
std::string decodeQuoted(std::string_view text) {
  std::string out;
  if (text.size() < 2) return out;
  text = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x' && i + 2 < text.size()) {
      out += static_cast<char>(std::strtoul(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    }
  }
  return out;
}

}  // namespace

bool Machine::textLines(unsigned char op) {
  switch (op) {
    case 'I':
    case 'L': push(decimal(line())); return true;
    case 'F': {
      Value* v = make(Kind::Float);
      const std::string text(line());
      if (error_) return true;
      v->real = std::strtod(text.c_str(), nullptr);
      push(v);
      return true;
    }
    case 'S':
    case 'V': {
      const std::string_view raw = line();
      std::string text = op == 'S' ? decodeQuoted(raw) : decodeRawUnicode(raw);
      budget_.bytes += text.size() + sizeof(std::string);
      pushText(document_.keep(std::move(text)));
      return true;
    }
    case 'P':
    case 'Q':
      fault("a persistent id, which points outside the file: save the model with joblib.dump or pickle.dump");
      return true;
    case 0x82:
    case 0x83:
    case 0x84: fault("an extension code (copyreg.add_extension), which only its own program can read"); return true;
    case 0x97:
    case 0x98: fault("an out-of-band buffer, which is not in the file: save the model without buffer_callback"); return true;
    default: return false;
  }
}

bool Machine::containers(unsigned char op) {
  switch (op) {
    case ']': push(make(Kind::List)); return true;
    case '}': push(make(Kind::Dict)); return true;
    case ')': push(make(Kind::Tuple)); return true;
    case 0x8f: push(make(Kind::Set)); return true;
    case 0x85: collect(Kind::Tuple, 1); return true;
    case 0x86: collect(Kind::Tuple, 2); return true;
    case 0x87: collect(Kind::Tuple, 3); return true;
    case 't':
    case 'l':
    case 'd':
    case 0x91: {
      std::vector<Value*> items = popToMark();
      Value* v = make(op == 't' ? Kind::Tuple : op == 'l' ? Kind::List : op == 'd' ? Kind::Dict : Kind::Set);
      if (error_) return true;
      if (op == 'd' && items.size() % 2 != 0) return fault("a dict with a key and no value"), true;
      budget_.bytes += items.size() * sizeof(Value*);
      v->items = std::move(items);
      push(v);
      return true;
    }
    case 'a': {
      Value* item = pop();
      append(top(), item);
      return true;
    }
    case 's': {
      Value* value = pop();
      Value* key = pop();
      append(top(), key);
      append(top(), value);
      return true;
    }
    case 'e':
    case 'u':
    case 0x90: {
      const std::vector<Value*> items = popToMark();
      if (op == 'u' && items.size() % 2 != 0) return fault("a dict with a key and no value"), true;
      Value* target = top();
      for (Value* item : items) append(target, item);
      return true;
    }
    default: return false;
  }
}

bool Machine::stackAndMemo(unsigned char op) {
  const auto asIndex = [this](std::string_view text) {
    std::uint64_t index = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (ec != std::errc()) fault("a memo number that is not one");
    return index;
  };
  switch (op) {
    case 0x80:
      if (number(1) > 5) fault("pickle protocol over 5: this server reads protocols 0 to 5");
      return true;
    case 0x95: number(8); return true;  // frames only help buffering
    case '.': stopped_ = true; return true;
    case '(':
      if (marks_.size() >= limits_.nesting) {
        fault(Code::TooLarge, fmt::format("values nested deeper than {} (limit nesting)", limits_.nesting));
      } else {
        marks_.push_back(stack_.size());
      }
      return true;
    case '0': pop(); return true;
    case '1': popToMark(); return true;
    case '2': push(top()); return true;
    case 'p': put(asIndex(line())); return true;
    case 'q': put(number(1)); return true;
    case 'r': put(number(4)); return true;
    case 0x94: put(memo_.size()); return true;
    case 'g': get(asIndex(line())); return true;
    case 'h': get(number(1)); return true;
    case 'j': get(number(4)); return true;
    default: return false;
  }
}

bool Machine::objects(unsigned char op) {
  switch (op) {
    case 'c': {
      const std::string_view module = line();
      global(module, line());
      return true;
    }
    case 0x93: {
      Value* name = pop();
      Value* module = pop();
      if (!name->is(Kind::Text) || !module->is(Kind::Text)) return fault("a class whose name is not text"), true;
      global(module->text, name->text);
      return true;
    }
    case 'R':
    case 0x81: {
      Value* args = pop();
      Value* callee = pop();
      if (!error_) push(op == 'R' ? call(callee, args) : makeObject(callee, args));
      return true;
    }
    case 0x92: {
      pop();  // keyword arguments of __new__: no class in the lists has any that matter
      Value* args = pop();
      Value* cls = pop();
      if (!error_) push(makeObject(cls, args));
      return true;
    }
    case 'i':
    case 'o': {
      std::vector<Value*> items = popToMark();
      if (op == 'i') {
        const std::string_view module = line();
        global(module, line());
      } else if (!items.empty()) {
        push(items.front());
        items.erase(items.begin());
      }
      Value* cls = pop();
      Value* args = make(Kind::Tuple);
      if (error_) return true;
      args->items = std::move(items);
      push(makeObject(cls, args));
      return true;
    }
    case 'b': {
      Value* state = pop();
      Value* target = top();
      if (!error_) build(target, state);
      return true;
    }
    default: return false;
  }
}

}  // namespace slipway::pickle
