#include "serving/pickle/unpickler.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "serving/pickle/numpy_values.h"
#include "serving/pickle/unpack.h"

namespace slipway::pickle {
namespace {
using namespace std::string_literals;

constexpr KnownName kNames[] = {{"sklearn", "SVC"}, {"sklearn", "newObj", Role::NewObject}};

Result<std::unique_ptr<const Document>> readBytes(std::string bytes, Limits limits = {}) {
  static const ClassList classes(kNames, "two test classes");
  return read(std::move(bytes), classes, limits);
}

std::string errorOf(std::string bytes, Limits limits = {}) {
  auto document = readBytes(std::move(bytes), limits);
  return document ? "no error" : document.error().message;
}

std::string corpus(const std::string& name) {
  const char* dir = std::getenv("SLIPWAY_SOURCE_DIR");
  std::ifstream in(std::string(dir != nullptr ? dir : ".") + "/tests/fuzz/corpus/pickle_fuzz/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

const Value& entry(const Document& document, std::string_view key) {
  static const Value none{};
  const Value* v = document.root().find(key);
  EXPECT_NE(v, nullptr) << key;
  return v != nullptr ? *v : none;
}

TEST(Unpickler, ReadsPlainValuesOfEveryProtocol) {
  for (int protocol = 0; protocol <= 5; ++protocol) {
    auto document = readBytes(corpus("plain-p" + std::to_string(protocol)));
    ASSERT_TRUE(document) << protocol << ": " << document.error().message;
    const Value& ints = entry(**document, "ints");
    ASSERT_EQ(ints.items.size(), 7U);
    EXPECT_EQ(ints.items[2]->integer, 255);
    EXPECT_EQ(ints.items[3]->integer, 70000);
    EXPECT_EQ(ints.items[4]->integer, -5);
    EXPECT_EQ(ints.items[5]->integer, std::int64_t{1} << 40);
    EXPECT_TRUE(ints.items[6]->is(Kind::BigInt));
    EXPECT_EQ(entry(**document, "text").text, "é") << protocol;
    EXPECT_EQ(entry(**document, "bytes").text, "\x00\xff"s) << protocol;
    EXPECT_TRUE(entry(**document, "none").isNone());
    EXPECT_TRUE(entry(**document, "set").is(Kind::Set));
    EXPECT_EQ(entry(**document, "f").real, 1.5);
  }
}

void expectArrays(const Document& document, const std::string& what) {
  const auto array = [&](std::string_view key) -> const Array& {
    static const Array none;
    const Value& v = entry(document, key);
    EXPECT_TRUE(v.is(Kind::Array)) << what << " " << key << " is " << v.describe();
    return v.is(Kind::Array) ? *v.array : none;
  };
  EXPECT_EQ(*reals(array("c")), (std::vector<double>{0, 1, 2, 3, 4, 5})) << what;
  EXPECT_EQ(*integers(array("f")), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5})) << what;
  EXPECT_EQ(*texts(array("u")), (std::vector<std::string>{"a", "bcé"})) << what;
  ASSERT_EQ(array("o").objects.size(), 3U) << what;
  EXPECT_EQ(array("o").objects[0]->text, "x");
  EXPECT_EQ(*fieldIntegers(array("r"), "a"), (std::vector<std::int64_t>{1, 3})) << what;
  EXPECT_EQ(*fieldReals(array("r"), "b"), (std::vector<double>{2.5, -4})) << what;
  EXPECT_EQ(entry(document, "s").real, 1.5) << what;
  EXPECT_EQ(*integers(array("b")), (std::vector<std::int64_t>{1, 0})) << what;
  EXPECT_EQ(*reals(array("h")), (std::vector<double>{1, 2})) << what;
  EXPECT_EQ(array("z").size, 0U) << what;
}

TEST(Unpickler, ReadsNumpyArraysOfEveryProtocol) {
  for (int protocol = 0; protocol <= 5; ++protocol) {
    auto document = readBytes(corpus("arrays-p" + std::to_string(protocol)));
    ASSERT_TRUE(document) << protocol << ": " << document.error().message;
    expectArrays(**document, "protocol " + std::to_string(protocol));
  }
}

TEST(Unpickler, ReadsJoblibFilesOfEveryCompression) {
  for (const char* name : {"joblib", "joblib-zlib", "joblib-gzip", "joblib-bz2", "joblib-xz", "joblib-lzma"}) {
    auto bytes = unpack(corpus(name), {});
    ASSERT_TRUE(bytes) << name << ": " << bytes.error().message;
    auto document = readBytes(std::move(*bytes));
    ASSERT_TRUE(document) << name << ": " << document.error().message;
    expectArrays(**document, name);
  }
}

TEST(Unpickler, RefusesAnUnknownClassByNameAndRunsNothing) {
  auto document = readBytes(corpus("os-system"));
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, Code::Forbidden);
  EXPECT_EQ(document.error().message,
            "class \"posix.system\" is not in the list of classes this server reads (two test classes): the file was not "
            "executed");
  EXPECT_NE(errorOf("cos\nsystem\n(S'true'\ntR.").find("class \"os.system\" is not in the list"), std::string::npos);
  EXPECT_NE(errorOf(corpus("eval")).find("class \"builtins.eval\""), std::string::npos);
  EXPECT_NE(errorOf("cos\nsys\x01tem\n.").find("\"os.sys?tem\""), std::string::npos);
}

TEST(Unpickler, KnowsAClassUnderMovedModules) {
  for (const char* module : {"sklearn.svm.classes", "sklearn.svm._classes", "sklearn.svm"}) {
    const std::string bytes = "\x80\x02"s + "c" + module + "\nSVC\n)\x81}X" + std::string("\x01\0\0\0a", 5) + "K\x07sb.";
    auto document = readBytes(bytes);
    ASSERT_TRUE(document) << document.error().message;
    EXPECT_EQ((*document)->root().className(), "SVC");
    EXPECT_EQ((*document)->root().attribute("a")->integer, 7);
  }
}

TEST(Unpickler, ErrorsSayWhereAndWhy) {
  EXPECT_EQ(errorOf(""), "the file is empty");
  EXPECT_NE(errorOf("\x80\x02N").find("truncated"), std::string::npos);
  EXPECT_NE(errorOf(corpus("cut")).find("truncated"), std::string::npos);
  EXPECT_NE(errorOf(corpus("huge-text")).find("9223372036854775808 bytes announced"), std::string::npos);
  EXPECT_NE(errorOf(corpus("huge-memo")).find("memo number 4294967295 out of order"), std::string::npos);
  EXPECT_NE(errorOf(corpus("stack-underflow")).find("nothing on the stack"), std::string::npos);
  EXPECT_NE(errorOf("hello world.").find("not a pickle or joblib file"), std::string::npos);
  EXPECT_NE(errorOf("\x80\x02\xff").find("unknown pickle instruction 0xff"), std::string::npos);
  EXPECT_NE(errorOf("\x80\x09N.").find("protocol over 5"), std::string::npos);
  EXPECT_NE(errorOf(corpus("bad-array")).find("do not fit"), std::string::npos);
  EXPECT_NE(errorOf("\x80\x02NNR.").find("a call of None"), std::string::npos);
}

TEST(Unpickler, HoldsEveryLimit) {
  Limits limits;
  EXPECT_NE(errorOf(corpus("deep-marks"), limits).find("limit nesting"), std::string::npos);
  limits.opcodes = 1000;
  EXPECT_NE(errorOf(corpus("deep-tuples"), limits).find("limit opcodes"), std::string::npos);
  limits = {};
  limits.valueBytes = 10000;
  EXPECT_NE(errorOf(corpus("deep-tuples"), limits).find("limit valueBytes"), std::string::npos);
  EXPECT_EQ(errorOf(corpus("deep-tuples")), "no error");
  EXPECT_EQ(errorOf(corpus("cycle")), "no error");
}

TEST(Unpack, RefusesBombsAndOversizedFiles) {
  auto bomb = unpack(corpus("bz2-bomb"), {});
  ASSERT_FALSE(bomb);
  EXPECT_EQ(bomb.error().code, Code::TooLarge);
  EXPECT_NE(bomb.error().message.find("limit expansion"), std::string::npos) << bomb.error().message;
  Limits limits;
  limits.unpackedBytes = 1 << 20;
  auto big = unpack(corpus("zip-bomb"), limits);
  ASSERT_FALSE(big);
  EXPECT_NE(big.error().message.find("limit unpackedBytes"), std::string::npos) << big.error().message;
  limits.fileBytes = 10;
  EXPECT_EQ(unpack(corpus("joblib"), limits).error().code, Code::TooLarge);
}

TEST(Unpack, SaysWhenTheFileIsSomethingElse) {
  EXPECT_NE(unpack("version https://git-lfs.github.com/spec/v1\n", {}).error().message.find("git lfs pull"),
            std::string::npos);
  EXPECT_NE(unpack(corpus("html"), {}).error().message.find("HTML"), std::string::npos);
  EXPECT_NE(unpack("PK\x03\x04", {}).error().message.find("zip"), std::string::npos);
  std::string cut = corpus("joblib-xz");
  cut.resize(cut.size() / 2);
  EXPECT_NE(unpack(cut, {}).error().message.find("damaged xz data"), std::string::npos);
  EXPECT_EQ(readModelFile("/nonexistent/model.joblib", {}).error().code, Code::NotFound);
}

}  // namespace
}  // namespace slipway::pickle
