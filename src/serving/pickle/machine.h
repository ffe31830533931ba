// The pickle machine: stack, marks, memo and reader. Used by unpickler.cc and by itself for the pickles that joblib puts
// inside a stream; use pickle::read. A fault is kept and stops the run; every operation is safe to call after one.
#pragma once
#include <charconv>
#include <optional>
#include <vector>

#include "base/result.h"
#include "serving/pickle/class_list.h"
#include "serving/pickle/limits.h"
#include "serving/pickle/value.h"

namespace slipway::pickle {

// What one file may still use; shared by the machines that read it.
struct Budget {
  std::size_t bytes = 0;
  std::size_t opcodes = 0;
  int pickles = 8;  // pickles inside pickles
};

class Machine {
 public:
  Machine(Document& document, const ClassList& classes, const Limits& limits, Budget& budget, std::size_t start)
      : document_(document), classes_(classes), limits_(limits), budget_(budget), bytes_(document.bytes()), at_(start) {}

  Value* run();  // the value that STOP leaves; look at error() first
  const std::optional<Error>& error() const { return error_; }
  std::size_t position() const { return at_; }

 private:
  // opcodes.cc: one group each; false when the opcode is not of the group
  void step(unsigned char op);
  bool constants(unsigned char op);
  bool textLines(unsigned char op);
  bool containers(unsigned char op);
  bool stackAndMemo(unsigned char op);
  bool objects(unsigned char op);

  // machine.cc: reader
  std::string_view take(std::size_t count);
  std::uint64_t number(int bytes);  // little-endian
  std::string_view line();
  std::string_view counted(int bytes) { return take(number(bytes)); }
  double bigEndianDouble();
  Value* longNumber(std::string_view bytes);
  Value* decimal(std::string_view text);

  // machine.cc: stack and memo
  Value* make(Kind kind);
  void push(Value* value);
  void pushText(std::string_view text, Kind kind = Kind::Text);
  void pushInt(std::int64_t value, Kind kind = Kind::Int);
  Value* pop();
  Value* top();
  std::vector<Value*> popToMark();
  void append(Value* container, Value* item);
  void put(std::uint64_t index);
  void get(std::uint64_t index);
  void collect(Kind kind, std::size_t count);  // the top `count` values as a tuple
  Value* fault(Code code, const std::string& message);
  Value* fault(const std::string& message) { return fault(Code::Invalid, message); }

  // calls.cc: what a call of a known name makes
  void global(std::string_view module, std::string_view name);
  Value* call(Value* callee, Value* args);
  Value* makeObject(const Value* cls, Value* args);
  Value* newObject(const Value* args);
  Value* pyxUnpickle(const Value* args);
  Value* sequenceOf(Kind kind, const Value* args);
  Value* dictOf(const Value* args);
  Value* bytesOf(const Value* args);
  void build(Value* target, Value* state);

  // arrays.cc
  Value* dtypeOf(const Value* args);
  void buildDtype(Value* target, const Value* state);
  Value* reconstruct();
  void buildArray(Value* target, Value* state);
  Value* fromBuffer(const Value* args);
  Value* scalar(const Value* args);
  void readWrapped(Value* wrapper);
  bool setShape(Array& array, const Value* shape);
  void setData(Array& array, std::string_view data);

  Document& document_;
  const ClassList& classes_;
  const Limits& limits_;
  Budget& budget_;
  std::string_view bytes_;
  std::size_t at_;
  std::vector<Value*> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Value*> memo_;
  std::size_t steps_ = 0;
  bool stopped_ = false;
  Value none_;
  std::optional<Error> error_;
};

}  // namespace slipway::pickle
